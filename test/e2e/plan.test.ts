/** SAFE-14, CLI-13: `plan` says what a run would do and cost, from what was done before, and leaves no trace. */
import { expect, test } from 'vitest';
import { createPlace, fingerprint, runArgs } from './harness.ts';

test('SAFE-14: nominal before anything was done, by the known days after; no request, no token, nothing written', async () => {
  const place = await createPlace();
  const range = (first: string, last: string) => runArgs(place, first, last, '--sensor-id', 'REACH-101');
  const plan = async (last: string, ...more: string[]) => {
    const ended = await place.run(['plan', ...range('2025-09-01', last).slice(1), ...more], { BASICAUTH: undefined });
    expect({ code: ended.code, stderr: ended.stderr }).toEqual({ code: 0, stderr: '' });
    return ended.stdout;
  };
  const nominal = await plan('2025-09-02');
  expect(nominal).toContain('2025-09-01 action=run+run_process prior_status=none (not downloaded yet)');
  expect(nominal).toContain('about 10 requests');
  expect(nominal).toContain('--measure-first of run does one day alone');
  expect(fingerprint(place.dir)).toEqual({});

  // Slow enough for the end of the first day to be seen before that of the second.
  const slow = { kind: 'latency', ms: 2_500 } as const;
  place.simulator.setFaults({ rules: [{ match: { day: '2025-09-02', endpoint: 'any' }, fault: slow }] });
  const ran = await place.run(range('2025-09-01', '2025-09-02').concat('--measure-first', '--concurrency', '2'));
  expect(ran.code).toBe(0);
  expect(ran.stderr).toMatch(
    /2 days with work: about 10 requests[^]*One day is done alone first[^]*By 2025-09-01, which was done alone: the other 1 days take about \d/,
  );
  expect(place.simulator.stats().concurrentPeak).toBeLessThanOrEqual(4);
  place.simulator.setFaults({ rules: [] });
  const { requests } = place.simulator.stats();
  expect(requests).toBe(10);
  const before = fingerprint(place.workspace);
  const learnt = await plan('2025-09-05');
  expect(learnt).toContain('2025-09-02 action=skip_existing+skip_existing prior_status=DOWNLOADED (already delivered)');
  expect(learnt).toContain('planned=5 with_work=3 skipped_existing=2');
  expect(learnt).toMatch(
    /about 15 requests; .* free\nby the latest 2 days of this product: .* nine of ten such days stay within/,
  );
  const json = JSON.parse(await plan('2025-09-05', '--json')) as {
    fromHistory: { knownDays: number; seconds: { median: number; upper: number } };
    freeBytes: number;
  };
  expect(json.fromHistory.knownDays).toBe(2);
  expect(json.fromHistory.seconds.median).toBeGreaterThan(0);
  expect(json.fromHistory.seconds.upper).toBeGreaterThanOrEqual(json.fromHistory.seconds.median);
  expect(json.freeBytes).toBeGreaterThan(0);
  expect(await plan('2025-09-02')).toMatch(/\nnothing to do; .* free/);
  expect(place.simulator.stats().requests).toBe(requests);
  expect(withoutSharedMemory(fingerprint(place.workspace))).toEqual(withoutSharedMemory(before));
});

/** SQLite's readers keep their marks in these two; the database itself is compared. */
function withoutSharedMemory(files: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(files).filter(([path]) => !/\.db-(shm|wal)$/.test(path)));
}
