/** Processes of a drill: none outlives it. Looks at /proc, so on Linux only. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync, readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Started {
  readonly pid: number;
  /** Exit code, or the signal's name. */
  readonly ended: Promise<number | string>;
  /** All it has printed so far. */
  output(): string;
  /** How, once it has ended. */
  how(): number | string | null;
  kill(signal: NodeJS.Signals): void;
}

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** From now on an interrupted drill ends its processes too. */
export function endWithThisProcess(): void {
  process.once('SIGINT', () => process.exit(130));
  process.once('SIGTERM', () => process.exit(143));
}

/** Starts the running program with other arguments; its output is appended to `logPath`. */
export function startProgram(
  args: readonly string[],
  options: { readonly cwd: string; readonly env: NodeJS.ProcessEnv; readonly logPath: string },
): Started {
  const log = openSync(options.logPath, 'a');
  const child = spawn(process.execPath, args, { cwd: options.cwd, env: options.env, stdio: ['ignore', log, log] });
  closeSync(log);
  running.add(child);
  let result: number | string | null = null;
  const ended = new Promise<number | string>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      running.delete(child);
      result = code ?? signal ?? 'gone';
      resolve(result);
    });
  });
  ended.catch(() => running.delete(child));
  return {
    pid: child.pid ?? -1,
    ended,
    output: () => readFileSync(options.logPath, 'utf8'),
    how: () => result,
    kill: (signal) => void child.kill(signal),
  };
}

/** Ends a process with everything below it, as a power cut would. @returns the pids */
export function killTree(pid: number): number[] {
  const all = [pid, ...descendants(pid)];
  for (const each of all) killQuietly(each);
  return all;
}

/** Kills the Temporal server below a process. @returns whether there was one */
export function killServerBelow(pid: number): boolean {
  const server = descendants(pid).find((each) => commandOf(each)[1] === 'server');
  if (server === undefined) return false;
  killQuietly(server);
  return true;
}

/** Pids of all living descendants. */
export function descendants(pid: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    const fields = /^\d+$/.test(name) ? statOf(Number(name)) : null;
    if (fields && fields[0] !== 'Z') parents.set(Number(name), Number(fields[1]));
  }
  const found: number[] = [];
  for (let wave = [pid]; wave.length > 0;) {
    wave = [...parents].filter(([, parent]) => wave.includes(parent)).map(([child]) => child);
    found.push(...wave);
  }
  return found;
}

/** Those of `pids` that still run after some patience. */
export async function survivors(pids: readonly number[], patienceMs: number): Promise<number[]> {
  const end = Date.now() + patienceMs;
  for (;;) {
    const alive = pids.filter((pid) => (statOf(pid)?.[0] ?? 'Z') !== 'Z');
    if (alive.length === 0 || Date.now() > end) return alive;
    await sleep(50);
  }
}

/** State, parent and so on; null when the process is gone. */
function statOf(pid: number): string[] | null {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
  } catch {
    return null;
  }
}

function commandOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Gone by itself.
  }
}
