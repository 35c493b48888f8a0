import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  DAY_MS,
  addDays,
  compactStamp,
  countDays,
  dayOfMs,
  dayStartMs,
  daysBetween,
  isDay,
  parseDay,
} from '../../../src/core/time/day.ts';

const FIRST_MS = Date.UTC(1950, 0, 1);
const LAST_MS = Date.UTC(2100, 0, 1);
const instants = fc.integer({ min: FIRST_MS, max: LAST_MS });
const days = instants.map(dayOfMs);

describe('reading a day', () => {
  test.for(['2025-09-01', '2024-02-29', '2000-02-29', '0001-01-01', '9999-12-31'])('CLI-3: "%s" is one', (text) => {
    expect(isDay(text)).toBe(true);
    expect(parseDay(text)).toBe(text);
  });

  test.for([
    '2025-02-29',
    '1900-02-29',
    '2025-04-31',
    '2025-13-01',
    '2025-00-10',
    '2025-9-1',
    '2025/09/01',
    '20250901',
    '2025-09-01T00:00:00Z',
    ' 2025-09-01',
    '',
  ])('CLI-3: "%s" is none, and the error names it', (text) => {
    expect(isDay(text)).toBe(false);
    expect(() => parseDay(text)).toThrow(new RangeError(`"${text}" is not a calendar date of the form YYYY-MM-DD`));
  });
});

describe('days and instants', () => {
  test('a day holds exactly the instants from its start, for one day', () => {
    fc.assert(
      fc.property(instants, (ms) => {
        const day = dayOfMs(ms);
        expect(isDay(day)).toBe(true);
        expect(dayStartMs(day) <= ms && ms < dayStartMs(day) + DAY_MS).toBe(true);
        expect(dayStartMs(addDays(day, 1))).toBe(dayStartMs(day) + DAY_MS);
      }),
    );
  });

  test('addDays and countDays are inverse; days sort as texts do', () => {
    fc.assert(
      fc.property(days, fc.integer({ min: -40_000, max: 40_000 }), (day, count) => {
        const other = addDays(day, count);
        expect(addDays(other, -count)).toBe(day);
        expect(countDays(day, other)).toBe(count + 1);
        expect(other > day).toBe(count > 0);
      }),
    );
  });

  test('a range lists every day once, in order, over leap days and years', () => {
    expect(daysBetween(parseDay('2024-02-28'), parseDay('2024-03-01'))).toEqual([
      '2024-02-28',
      '2024-02-29',
      '2024-03-01',
    ]);
    const decade = daysBetween(parseDay('2015-01-01'), parseDay('2024-12-31'));
    expect(decade).toHaveLength(3_653);
    expect(decade).toEqual(decade.toSorted());
    expect(new Set(decade).size).toBe(3_653);
  });

  test('a range of one day has one, an inverted one none', () => {
    const day = parseDay('2025-09-01');
    expect(daysBetween(day, day)).toEqual([day]);
    expect(daysBetween(day, addDays(day, -1))).toEqual([]);
    expect(countDays(day, addDays(day, -3))).toBe(-2);
  });

  test('UDL-27, CDF-2: stamps drop what is below a second', () => {
    expect(compactStamp(Date.UTC(2025, 8, 4, 7, 8, 9, 999))).toBe('20250904T070809');
  });
});
