import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { countersLine, dayTable, differenceLines, failureLines } from '../../../src/cli/support/summary.ts';
import { resultOf } from '../../../src/core/backfill/range-progress.ts';
import * as range from '../../../src/core/backfill/range-state.ts';
import type { Stage } from '../../../src/core/backfill/types.ts';
import { addDays, countDays } from '../../../src/core/time/day.ts';
import { DAY, LAST, dayLine, progress, result, totals } from './views.ts';

function countersOf(line: string): Record<string, number> {
  return Object.fromEntries([...line.matchAll(/(\w+)=(\d+)(?= )/g)].map(([, name, value]) => [name, Number(value)]));
}

describe('the closing line', () => {
  const of = totals({
    done: 5,
    noData: 2,
    skipped: { existing: 3, noData: 4, failed: 1, noInput: 0 },
    stages: { download: 8, count: 6, build: 5, upload: 5 },
    requests: 2_016,
  });

  test('CLI §4: run names every counter, the requests and the run', () => {
    expect(countersLine(result({ totals: of, failedDays: 1, notAttempted: 6 }))).toBe(
      'run: planned=22 downloaded=6 processed=5 uploaded=5 skipped_existing=3 skipped_no_data=6 failed=2 not_attempted=6 ' +
        'requests=2016 run_id=run-1 (1 failed before and not retried: add --retry-failed)',
    );
  });

  test('TEL-28: download', () => {
    expect(countersLine(result({ mode: 'download', totals: { ...of, skipped: { ...of.skipped, failed: 0 } } }))).toBe(
      'download: planned=14 downloaded=5 skipped_existing=3 skipped_no_data=6 failed=0 not_attempted=0 requests=2016 run_id=run-1',
    );
  });

  test('TEL-29: process', () => {
    const skipped = { existing: 3, noData: 0, failed: 0, noInput: 4 };
    expect(countersLine(result({ mode: 'process', totals: { ...of, noData: 0, skipped }, failedDays: 1 }))).toBe(
      'process: planned=13 processed=5 uploaded=5 skipped_existing=3 skipped_no_input=4 failed=1 not_attempted=0 requests=2016 run_id=run-1',
    );
  });

  /** How a day of a download ends: found done, nothing there, failed before, and the stages that were done of it. */
  const endings = fc.constantFrom(
    'existing',
    'skippedNoData',
    'skippedFailed',
    'done',
    'counted only',
    'noData',
    'failed at download',
    'failed at count',
    'stopped',
    'left',
  );

  test('TEL-28: planned = downloaded + skipped_existing + skipped_no_data + failed (+ not_attempted), however days end', () => {
    fc.assert(
      fc.property(fc.array(endings, { minLength: 1, maxLength: 30 }), (ends) => {
        const { options } = progress();
        const input = {
          workspace: 'w',
          runId: 'run-1',
          product: 'reach-all/quicklook',
          first: DAY,
          last: addDays(DAY, ends.length - 1),
          options: { ...options, mode: 'download' as const },
          concurrency: 1,
          maxDaysPerRun: 250,
          searchAttributes: false,
        };
        const state = { ...range.initialState(input), nextDay: null };
        for (const [index, how] of ends.entries()) {
          const day = addDays(DAY, index);
          const skipped = { existing: 0, noData: 0, failed: 0, noInput: 0 };
          const counted = { existing: 'existing', skippedNoData: 'noData', skippedFailed: 'failed' }[how as string];
          range.applyChunkPlan(state, input, input, {
            days: [],
            skipped: counted === undefined ? skipped : { ...skipped, [counted]: 1 },
            limited: false,
          });
          const done = (stagesDone: readonly Stage[], outcome: 'done' | 'no_data' = 'done'): void =>
            range.applyDayDone(state, { day, outcome, seconds: 1, stagesDone });
          const failure = { message: 'm', kind: how === 'stopped' ? 'source_aborted' : 'slice_exhausted' } as const;
          if (how === 'done') done(['download', 'count']);
          if (how === 'counted only') done(['count']);
          if (how === 'noData') done(['download'], 'no_data');
          if (how === 'failed at download' || how === 'stopped')
            range.applyDayFailed(state, day, { ...failure, stage: 'download', stagesDone: [] });
          if (how === 'failed at count')
            range.applyDayFailed(state, day, { ...failure, stage: 'count', stagesDone: ['download'] });
          if (how === 'left') state.queue.push({ day, stages: ['download'], reason: 'r' });
        }
        const of = countersOf(`${countersLine(resultOf(input, state))} `);
        expect(of['planned']).toBe(ends.length);
        expect(of['planned']).toBe(
          of['downloaded']! + of['skipped_existing']! + of['skipped_no_data']! + of['failed']! + of['not_attempted']!,
        );
      }),
    );
  });
});

