/** Processes by id, for tests that promise that none is left. */
import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';

/** A dead process that nobody has asked about yet (`Z`) still has its id, but no life. */
export function isAlive(pid: number): boolean {
  const state = field(pid, 'stat');
  return state !== '' && !state.startsWith('Z');
}

/** Waits until the process is gone; false when it still lives after `timeoutMs`. */
export async function isGoneWithin(pid: number, timeoutMs: number): Promise<boolean> {
  for (let waitedMs = 0; isAlive(pid); waitedMs += 50) {
    if (waitedMs >= timeoutMs) return false;
    await sleep(50);
  }
  return true;
}

/** One column of `ps` for a process; empty when there is none. */
export function field(pid: number, name: 'stat' | 'sess' | 'ppid'): string {
  try {
    return execFileSync('ps', ['-o', `${name}=`, '-p', String(pid)], { encoding: 'utf8' }).trim();
  } catch {
    return '';
  }
}

export function childrenOf(pid: number): number[] {
  const rows = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n');
  return rows
    .map((row) => row.trim().split(/\s+/).map(Number))
    .flatMap(([child, parent]) => (parent === pid ? [child!] : []));
}
