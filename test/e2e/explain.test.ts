import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { DayHistory } from '../../src/ledger/reports.ts';
import { createPlace, killAll, runArgs, waitUntil } from './harness.ts';

test('TRACK-3, TRACK-12: a day that met a 429, a 503 and a crash is explained; status, gaps and explain write nothing', async () => {
  const place = await createPlace({ tiny: true, emptyDays: ['2025-09-02'] });
  const day = '2025-09-01';
  place.simulator.setFaults({
    rules: [
      { match: { day, slice: 10, firstAttempts: 1 }, fault: { kind: 'rate_limit', retryAfterS: 1 } },
      { match: { day, slice: 20, firstAttempts: 1 }, fault: { kind: 'status', status: 503 } },
      { match: { day, slice: 30, firstAttempts: 1 }, fault: { kind: 'html' } },
      // The kill comes before these are answered.
      {
        match: { day, slice: Array.from({ length: 88 }, (_, index) => 200 + index) },
        fault: { kind: 'latency', ms: 5_000 },
      },
    ],
  });
  const environment = { REACHBACK_PASS_WAIT_MS: '200' };
  const args = runArgs(place, '2025-09-01', '2025-09-02', '--concurrency', '1');
  const running = place.start(args, environment);
  await waitUntil('requests', () => place.simulator.stats().requests > 120);
  await killAll(running.pid);
  await running.ended;
  place.simulator.setFaults({ rules: [] });
  const finished = await place.run(args, environment);
  expect(finished.code).toBe(0);

  const ledgerFile = join(place.workspace, 'state/reachback.db');
  const before = readFileSync(ledgerFile);
  const at = ['--workspace', place.workspace];
  const text = (await place.run(['explain', '2025-09-01', ...at])).stdout;
  expect(text).toMatch(/^2025-09-01 reach-all\/quicklook\nAttempts\n/);
  expect(text).toMatch(
    /download by process \d+ on \S+: never ended, as its worker was killed or cut off; taken up [\d.]+ s/,
  );
  expect(text).toMatch(/download again \(\d\) by process \d+ on \S+: done after [\d.]+ s/);
  expect(text).toMatch(/rate_limited: HTTP 429 .*Retry-After 1, took .*, asked again \d+\.\d s later/);
  expect(Number(/Retry-After 1, .*asked again (\d+\.\d) s later/.exec(text)?.[1])).toBeGreaterThanOrEqual(1);
  expect(text).toMatch(/http_error: HTTP 503 .*, asked again \d+\.\d s later/);
  expect(text).toMatch(/wrong_kind: HTTP 200 \(text\/html.*/);
  expect(text.match(/ {3}→ (done|empty), HTTP 200, [\d,]+ records/g)).toHaveLength(3);
  expect(text).toContain('288 slices: ');
  expect(text).toMatch(/UPLOADED to file:/);

  const json = await place.run(['explain', '2025-09-01', '--product', 'reach-all/quicklook', '--json', ...at]);
  const [history] = JSON.parse(json.stdout) as [DayHistory];
  expect(history.requestFailures.map(({ kind }) => kind)).toEqual(['rate_limited', 'http_error', 'wrong_kind']);
  expect(history.slices).toHaveLength(288);
  expect(new Set(history.passes.map(({ stage }) => stage))).toEqual(new Set(['download', 'count', 'build', 'upload']));
  const [artifact, product] = history.files;
  expect(product?.inputSha256).toBe(artifact?.sha256);
  expect(history.counts.map(({ artifactSha256 }) => artifactSha256)).toEqual([artifact?.sha256]);
  expect(history.deliveries.map(({ sha256 }) => sha256)).toEqual([product?.sha256]);
  const hashes = (await place.run(['explain', '2025-09-01', '--slices', ...at])).stdout;
  expect(history.slices.filter(({ sha256 }) => !hashes.includes(sha256!))).toEqual([]);

  const status = await place.run(['status', ...at]);
  expect(status.stdout).toMatch(/127\.0\.0\.1:\d+ +rate_limited +1/);
  expect(status.stdout).toContain('Last 24 hours: 1 days');
  const gaps = await place.run(['gaps', '--json', '--short-below', '0', ...at]);
  const [found] = JSON.parse(gaps.stdout) as [
    { first: string; last: string; gaps: { start: string; cause: string }[] },
  ];
  expect([found.first, found.last]).toEqual(['2025-09-01', '2025-09-02']);
  // Tiny days have a reading an hour: eleven slices of twelve are empty.
  expect(new Set(found.gaps.map(({ cause }) => cause))).toEqual(new Set(['absent']));
  const later = ['--start-date', '2025-09-02', '--end-date', '2025-09-03'];
  expect((await place.run(['gaps', ...later, ...at])).stdout).toMatch(/2025-09-03 00:00:00 .* not downloaded yet/);
  expect(readFileSync(ledgerFile).equals(before)).toBe(true);

  const unknown = await place.run(['explain', '2025-10-01', ...at]);
  expect(unknown).toMatchObject({ code: 2, stderr: expect.stringContaining('knows nothing about 2025-10-01') });
  const nowhere = await place.run(['gaps', '--workspace', join(place.dir, 'none')]);
  expect(nowhere).toMatchObject({ code: 2, stderr: expect.stringContaining('There is no ledger') });
});
