/** Processes of the ground run: each with its output, all of them gone at the end. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';

export interface Running {
  readonly name: string;
  readonly pid: number;
  readonly child: ChildProcess;
  /** All that it has printed so far. */
  output(): string;
  /** Exit code, null after a signal. */
  readonly ended: Promise<number | null>;
}

export class Processes {
  readonly #all: Running[] = [];

  start(name: string, program: string, args: readonly string[], env: Record<string, string>, cwd: string): Running {
    const child = spawn(program, args, { env, cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => (said += text));
    }
    const ended = once(child, 'close').then(([code]) => code as number | null);
    const running: Running = { name, pid: child.pid ?? -1, child, output: () => said, ended };
    this.#all.push(running);
    return running;
  }

  /** Ends what still runs: kindly, then not. */
  async stopAll(): Promise<void> {
    for (const { child, ended } of this.#all.toReversed()) {
      if (!isAlive(child)) continue;
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 25_000);
      await ended;
      clearTimeout(timer);
    }
  }
}

function isAlive({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode === null && signalCode === null;
}

/** @throws Error naming what never happened */
export async function until<T>(what: string, look: () => Promise<T | null> | T | null, seconds = 120): Promise<T> {
  const end = Date.now() + seconds * 1_000;
  for (;;) {
    const found = await look();
    if (found !== null) return found;
    if (Date.now() > end) throw new Error(`Within ${seconds} s it did not happen: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Ports that nobody has now, below 32768: Temporal keeps those of its parts in a column of 16 bits with a sign. */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    if (!ports.includes(port) && (await isFree(port))) ports.push(port);
  }
  return ports;
}

async function isFree(port: number): Promise<boolean> {
  const probe = createServer().listen(port, '127.0.0.1');
  try {
    await once(probe, 'listening');
  } catch {
    return false;
  }
  probe.close();
  await once(probe, 'close');
  return true;
}
