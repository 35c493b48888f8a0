import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createPlace, runArgs, waitUntil } from './harness.ts';

const FAST = { REACHBACK_PASS_WAIT_MS: '50' };

describe('steering a range beside "reachback dev"', () => {
  test('run is a client there: failed days wait, retry-failed brings them home, status and watch tell, and a reader of watch may leave', async () => {
    const place = await createPlace();
    place.simulator.setFaults({ rules: [{ match: { day: '2025-09-02', slice: 7 }, fault: { kind: 'html' } }] });
    const dev = place.start(
      ['dev', '--workspace', place.workspace, '--initial-rate', '1000', '--max-rate', '1000'],
      FAST,
    );
    await waitUntil('dev', () => dev.output().includes('web UI'));

    const failed = await place.run(runArgs(place, '2025-09-01', '2025-09-02'));
    expect(failed.code).toBe(1);
    expect(failed.stderr).toContain('reachback retry-failed');
    expect(failed.stderr).toContain('--max-concurrent-requests, --initial-rate, --max-rate have no effect here');
    const status = await place.run(['status', '--workspace', place.workspace]);
    expect(status.stdout).toContain('NeedsAttention');
    expect(status.stdout).toContain('2025-09-02 reach-all/quicklook download');
    expect(status.stdout).toMatch(/Web UI http/);
    const json = await place.run(['status', '--workspace', place.workspace, '--json']);
    expect(JSON.parse(json.stdout)).toMatchObject({ ranges: [{ progress: { failedDays: 1, totals: { done: 1 } } }] });

    place.simulator.setFaults({ rules: [] });
    const watch = place.start(['watch', '--workspace', place.workspace]);
    await waitUntil('watching', () => watch.output().includes('NeedsAttention'));
    // As `watch --json | head -1` has it: whoever reads leaves first.
    const unread = place.start(['watch', '--workspace', place.workspace, '--json']);
    await waitUntil('a look', () => unread.output().includes('NeedsAttention'));
    unread.child.stdout!.destroy();
    expect(await unread.ended).toMatchObject({ code: 0, stderr: 'Left; the range goes on.\n' });
    const retried = await place.run(['retry-failed', '--workspace', place.workspace, '--day', '2025-09-02']);
    expect(retried.code).toBe(0);
    const watched = await watch.ended;
    expect(watched.code).toBe(0);
    expect(watched.stdout).toContain('failed=0');
    expect((await place.run(['retry-failed', '--workspace', place.workspace])).code).toBe(2);

    // The range has ended; the same command plans a fresh one and finds everything done.
    const again = await place.run(runArgs(place, '2025-09-01', '2025-09-02'));
    expect(again.code).toBe(0);
    expect(again.stdout).toContain('skipped_existing=2');
    dev.child.kill('SIGTERM');
    expect((await dev.ended).code).toBe(0);
  });

  test('pause, resume, finish, cancel; a range at work is not started twice, --attach follows it', async () => {
    const place = await createPlace();
    // A day takes longer than all commands that steer it.
    const slow = { rules: [{ fault: { kind: 'latency' as const, ms: 1_500 } }] };
    place.simulator.setFaults(slow);
    const dev = place.start(
      ['dev', '--workspace', place.workspace, '--initial-rate', '1000', '--max-rate', '1000'],
      FAST,
    );
    await waitUntil('dev', () => dev.output().includes('web UI'));
    const args = runArgs(place, '2025-09-01', '2025-09-05', '--concurrency', '1');
    const run = place.start(args);
    await waitUntil('requests', () => place.simulator.stats().requests > 4);

    const second = await place.run(args);
    expect(second.code).toBe(2);
    expect(second.stderr).toContain('reachback watch backfill/');
    const attached = place.start([...args, '--attach']);
    await waitUntil('attached', () => attached.output().includes('Following'));

    expect((await place.run(['pause', '--workspace', place.workspace, '--reason', 'lunch'])).code).toBe(0);
    await waitUntil('Paused', async () =>
      (await place.run(['status', '--workspace', place.workspace])).stdout.includes('Paused (lunch)'),
    );
    expect((await place.run(['resume', '--workspace', place.workspace])).code).toBe(0);
    expect((await place.run(['finish', '--workspace', place.workspace])).code).toBe(0);
    place.simulator.setFaults({ rules: [] });
    const ended = await run.ended;
    expect(ended.code).toBe(0);
    expect(ended.stdout).toContain('not_attempted=4');
    expect((await attached.ended).code).toBe(0);

    place.simulator.setFaults(slow);
    const other = place.start(runArgs(place, '2025-10-01', '2025-10-05'));
    await waitUntil('the other range', async () =>
      (await place.run(['status', '--workspace', place.workspace])).stdout.includes('2025-10-01..'),
    );
    expect((await place.run(['cancel', '--workspace', place.workspace])).code).toBe(0);
    const cancelled = await other.ended;
    expect(cancelled.code).toBe(1);
    expect(cancelled.stderr).toContain('ended without a result');
    dev.child.kill('SIGTERM');
    await dev.ended;
  });

  test('no worker polling: code 2 and the command that starts one', async () => {
    const place = await createPlace();
    const dev = place.start(['dev', '--no-worker', '--workspace', place.workspace]);
    await waitUntil('dev', () => dev.output().includes('web UI'));
    const ended = await place.run(runArgs(place, '2025-09-01', '2025-09-01'));
    expect(ended.code).toBe(2);
    expect(ended.stderr).toContain(`reachback worker --workspace ${place.workspace}`);
    // A worker that the server refuses ends, and leaves nothing that is held: one that stays up for nothing is started by nobody.
    const { address = '' } = JSON.parse(readFileSync(join(place.workspace, 'state/embedded.json'), 'utf8')) as {
      address?: string;
    };
    const elsewhere = { TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE: 'elsewhere' };
    for (const command of ['worker', 'status']) {
      const refused = await place.run([command, '--workspace', place.workspace], elsewhere);
      expect(refused.stderr).toContain('The Temporal server has no namespace "elsewhere".');
      expect(refused.code).toBe(2);
    }
    dev.child.kill('SIGTERM');
    await dev.ended;
  });
});
