import { assert, integer, property } from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CATCH_UP_DAYS, checkIncrement, daysOfIncrement } from '../../../src/core/backfill/schedule.ts';
import type { Increment } from '../../../src/core/backfill/schedule.ts';
import type { Day } from '../../../src/core/time/day.ts';
import { addDays, countDays, DAY_MS, dayStartMs } from '../../../src/core/time/day.ts';

const at = (text: string): number => Date.parse(text);
const on = (increment: Increment, scheduled: string, started = scheduled) =>
  daysOfIncrement(increment, at(scheduled), at(started));

const WEEK: Increment = { kind: 'trailing', days: 7 };
const window = (delaySeconds: number, windowSeconds: number): Increment => ({
  kind: 'window',
  delaySeconds,
  windowSeconds,
});

describe('days of a scheduled run', () => {
  test('trailing: the last whole days before the scheduled time, never the day itself (SAFE-13)', () => {
    expect(on(WEEK, '2025-09-10T03:17:00Z')).toEqual({ first: '2025-09-03', last: '2025-09-09' });
    expect(on({ kind: 'trailing', days: 1 }, '2025-03-01T00:00:00Z')).toEqual({
      first: '2025-02-28',
      last: '2025-02-28',
    });
  });

  test('UDL-16: end = time − delay, start = end − window; the days that ended in between', () => {
    expect(on(window(7_200, 86_400), '2025-09-10T03:00:00Z')).toEqual({ first: '2025-09-09', last: '2025-09-09' });
    expect(on(window(7_200, 86_400), '2025-09-10T01:00:00Z')).toEqual({ first: '2025-09-08', last: '2025-09-08' });
    // Exactly a day's end, and a window of exactly a day: midnight counts once.
    expect(on(window(0, 86_400), '2025-09-10T00:00:00Z')).toEqual({ first: '2025-09-09', last: '2025-09-09' });
    expect(on(window(0, 172_800), '2025-09-10T12:00:00Z')).toEqual({ first: '2025-09-08', last: '2025-09-09' });
  });

  test('a run that starts late goes on to what is due at its start, so that runs left out are made up for', () => {
    expect(on(WEEK, '2025-09-10T03:17:00Z', '2025-09-13T09:00:00Z')).toEqual({
      first: '2025-09-03',
      last: '2025-09-12',
    });
    const { first, last } = on(WEEK, '2025-09-10T03:17:00Z', '2027-09-13T09:00:00Z')!;
    expect(countDays(first, last)).toBe(7 + CATCH_UP_DAYS);
  });

  test('for any window and time: exactly the days whose end lies in (start, end]', () => {
    assert(
      property(
        integer({ min: at('2000-01-01T00:00:00Z'), max: at('2099-01-01T00:00:00Z') }),
        integer({ min: 0, max: 30 * 86_400 }),
        integer({ min: 86_400, max: 20 * 86_400 }),
        (nowMs, delaySeconds, windowSeconds) => {
          const endMs = nowMs - delaySeconds * 1_000;
          const startMs = endMs - windowSeconds * 1_000;
          const days = daysOfIncrement(window(delaySeconds, windowSeconds), nowMs, nowMs);
          const endsIn = (day: Day): boolean => {
            const ends = dayStartMs(addDays(day, 1));
            return ends > startMs && ends <= endMs;
          };
          // A window of a day or more always holds a midnight.
          expect(days).not.toBeNull();
          const { first, last } = days!;
          expect([endsIn(addDays(first, -1)), endsIn(first), endsIn(last), endsIn(addDays(last, 1))]).toEqual([
            false,
            true,
            true,
            false,
          ]);
        },
      ),
    );
  });

  test('hourly windows of a day leave no day out, whenever they begin', () => {
    assert(
      property(integer({ min: 0, max: DAY_MS }), integer({ min: 0, max: 86_400 }), (offsetMs, delay) => {
        const begin = at('2025-09-01T00:00:00Z') + offsetMs;
        const seen = new Set<string>();
        for (let hour = 0; hour < 72; hour += 1) {
          const days = daysOfIncrement(window(delay, 86_400), begin + hour * 3_600_000, begin + hour * 3_600_000);
          if (days) seen.add(days.first).add(days.last);
        }
        const sorted = [...seen].toSorted();
        expect(countDays(sorted[0] as never, sorted.at(-1) as never)).toBe(sorted.length);
        expect(sorted.length).toBeGreaterThanOrEqual(3);
      }),
    );
  });

  test.each([
    [{ kind: 'trailing', days: 0 }, '--trailing-days is 0'],
    [{ kind: 'trailing', days: 367 }, '1 to 366'],
    [{ kind: 'window', delaySeconds: -1, windowSeconds: 86_400 }, '--delay is -1'],
    [{ kind: 'window', delaySeconds: 0, windowSeconds: 3_600 }, '--window is 3600: expected seconds, 86400 to'],
  ] as [Increment, string][])('%j is refused', (increment, text) => {
    expect(() => checkIncrement(increment)).toThrow(text);
  });
});