describe('the table of days', () => {
  test('the latest word of each day, in words; the product where it went', () => {
    const text = dayTable([
      dayLine({
        download: 'DOWNLOADED',
        build: 'PROCESSED',
        upload: 'UPLOADED',
        records: 1_105_920,
        availabilityPct: 100,
        downloadBytes: 5e8,
        productBytes: 42 * 1_048_576,
        downloadSeconds: 50,
        buildSeconds: 8,
        uploadSeconds: 0.5,
        productPath: '/ws/x.cdf',
        destination: 'file:///out',
        deliveredKey: 'l1c/x.cdf',
        check: 'verified',
      }),
      dayLine({ day: addDays(DAY, 1), download: 'SKIPPED_NO_DATA' }),
      dayLine({ day: addDays(DAY, 2), build: 'SKIPPED_NO_INPUT' }),
      dayLine({ day: addDays(DAY, 3), download: 'DOWNLOAD_PENDING' }),
      dayLine({ day: addDays(DAY, 4), download: 'DOWNLOADED', build: 'FAILED', downloadBytes: 1_048_576 }),
      dayLine({ day: addDays(DAY, 5) }),
    ]);
    expect(text.split('\n').slice(2)).toEqual([
      '2025-09-01  uploaded          1,105,920    100.0 %  42.0 MiB  58.5 s  verified      l1c/x.cdf',
      '2025-09-02  no data',
      '2025-09-03  no input',
      '2025-09-04  download pending',
      '2025-09-05  failed                                  1.00 MiB',
      '2025-09-06',
      'delivered to file:///out',
    ]);
  });

  test('no table for no days, nor for more than two months', () => {
    expect(dayTable([])).toBe('');
    const days = Array.from({ length: 63 }, (_, index) => dayLine({ day: addDays(DAY, index) }));
    expect(dayTable(days)).toBe('');
    expect(dayTable(days.slice(1)).split('\n')).toHaveLength(64);
  });
});

test('failed days: what happened, what to do, at most twenty of them', () => {
  const failure = { stage: 'build', kind: 'input_invalid', message: 'No records.' } as const;
  const failures = Array.from({ length: 25 }, (_, index) => ({ ...failure, day: addDays(DAY, index) }));
  expect(countDays(DAY, LAST)).toBeGreaterThan(failures.length);
  const lines = failureLines(result({ failures: [{ ...failures[0]!, hint: 'Look.' }, ...failures.slice(1)] }));
  expect(lines).toHaveLength(20);
  expect(lines[0]).toBe('  2025-09-01 build: No records. (input_invalid)\n      → Look.');
  expect(lines[1]).toBe('  2025-09-02 build: No records. (input_invalid)');
});

describe("days against the source's own count", () => {
  test('the counters name them once there are some', () => {
    const of = totals({ done: 3, checks: { verified: 2, differs: 1 } });
    expect(countersLine(result({ totals: of }))).toContain(' verified=2 differs=1 requests=');
  });

  test('a day that differs is named with its numbers, others are not', () => {
    const lines = differenceLines([
      dayLine({ check: 'verified' }),
      dayLine({ day: addDays(DAY, 1), check: 'differs', checkReason: 'the source counts 5, 4 are kept' }),
      dayLine({ day: addDays(DAY, 2), check: 'uncounted', checkReason: 'HTTP 404' }),
    ]);
    expect(lines).toEqual(['  2025-09-02 differs: the source counts 5, 4 are kept']);
  });
});
