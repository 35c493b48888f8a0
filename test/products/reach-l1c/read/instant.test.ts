import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { newByteLoops } from '../../../../src/products/reach-l1c/read/byte-loops.ts';
import { instantStamp, instantToTt2000, parseInstant } from '../../../../src/products/reach-l1c/read/instant.ts';
import { InstantTextReader } from '../../../../src/products/reach-l1c/read/instant-text.ts';

const loops = newByteLoops(64, () => 0);

/** NaN when it is left to the general way. */
function readBytes(text: string): number {
  const bytes = Buffer.from(loops.memory.buffer, loops.INPUT.value, 64);
  bytes[bytes.write(text, 'latin1')] = 0;
  const end = loops.readInstant(loops.INPUT.value, 0, loops.NUMBERS.value);
  const [instant] = new Float64Array(loops.memory.buffer, loops.NUMBERS.value, 1);
  return end === loops.INPUT.value + text.length ? instant! : NaN;
}

describe('CDF-15: UTC to TT2000', () => {
  test.for<[utc: string, tt2000: bigint]>([
    ['1999-12-31T23:59:59', -43136816000000n],
    ['2000-01-01T12:00:00', 64184000000n],
    ['2016-12-31T23:59:60', 536500868184000000n],
    ['2017-01-01T00:00:00', 536500869184000000n],
    ['2025-09-04T00:00:00', 810216069184000000n],
    ['2026-01-01T00:00:00', 820497669184000000n],
    ['2025-09-04T00:00:00.123456789Z', 810216069307456000n],
  ])('%s is %s, digits below the microsecond cut off', ([utc, tt2000]) => {
    expect(instantToTt2000(parseInstant(utc))).toBe(tt2000);
  });
});

describe('CDF-D12, CDF-D13: one moment is one instant, however it is written', () => {
  const moment = parseInstant('2026-01-01T00:00:00.500Z');

  test.for([
    '2026-01-01T00:00:00.5Z', '2026-01-01T00:00:00.500', '2026-01-01T00:00:00.500000Z', '2026-01-01T00:00:00.500000999Z',
    '2026-01-01T00:00:00,5Z', '2026-01-01 00:00:00.5', '2026-01-01t00:00:00.5z', ' 2026-01-01T00:00:00.5Z ',
    '2026-01-01T00:00:00.5+00:00', '2026-01-01T00:00:00.5-0000', '2026-01-01T00:00:00.5+00', '2026-01-01T05:30:00.5+05:30',
    '2025-12-31T19:00:00.5-05:00', '2025-12-31T19:00:00.5-05', '20260101T000000.5Z', '20260101T010000.5+0100',
  ])('%s', (text) => {
    expect(parseInstant(text)).toBe(moment);
  }); // prettier-ignore

  test('without seconds or time of day', () => {
    const midnight = parseInstant('2026-01-01T00:00:00Z');
    for (const text of ['2026-01-01', '2026-01-01T00:00', '2026-01-01T00:00Z', '20260101T0000'])
      expect(parseInstant(text)).toBe(midnight);
  });

  test('a leap second in another time zone is the same leap second', () => {
    expect(parseInstant('2017-01-01T05:29:60+05:30')).toBe(parseInstant('2016-12-31T23:59:60Z'));
  });
});

test.for([
  '', 'yesterday', '2026-02-29T00:00:00Z', '2026-13-01T00:00:00Z', '2026-01-01T25:00:00Z', '2026-01-01T00:60:00Z',
  '2026-01-01T00:00:60Z', '2026-01-01T00:00:61Z', '2026-01-01T00:00:00.Z', '2026-01-01T00:00:00+24:00', '26-01-01T00:00:00Z',
  '1971-12-31T23:59:59Z', '2026-01-01T00:00:00ZZ', '2026-01-01T', '1767225600', '2026-W01-1',
])('"%s" is no instant', (text) => {
  expect(parseInstant(text)).toBeNaN();
  expect(readBytes(text)).toBeNaN();
}); // prettier-ignore

test('the byte reader gives the same instant, or leaves the text to the general one', () => {
  const ofText = new InstantTextReader();
  const date = fc.date({ min: new Date('1972-01-01'), max: new Date('2200-01-01'), noInvalidDate: true });
  const fraction = fc.option(fc.stringMatching(/^\d{1,9}$/));
  let understood = 0;
  fc.assert(
    fc.property(date, fraction, fc.constantFrom('Z', '', '+00:00'), (moment, digits, zone) => {
      const text = `${moment.toISOString().slice(0, 19)}${digits === null ? '' : `.${digits}`}${zone}`;
      if (zone === 'Z') understood++;
      expect(ofText.read(text)).toBe(parseInstant(text));
      // The second time the date is known.
      expect(readBytes(text)).toBe(zone === 'Z' ? parseInstant(text) : NaN);
      expect(readBytes(text)).toBe(zone === 'Z' ? parseInstant(text) : NaN);
    }),
    { numRuns: 2000 },
  );
  expect(understood).toBeGreaterThan(100);
});

test('of a date that is known, every time of day is read to the millisecond, and nothing that is none', () => {
  const midnight = readBytes('2026-01-01T00:00:00Z');
  const part = (of: number) => fc.integer({ min: 0, max: of });
  fc.assert(
    fc.property(part(29), part(69), part(69), part(999), (hour, minute, second, millis) => {
      const two = (value: number) => String(value).padStart(2, '0');
      const text = `2026-01-01T${two(hour)}:${two(minute)}:${two(second)}.${String(millis).padStart(3, '0')}Z`;
      const isTime = hour < 24 && minute < 60 && second < 60;
      const expected = midnight + (((hour * 60 + minute) * 60 + second) * 1_000 + millis) * 1_000;
      expect(readBytes(text)).toBe(isTime ? expected : NaN);
    }),
    { numRuns: 2000 },
  );
  const good = '2026-01-01T12:34:56.789Z';
  for (let i = 0; i < good.length; i++) {
    for (const other of ['x', ':', '/', ' ', '\0', '.', '-'].filter((sign) => sign !== good[i])) {
      expect(readBytes(good)).toBe(parseInstant(good));
      expect(readBytes(good.slice(0, i) + other + good.slice(i + 1))).toBeNaN();
    }
  }
});

test('a character whose lower byte is a digit is no digit', () => {
  expect(new InstantTextReader().read('202\u01316-01-01T00:00:00Z')).toBeNaN();
  expect(new InstantTextReader().read('2026-01-01T00:00:0\u0131Z')).toBeNaN();
});

test('CDF-2: the stamp drops sub-seconds and can name a leap second', () => {
  expect(instantStamp(parseInstant('2025-12-01T07:00:10.999Z'))).toBe('20251201T070010');
  expect(instantStamp(parseInstant('2016-12-31T23:59:60.5Z'))).toBe('20161231T235960');
});
