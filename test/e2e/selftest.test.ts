import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'vitest';

const MAIN = join(import.meta.dirname, '../../src/cli/main.ts');

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function selftest(seed: number, dir: string): Promise<Ended> {
  const args = [MAIN, 'selftest', '--seed', String(seed), '--dir', dir];
  return new Promise((resolve) => {
    const child = execFile(process.execPath, args, (_error, stdout, stderr) => {
      resolve({ code: child.exitCode, stdout, stderr });
    });
  });
}

/** What happens in each, so that a change of what seeds mean is noticed. */
const SEEDS: readonly (readonly [seed: number, what: string])[] = [
  // Once stood still for ten minutes: the activity that closes a day had no heartbeat.
  // Once sent requests inside a cooldown: their permits had waited for a thread to start.
  [9, 'one-sensor · together · server at request 7, program at request 10'],
  [12, 'json · apart · worker at day-recorded:1'],
  [82, 'compat · together · program at upload-temporary:1'],
  [49, 'json · together · program at slice-recorded:2, program at slice-temporary:3'],
];

/** Most of a seed is waiting for missed heartbeats, so they run side by side. `selftest --runs` has the others. */
describe.concurrent('SAFE-5, SAFE-6, SAFE-9, SAFE-10: whatever is killed, what is left is the same', () => {
  test.for(SEEDS)('seed %d: %s', async ([seed, what], { expect, onTestFinished }) => {
    const dir = await mkdtemp(join(tmpdir(), 'reachback-selftest-'));
    onTestFinished(() => rm(dir, { recursive: true, force: true }));
    const ended = await selftest(seed, dir);
    expect(ended.stdout).toContain(`selftest: 1 seeds (${seed}..${seed}), 0 with differences`);
    expect(ended.stderr).toContain(`seed ${seed}: same · ${what}`);
    expect(ended.code).toBe(0);
  });
});
