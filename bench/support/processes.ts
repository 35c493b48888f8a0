/** Child processes of a benchmark: none outlives it, whichever way it ends. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const running = new Set<ChildProcess>();

export interface Finished {
  readonly stdout: string;
  readonly exitCode: number | null;
  /** Monotonic, of this process, ms. */
  readonly startedMs: number;
  readonly endedMs: number;
}

export interface StartOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Called when the process runs; it ends by itself. */
  readonly onStart?: (pid: number) => void;
}

/**
 * Runs a command to its end.
 *
 * @throws Error with the end of its output when the exit code is not 0
 */
export async function run(command: string, args: readonly string[], options: StartOptions = {}): Promise<Finished> {
  const startedMs = performance.now();
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
  });
  running.add(child);
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr = (stderr + chunk.toString()).slice(-4_000)));
  if (child.pid !== undefined) options.onStart?.(child.pid);
  const exitCode = await new Promise<number | null>((done, fail) => {
    child.once('error', fail);
    child.once('close', done);
  }).finally(() => running.delete(child));
  const endedMs = performance.now();
  if (exitCode !== 0) {
    throw new Error(`${command} ${args.join(' ')} ended with ${exitCode}:\n${stderr}\n${stdout.slice(-2_000)}`);
  }
  return { stdout, exitCode, startedMs, endedMs };
}

/** Runs one of the programs beside `main.ts` in a fresh process. @returns the JSON it printed */
export async function runProgram<T>(name: string, args: readonly string[], env: StartOptions['env'] = {}): Promise<T> {
  const path = fileURLToPath(new URL(`../${name}`, import.meta.url));
  const { stdout } = await run(process.execPath, ['--expose-gc', path, ...args], { env });
  return JSON.parse(stdout) as T;
}

/** Starts a process that runs until `stop`. */
export function start(command: string, args: readonly string[]): { child: ChildProcess; stop: () => Promise<void> } {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  running.add(child);
  const ended = new Promise<void>((done) => child.once('close', () => done()));
  void ended.then(() => running.delete(child));
  return {
    child,
    async stop() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

/** Ends everything at once; for an interrupted run. What a child keeps up itself ends with it. */
export function killAll(): void {
  for (const child of running) child.kill('SIGKILL');
}
