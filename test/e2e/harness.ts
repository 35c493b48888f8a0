/** The real program as its operator runs it: `bin/reachback` in a process of its own, against a simulator in this one. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { startSimulator } from '../../simulator/simulator.ts';
import type { Simulator, SimulatorOptions } from '../../simulator/simulator.ts';

const PROGRAM = fileURLToPath(new URL('../../bin/reachback', import.meta.url));

/** After that something hangs. */
const PATIENCE_MS = 120_000;

/** Never printed anywhere: a test looks for it in everything a run leaves behind. */
export const TOKEN = 'Basic c2VjcmV0LXVzZXI6dmVyeS1zZWNyZXQtd29yZA==';

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly ended: Promise<Ended>;
  /** All that the process has printed so far, both streams. */
  output(): string;
}

/** A place with its own folders and gate state, and a simulated source; all gone with the test. */
export interface Place {
  readonly dir: string;
  readonly workspace: string;
  readonly delivered: string;
  readonly simulator: Simulator;
  readonly environment: Record<string, string>;
  /** Starts the program in `dir`, or in the folder named. */
  start(args: readonly string[], environment?: Record<string, string | undefined>, cwd?: string): Running;
  run(args: readonly string[], environment?: Record<string, string | undefined>, cwd?: string): Promise<Ended>;
}

export async function createPlace(options: SimulatorOptions = { tiny: true }): Promise<Place> {
  const dir = await mkdtemp(join(tmpdir(), 'reachback-e2e-'));
  // What a loaded machine has on its way when a 429 is told is no request of the pause.
  const simulator = await startSimulator({ cooldownGraceMs: 1_000, ...options, token: TOKEN });
  const started: Running[] = [];
  onTestFinished(async () => {
    for (const { child, ended } of started) {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
      await ended;
    }
    await simulator.close();
    await rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  });
  const environment: Record<string, string> = {
    PATH: process.env['PATH'] ?? '',
    HOME: dir,
    XDG_STATE_HOME: join(dir, 'state-home'),
    TEMPORAL_CLI_PATH: process.env['TEMPORAL_CLI_PATH'] ?? '',
    UDL_BASE_URL: simulator.url,
    BASICAUTH: TOKEN,
    NO_COLOR: '1',
  };
  const start = (args: readonly string[], extra: Record<string, string | undefined> = {}, cwd = dir): Running => {
    const env = Object.fromEntries(
      Object.entries({ ...environment, ...extra }).filter((entry): entry is [string, string] => entry[1] !== undefined),
    );
    const running = startProcess(PROGRAM, args, cwd, env);
    started.push(running);
    return running;
  };
  return {
    dir,
    workspace: join(dir, 'ws'),
    delivered: join(dir, 'delivered'),
    simulator,
    environment,
    start,
    run: (args, extra, cwd) => start(args, extra, cwd).ended,
  };
}

function startProcess(file: string, args: readonly string[], cwd: string, env: Record<string, string>): Running {
  const child = spawn(file, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
  return { child, pid: child.pid ?? -1, ended, output: () => stdout + stderr };
}

/** The usual flags of a quick run over `first..last` with delivery. */
export function runArgs(place: Place, first: string, last: string, ...more: string[]): string[] {
  const pace = ['--max-concurrent-requests', '16', '--initial-rate', '1000', '--max-rate', '1000'];
  const target = ['--workspace', place.workspace, '--upload-to', `file://${place.delivered}`, '--profile', 'parity'];
  return ['run', '--start-date', first, '--end-date', last, ...target, ...pace, ...more];
}

/** Every file below a folder, hidden ones too but not what a destination notes for itself: path from there → SHA-256. */
export function fileHashes(folder: string): Record<string, string> {
  const paths = filesBelow(folder).filter((path) => !relative(folder, path).startsWith('.reachback/'));
  return Object.fromEntries(
    paths.map((path) => [relative(folder, path), createHash('sha256').update(readFileSync(path)).digest('hex')]),
  );
}

export function filesBelow(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
}

/** Pids of all living descendants of a process. */
export function descendants(pid: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const fields = readFileSync(`/proc/${name}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ');
      if (fields[0] !== 'Z') parents.set(Number(name), Number(fields[1]));
    } catch {
      // Gone while we looked.
    }
  }
  const found: number[] = [];
  for (let wave = [pid]; wave.length > 0;) {
    wave = [...parents].filter(([, parent]) => wave.includes(parent)).map(([child]) => child);
    found.push(...wave);
  }
  return found;
}

export function isAlive(pid: number): boolean {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

/** Kill -9 of a process and all below it; back when none of them is left. @returns how many they were */
export async function killAll(pid: number): Promise<number> {
  const everything = [pid, ...descendants(pid)];
  for (const each of everything) {
    try {
      process.kill(each, 'SIGKILL');
    } catch (error) {
      // It has ended with one that was killed before.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
  await waitUntil('all of them are gone', () => !everything.some(isAlive));
  return everything.length;
}

/** Looks every 50 ms; only for what stays once it is there. */
export async function waitUntil(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + PATIENCE_MS;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`never happened: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Modification times and sizes below a folder, to see that nothing was touched. */
export function fingerprint(folder: string): Record<string, string> {
  return Object.fromEntries(
    filesBelow(folder).map((path) => {
      const { mtimeMs, size } = statSync(path);
      return [relative(folder, path), `${size}@${mtimeMs}`];
    }),
  );
}
