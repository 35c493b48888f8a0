import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { daySlices, sliceLengthMs, sliceRange } from '../../src/core/slices.ts';
import { DAY_MS, dayStartMs, parseDay } from '../../src/core/time/day.ts';

const DAY = parseDay('2026-01-01');
const START = dayStartMs(DAY);
const HOUR = 3_600_000;

function time(ms: number): string {
  return new Date(ms).toISOString().slice(11, 19);
}

/** `HH:MM:SS..HH:MM:SS` of what is asked. */
function asked({ queryStartMs, queryEndMs }: { queryStartMs: number; queryEndMs: number }): string {
  return `${time(queryStartMs)}..${time(queryEndMs)}`;
}

describe('UDL-13, UDL-14: the table of slices', () => {
  test.for([
    {
      name: 'ALL, a day',
      sensor: 'ALL',
      ms: DAY_MS,
      count: 288,
      first: '00:00:00..00:05:00',
      second: '00:05:01..00:10:00',
      last: '23:55:01..00:00:00',
    },
    {
      name: 'one sensor, a day',
      sensor: 'REACH-101',
      ms: DAY_MS,
      count: 4,
      first: '00:00:00..06:00:00',
      second: '06:00:01..12:00:00',
      last: '18:00:01..00:00:00',
    },
    {
      name: 'one sensor, 12 h',
      sensor: 'REACH-101',
      ms: 12 * HOUR,
      count: 2,
      first: '00:00:00..06:00:00',
      second: '06:00:01..12:00:00',
      last: '06:00:01..12:00:00',
    },
    {
      name: 'another id, 20 min',
      sensor: 'SENSOR-1',
      ms: HOUR / 3,
      count: 4,
      first: '00:00:00..00:05:00',
      second: '00:05:01..00:10:00',
      last: '00:15:01..00:20:00',
    },
  ])('compat, $name', ({ sensor, ms, count, first, second, last }) => {
    const slices = sliceRange(START, START + ms, sliceLengthMs(sensor), 'compat');
    expect(slices).toHaveLength(count);
    expect([slices[0], slices[1], slices.at(-1)].map((slice) => asked(slice!))).toEqual([first, second, last]);
  });

  test('half-open asks from the previous end, so that no sub-second record is lost (UDL-D7)', () => {
    const slices = daySlices(DAY, 'ALL', 'half-open');
    expect(slices).toHaveLength(288);
    expect(slices.slice(0, 2).map(asked)).toEqual(['00:00:00..00:05:00', '00:05:00..00:10:00']);
  });

  test('the lower-case id gets short slices: recognition is case-sensitive', () => {
    expect(sliceLengthMs('reach-101')).toBe(300_000);
  });

  test('UDL-15: a range that is no multiple of the length ends with a short slice, an empty one has none', () => {
    expect(sliceRange(START, START + 7 * 60_000, 300_000, 'half-open').map(asked)).toEqual([
      '00:00:00..00:05:00',
      '00:05:00..00:07:00',
    ]);
    expect(sliceRange(START, START, 300_000, 'compat')).toEqual([]);
  });
});

describe.for(['half-open', 'compat'] as const)('UDL-D6: what %s slices keep', (mode) => {
  test('tiles the range: disjoint, without a gap, ends with it', () => {
    const ranges = fc.record({
      seconds: fc.integer({ min: 1, max: 90_000 }),
      length: fc.integer({ min: 100, max: 30_000 }),
    });
    fc.assert(
      fc.property(ranges, ({ seconds, length }) => {
        const end = START + seconds * 1_000;
        const slices = sliceRange(START, end, length * 1_000, mode);
        expect(slices[0]?.startMs).toBe(START);
        expect(slices.at(-1)?.endMs).toBe(end);
        for (const [index, slice] of slices.entries()) {
          expect(slice.startMs).toBe(index === 0 ? START : slices[index - 1]!.endMs);
          expect(slice.queryStartMs).toBe(slice.startMs);
          expect(slice.queryEndMs).toBeLessThanOrEqual(end);
        }
      }),
      { numRuns: 50 },
    );
  });

  test('never keeps the next midnight', () => {
    const last = daySlices(DAY, 'ALL', mode).at(-1)!;
    expect(last.queryEndMs).toBe(START + DAY_MS);
    expect(last.endMs).toBe(START + DAY_MS);
  });
});

test('a compat slice keeps a record that lies exactly on its end', () => {
  const [first, second] = daySlices(DAY, 'ALL', 'compat');
  const boundary = START + 300_000;
  expect(boundary).toBeLessThan(first!.endMs);
  expect(second!.startMs).toBe(boundary + 1_000);
});
