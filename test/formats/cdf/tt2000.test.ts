/** UTC and TT2000 (cdf-format.md §6, CDF-15). */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  FormatError,
  LEAP_SECONDS,
  LEAP_SECONDS_UPDATED,
  posixMicrosToTt2000,
  posixMillisToTt2000,
  tt2000ToUtc,
  utcToTt2000,
} from '../../../src/formats/cdf/index.ts';

const KNOWN = [
  ['1972-01-01T00:00:00Z', -883655957816000000n],
  ['1981-07-01T00:00:00Z', -583934347816000000n],
  ['1999-12-31T23:59:59Z', -43136816000000n],
  ['2000-01-01T12:00:00Z', 64184000000n],
  ['2012-07-01T00:00:00Z', 394372867184000000n],
  ['2016-12-31T23:59:59Z', 536500867184000000n],
  ['2016-12-31T23:59:60Z', 536500868184000000n],
  ['2016-12-31T23:59:60.999999999Z', 536500869183999999n],
  ['2017-01-01T00:00:00Z', 536500869184000000n],
  ['2025-09-04T00:00:00Z', 810216069184000000n],
  ['2025-09-04T00:00:00.123456789Z', 810216069307456789n],
  ['2026-01-01T00:00:00Z', 820497669184000000n],
  ['2292-04-11T11:46:07.670775807Z', 2n ** 63n - 1n],
] as const;

describe('CDF-15: UTC text and TT2000', () => {
  test.for(KNOWN)('%s is %s', ([text, tt2000]) => {
    expect(utcToTt2000(text)).toBe(tt2000);
    expect(tt2000ToUtc(tt2000)).toBe(text.includes('.') ? text : text.replace('Z', '.000000000Z'));
  });

  test.for([
    ['2025-09-04T00:00:00', 810216069184000000n],
    ['2025-09-04T00:00:00.5', 810216069684000000n],
    ['2025-09-04T00:00:00.000001Z', 810216069184001000n],
  ] as const)('reads %s, without Z or with fewer digits', ([text, tt2000]) => {
    expect(utcToTt2000(text)).toBe(tt2000);
  });

  test.for([
    ['before leap seconds', '1971-12-31T23:59:59Z'],
    ['before 1972, long ago', '1900-01-01T00:00:00Z'],
    ['past the last nanosecond', '2292-04-11T11:46:07.670775808Z'],
    ['after 2292', '2300-01-01T00:00:00Z'],
    ['second 60 on a day without', '2025-06-30T23:59:60Z'],
    ['second 60 in another minute', '2016-12-31T23:58:60Z'],
    ['second 60 before the first offset', '1971-12-31T23:59:60Z'],
    ['second 61', '2016-12-31T23:59:61Z'],
    ['a day that does not exist', '2025-02-29T00:00:00Z'],
    ['hour 24', '2025-01-01T24:00:00Z'],
    ['minute 60', '2025-01-01T00:60:00Z'],
    ['month 13', '2025-13-01T00:00:00Z'],
    ['ten digits', '2025-01-01T00:00:00.1234567890Z'],
    ['an offset', '2025-01-01T00:00:00+00:00'],
    ['a date alone', '2025-01-01'],
    ['no text', ''],
  ])('refuses %s', ([, text]) => {
    expect(() => utcToTt2000(text!)).toThrow(expect.objectContaining({ kind: 'time_invalid', got: text }));
  });

  test('shows fill and pad as other CDF tools do, and refuses what lies before 1972', () => {
    expect(tt2000ToUtc(-(2n ** 63n))).toBe('9999-12-31T23:59:59.999999999Z');
    expect(tt2000ToUtc(-(2n ** 63n) + 1n)).toBe('0000-01-01T00:00:00.000000000Z');
    expect(() => tt2000ToUtc(-883655957816000001n)).toThrow(FormatError);
  });

  test('cuts the fraction to the digits asked for', () => {
    const tt2000 = utcToTt2000('2025-09-04T00:00:00.987654321Z');
    expect(([0, 3, 6, 9] as const).map((digits) => tt2000ToUtc(tt2000, digits).slice(19))).toEqual([
      'Z',
      '.987Z',
      '.987654Z',
      '.987654321Z',
    ]);
  });

  test('every nanosecond count from 1972 to 2292 comes back from its text', () => {
    const nanoseconds = fc.bigInt({ min: -883655957816000000n, max: 2n ** 63n - 1n });
    fc.assert(
      fc.property(nanoseconds, (tt2000) => {
        expect(utcToTt2000(tt2000ToUtc(tt2000))).toBe(tt2000);
      }),
      { numRuns: 2000 },
    );
  });

  test('the table is that of 2017-01-01: 28 offsets, each one second more', () => {
    expect(LEAP_SECONDS_UPDATED).toBe(20170101);
    expect(LEAP_SECONDS.map(({ taiMinusUtc }) => taiMinusUtc)).toEqual(Array.from({ length: 28 }, (_, i) => 10 + i));
    expect(LEAP_SECONDS.at(-1)?.day).toBe('2017-01-01');
  });
});

describe('the fast path for arrays of POSIX times equals the exact one', () => {
  const firstMs = Date.UTC(1972, 0, 1);
  const lastMs = Date.UTC(2292, 3, 11);
  const edges = LEAP_SECONDS.flatMap(({ day }) => [-1, 0, 1].map((ms) => Date.parse(`${day}T00:00:00Z`) + ms)).slice(1);

  test('milliseconds, around every leap second', () => {
    const expected = edges.map((ms) => utcToTt2000(new Date(ms).toISOString()));
    expect([...posixMillisToTt2000(edges)]).toEqual(expected);
    expect([...posixMillisToTt2000(edges.toReversed())]).toEqual(expected.toReversed());
  });

  test('milliseconds, anywhere and in any order', () => {
    const times = fc.array(fc.integer({ min: firstMs, max: lastMs }), { maxLength: 20 });
    fc.assert(
      fc.property(times, (millis) => {
        const expected = millis.map((ms) => utcToTt2000(new Date(ms).toISOString()));
        expect([...posixMillisToTt2000(Float64Array.from(millis))]).toEqual(expected);
      }),
      { numRuns: 300 },
    );
  });

  test('microseconds', () => {
    const lastExact = Math.floor(Number.MAX_SAFE_INTEGER / 1000) - 1; // in the year 2255
    const time = fc.tuple(fc.integer({ min: firstMs, max: lastExact }), fc.integer({ min: 0, max: 999 }));
    fc.assert(
      fc.property(fc.array(time, { maxLength: 20 }), (times) => {
        const micros = times.map(([ms, us]) => ms * 1000 + us);
        const expected = times.map(([ms, us]) =>
          utcToTt2000(new Date(ms).toISOString().replace('Z', `${String(us).padStart(3, '0')}Z`)),
        );
        expect([...posixMicrosToTt2000(micros)]).toEqual(expected);
      }),
      { numRuns: 300 },
    );
  });

  test.for([
    ['before 1972', firstMs - 1],
    ['after 2292', Date.UTC(2293, 0, 1)],
    ['a fraction of a millisecond', firstMs + 0.5],
    ['not a number', Number.NaN],
    ['infinite', Infinity],
  ] as const)('refuses %s', ([, ms]) => {
    expect(() => posixMillisToTt2000([firstMs, ms])).toThrow(
      expect.objectContaining({ kind: 'time_invalid', got: `${ms}` }),
    );
  });

  test('refuses microseconds that no double holds exactly', () => {
    expect(() => posixMicrosToTt2000([2 ** 53])).toThrow(expect.objectContaining({ kind: 'time_invalid' }));
  });
});
