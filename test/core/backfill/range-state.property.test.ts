import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { limitDays } from '../../../src/core/backfill/decide.ts';
import { resultOf } from '../../../src/core/backfill/range-progress.ts';
import { PLAN_CHUNK_DAYS, failedCount } from '../../../src/core/backfill/range-state.ts';
import { Drive, happenings, ranges } from './range-drive.ts';

const TEN_YEARS = 3_653;

function sumOf(drive: Drive): { settled: number; failed: number; notAttempted: number } {
  const { totals, failedDays: failed, notAttempted } = resultOf(drive.input, drive.state);
  const { done, noData, skipped } = totals;
  return { settled: done + noData + skipped.existing, failed, notAttempted };
}

/** How many days a plan of all days at once keeps: what a dry run tells, and what a range has settled in the end. */
function keptAtOnce({ days, daysWithWork }: Drive, limit: number): number {
  const work = new Set(daysWithWork);
  const atOnce = days.map((day) => ({ stages: work.has(day) ? (['download'] as const) : [] }));
  return limitDays(atOnce, limit).kept.length;
}

test('whatever happens, no day is under way twice or lost; when everything succeeds, the range ends with all settled', () => {
  fc.assert(
    fc.property(ranges, happenings, (about, events) => {
      const drive = new Drive({ ...about, limitDays: null });
      drive.apply(events);
      expect(JSON.parse(JSON.stringify(drive.state))).toEqual(drive.state);
      drive.succeed();
      expect(sumOf(drive)).toEqual({ settled: about.days, failed: 0, notAttempted: 0 });
    }),
    { numRuns: 60 },
  );
});

test('TEL-25: whatever happens, exactly the first days that need work get it, as many as the limit says, also newest first', () => {
  fc.assert(
    fc.property(ranges, fc.integer({ min: 1, max: 60 }), happenings, (about, limit, events) => {
      const drive = new Drive({ ...about, limitDays: limit });
      drive.apply(events);
      drive.succeed();
      expect([...drive.given]).toEqual(drive.daysWithWork.slice(0, limit));
      expect(sumOf(drive)).toEqual({ settled: keptAtOnce(drive, limit), failed: 0, notAttempted: 0 });
    }),
    { numRuns: 60 },
  );
});

test.each([2, 3, 5])(
  'TEL-25: also where the limit is spent at the end of what is planned at once (%i)',
  (skipEvery) => {
    // Behind the first plan comes the 30th of January, which needs nothing.
    const about = { days: PLAN_CHUNK_DAYS + 30, skipEvery, newestFirst: true, concurrency: 9 };
    const { days, daysWithWork } = new Drive({ ...about, limitDays: null });
    expect(days[PLAN_CHUNK_DAYS]).toBe('2020-01-30');
    const ofFirstPlan = daysWithWork.filter((day) => day > '2020-01-30').length;
    for (const limit of [ofFirstPlan - 1, ofFirstPlan, ofFirstPlan + 1]) {
      const drive = new Drive({ ...about, limitDays: limit });
      drive.succeed();
      expect([...drive.given]).toEqual(daysWithWork.slice(0, limit));
      expect(sumOf(drive)).toEqual({ settled: keptAtOnce(drive, limit), failed: 0, notAttempted: 0 });
    }
  },
);

test('finish ends the range at any time: nothing starts any more, and what is left was not attempted', () => {
  fc.assert(
    fc.property(ranges, happenings, (about, events) => {
      const drive = new Drive({ ...about, limitDays: null });
      drive.apply(events);
      drive.state.finishing = true;
      const underWay = [...drive.running];
      drive.settle();
      expect(drive.running).toEqual(underWay);
      while (drive.running.length > 0) drive.end(0, 'done');
      expect(drive.settle()).toBe('return');
      const { settled, failed, notAttempted } = sumOf(drive);
      expect(settled + failed + notAttempted).toBe(about.days);
    }),
    { numRuns: 60 },
  );
});

test('ten years of days that all fail with long words: the state stays plain JSON below 200 kB', () => {
  const drive = new Drive({ days: TEN_YEARS, skipEvery: 40, limitDays: null, concurrency: 32 });
  let largest = 0;
  for (let ended = 0; ended < TEN_YEARS; ended += 1) {
    drive.settle(false);
    drive.end(0, 'slice_exhausted');
    if (ended % 100 === 0) largest = Math.max(largest, JSON.stringify(drive.state).length);
  }
  expect(drive.settle()).toBe('wait_for_operator');
  drive.send('retry all');
  expect(JSON.parse(JSON.stringify(drive.state))).toEqual(drive.state);
  largest = Math.max(largest, JSON.stringify(drive.state).length);
  expect(failedCount(drive.state)).toBe(TEN_YEARS);
  expect(largest).toBeLessThan(200_000);
  expect(largest).toBeGreaterThan(100_000);
});
