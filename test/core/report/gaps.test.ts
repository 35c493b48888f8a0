import { describe, expect, test } from 'vitest';
import { gapsOf } from '../../../src/core/report/gaps.ts';
import type { GapDay, PoorSlice } from '../../../src/core/report/gaps.ts';
import { DAY_MS, addDays, dayStartMs, parseDay } from '../../../src/core/time/day.ts';

const DAY = parseDay('2025-09-01');
const START = dayStartMs(DAY);
const SLICE = 300_000;
const RULES = {
  today: parseDay('2025-12-01'),
  descriptor: 'QUICKLOOK',
  expectedPerDay: 1_105_920,
  shortBelow: 0.5,
} as const;

function day(change: Partial<GapDay> = {}): GapDay {
  const done = { download: 'done', toldAt: '2025-11-01T00:00:00Z', checkedAt: null, records: 1_100_000 } as const;
  return { day: DAY, ...done, poorSlices: [], hasSlices: true, ...change };
}

function poor(index: number, status: PoorSlice['status'], records = 0): PoorSlice {
  return { startMs: START + index * SLICE, endMs: START + (index + 1) * SLICE, status, records };
}

const whole = (cause: string, records = 0) => [{ startMs: START, endMs: START + DAY_MS, cause, records }];

describe('gaps of a day', () => {
  test('a full day has none', () => {
    expect(gapsOf([day()], RULES)).toEqual([]);
  });

  test.for<[string, Partial<GapDay>, string]>([
    ['never asked for', { download: 'none', toldAt: null }, 'not_yet'],
    ['under way or interrupted', { download: 'pending' }, 'not_yet'],
    ['done once, its file known no more', { download: 'done' }, 'not_yet'],
    ['given up', { download: 'failed' }, 'failed'],
    ['empty at the source', { download: 'noData' }, 'absent'],
    [
      'UDL-D14: empty at the source when it was young',
      { download: 'noData', toldAt: '2025-09-03T00:00:00Z' },
      'too_recent',
    ],
  ])('%s', ([, change, cause]) => {
    expect(gapsOf([day({ records: null, hasSlices: false, ...change })], RULES)).toEqual(whole(cause));
  });

  test('neighbouring slices with one cause are one gap, also over midnight; another cause begins another', () => {
    const next = addDays(DAY, 1);
    const days = [
      day({
        poorSlices: [poor(3, 'empty'), poor(4, 'empty'), poor(5, 'failed'), poor(286, 'empty'), poor(287, 'empty')],
      }),
      day({ day: next, poorSlices: [poor(288, 'empty'), poor(290, 'empty')] }),
    ];
    expect(
      gapsOf(days, RULES).map(({ startMs, endMs, cause }) => [
        (startMs - START) / SLICE,
        (endMs - START) / SLICE,
        cause,
      ]),
    ).toEqual([
      [3, 5, 'absent'],
      [5, 6, 'failed'],
      [286, 289, 'absent'],
      [290, 291, 'absent'],
    ]);
  });

  test('SAFE-13: empty slices of a day that was asked for too early are not absent, until it was compared again', () => {
    const poorSlices = [poor(200, 'empty'), poor(201, 'done', 5)];
    const causes = (times: Partial<GapDay>) => gapsOf([day({ poorSlices, ...times })], RULES).map(({ cause }) => cause);
    expect(causes({ toldAt: '2025-09-01T20:00:00Z' })).toEqual(['too_recent', 'short']);
    expect(causes({ toldAt: '2025-09-01T20:00:00Z', checkedAt: '2025-09-05T00:00:00Z' })).toEqual([
      'too_recent',
      'short',
    ]);
    expect(causes({ toldAt: '2025-09-01T20:00:00Z', checkedAt: '2025-09-10T00:00:00Z' })).toEqual(['absent', 'short']);
    expect(causes({ checkedAt: '2025-09-02T00:00:00Z' })).toEqual(['too_recent', 'short']);
  });

  test('short is less than the share of the nominal records that was asked about; the records are told', () => {
    const poorSlices = [poor(0, 'done', 1_919), poor(1, 'done', 1_920), poor(2, 'done', 100), poor(3, 'done', 11)];
    expect(gapsOf([day({ poorSlices })], RULES)).toEqual([
      { startMs: START, endMs: START + SLICE, cause: 'short', records: 1_919 },
      { startMs: START + 2 * SLICE, endMs: START + 4 * SLICE, cause: 'short', records: 111 },
    ]);
  });

  test('a day whose slices nobody knows, brought by hand, is judged as a whole', () => {
    const byHand = { download: 'none', toldAt: null, hasSlices: false } as const;
    expect(gapsOf([day({ ...byHand, records: 552_960 })], RULES)).toEqual([]);
    expect(gapsOf([day({ ...byHand, records: 552_959 })], RULES)).toEqual(whole('short', 552_959));
  });

  test('a day that failed again keeps the gaps of the file it has', () => {
    const poorSlices = [poor(9, 'failed')];
    expect(gapsOf([day({ download: 'failed', poorSlices })], RULES)).toMatchObject([
      { cause: 'failed', endMs: START + 10 * SLICE },
    ]);
  });
});
