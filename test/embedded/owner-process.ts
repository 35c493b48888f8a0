import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { field, isAlive } from './processes.ts';

export interface Owner {
  readonly process: ChildProcess;
  /** Of the server it owns. */
  readonly serverPid: number;
  /** Of the supervising shell. */
  readonly shellPid: number;
  readonly address: string | undefined;
  /** kill -9, and wait until the owner is gone. */
  kill(): Promise<void>;
}

/** Starts `owner.ts`; whatever it leaves behind is killed after the test. */
export async function startOwner(mode: 'supervise' | 'server' | 'server-then-end', ...args: string[]): Promise<Owner> {
  const script = fileURLToPath(new URL('./owner.ts', import.meta.url));
  const child = spawn(process.execPath, [script, mode, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
  };
  onTestFinished(kill);
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const { pid, address } = JSON.parse(line.toString()) as { pid: number; address?: string };
  onTestFinished(() => {
    if (isAlive(pid)) process.kill(pid, 'SIGKILL');
  });
  return { process: child, serverPid: pid, shellPid: Number(field(pid, 'ppid')), address, kill };
}
