/** The loop in WebAssembly at its edges, held to the general way: everything is compared with `JSON.parse` of the whole. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ArtifactFormat } from '../../../../src/core/product.ts';
import { RecycledBuffer, ownMemory } from '../../../../src/sources/udl/recycled-buffer.ts';
import { parseObTime } from '../../../../src/sources/udl/scan/ob-time.ts';
import { isRecord, parseJson, textMember } from '../../../../src/sources/udl/scan/parsed-record.ts';
import type { JsonValue } from '../../../../src/sources/udl/scan/python-literal.ts';
import { PayloadError, RecordScanner } from '../../../../src/sources/udl/scan/record-scanner.ts';
import { plainly } from './plainly.ts';
import { SLICE, scanBody } from './scan-body.ts';

const TIME = '"obTime":"2025-12-01T00:00:00.000Z"';
const list = (records: readonly string[]): string => `[${records.join(',')}]`;
/** Numbers from 0 up to and without `count`. */
const upTo = (count: number): number[] => [...Array.from({ length: count }).keys()];

/** Compares, and says how many records were not copied. */
function parsedOf(body: string, format: ArtifactFormat = 'csv'): number {
  const { parsed, ...scanned } = scanBody(body, { format });
  expect(scanned).toEqual(plainly(body, format));
  return parsed;
}

describe.for(['csv', 'json'] as const)(
  'UDL-D2: what the loop copies to %s is what JSON.parse would write',
  (format) => {
    test('texts of 0 to 40 bytes at every alignment', () => {
      const records = upTo(41).flatMap((bytes) =>
        upTo(16).map(
          (before) => `{"a":"${'-'.repeat(before)}","b":"${'x'.repeat(bytes)}",${TIME},"c":[{"d":"y"},"z"]}`,
        ),
      );
      expect(parsedOf(list(records), format)).toBe(1);
    });

    test('numbers in every form at every alignment, up to 40 digits', () => {
      const digits = upTo(41).slice(1);
      const forms = ['0', '-0', '7', '-7', '0.0', '-0.5', '1e5', '1E5', '0e0', '-1.25e+31', '9.2E-05', '10.0e10'];
      const numbers = [
        ...forms,
        ...digits.map((count) => '1'.repeat(count)),
        ...digits.map((count) => `-${'9'.repeat(count)}`),
        ...digits.map((count) => `0.${'3'.repeat(count)}`),
        ...digits.map((count) => `${'8'.repeat(count)}.${'3'.repeat(41 - count)}`),
        ...digits.map((count) => `-1.${'3'.repeat(count)}e-${count}`),
      ];
      const records = numbers.flatMap((number) =>
        upTo(16).map((before) => `{"a":"${'-'.repeat(before)}","b":${number},${TIME},"c":[1,{"d":${number}}]}`),
      );
      expect(parsedOf(list(records), format)).toBe(1);
    });

    test('null, true, false, a text and a number in turn, in a cell, in a list, in an object', () => {
      const values = ['1', 'null', 'true', 'false', '"text"', '""', '-0.5'];
      const records = values.flatMap((one) =>
        values.flatMap((other) =>
          values.map((last) => `{"a":${one},${TIME},"b":[${other},${last}],"c":{"d":${other}},"e":${last}}`),
        ),
      );
      expect(parsedOf(list(records), format)).toBe(1);
    });

    test('one text with a stop at each place, which sends its record the general way', () => {
      const stops = [',', "'", '\\"', '\\\\', '\\n', '\\u0000', '\u007f', '\u0080', 'é', '😀'];
      const records = stops.flatMap((stop) =>
        upTo(40).map((place) => {
          const text = 'x'.repeat(place) + stop + 'x'.repeat(39 - place);
          return `{"a":"${text}","b":["${text}"],"c":["${text}",1],${TIME}}`;
        }),
      );
      const body = list(records);
      // In JSON neither a comma nor an apostrophe is one.
      const copied = format === 'json' ? 80 : 0;
      expect(parsedOf(body, format)).toBe(format === 'json' ? records.length - copied + 1 : records.length);
    });

    test('more of an answer than the loop holds at once: records of every length around its end', () => {
      const records = upTo(3_000).map((index) => `{"a":"${'x'.repeat(index % 211)}","b":${index},${TIME}}`);
      expect(parsedOf(list(records), format)).toBe(1);
    });

    test('records that are long, and longer than what the loop holds at once', () => {
      const bytes = [10, 9_000, 20, 15_000, 15_900, 40_000, 200, 131_000, 140_000, 300_000, 30];
      const records = upTo(6).flatMap(() => bytes.map((count) => `{"a":"${'x'.repeat(count)}",${TIME}}`));
      const long = records.filter((record) => record.length > 16_384);
      expect(parsedOf(list(records), format)).toBeLessThanOrEqual(1 + long.length);
    });

    test('six shapes mixed, of which four are known', () => {
      const shapes = ['"a":1', '"b":2', '"a":1,"b":2', '"b":2,"c":[1]', '"c":[1,2]', '"c":{"d":3}'];
      const records = upTo(2_000).map((index) => `{${TIME},${shapes[(index * index + (index >> 3)) % shapes.length]}}`);
      const known = new Set<string>();
      const others = records.filter((record) => {
        const shape = record.replaceAll(/:[123]/g, '');
        if (known.size < 4) known.add(shape);
        return !known.has(shape);
      });
      // In CSV the first two once more: the second one brings a column.
      expect(parsedOf(list(records), format)).toBe((format === 'csv' ? 6 : 4) + others.length);
    });

    test('more sensors and descriptions than it remembers, long ones, blank ones and none', () => {
      const records = upTo(2_000).map((index) => {
        const name = `${'long'.repeat(index % 20)}${index % 700}`;
        const sensor = ['', ' ', ` ${name}`, `${name} `][index % 9] ?? name;
        const value = index % 13 === 0 ? 'null' : JSON.stringify(sensor);
        const observatory = ['"Iridium-106"', '"Iridium-102"', 'null'][index % 3];
        return `{"idSensor":${value},"observatoryName":${observatory},${TIME},"seoList":[{"obDescription":${index % 17 === 0 ? 1 : `"${name}"`}}]}`;
      });
      expect(parsedOf(list(records), format)).toBe(1);
    });

    test('times outside the slice come and go', () => {
      const records = upTo(1_500).map((index) => {
        const second = [0, 0, 59, 60 + (index % 7)][(index * 7 + (index >> 2)) % 4]!;
        const time = new Date(SLICE.startMs + (second >= 60 ? -1 : second) * 1_000).toISOString();
        return `{"a":${index},"obTime":"${time}"}`;
      });
      // The general way alone sees records until the first one that is kept.
      expect(parsedOf(list(records), format)).toBe(1);
    });
  },
);

test('UDL-D2: rows may be longer than their records: 2,000 empty cells for each', () => {
  const many = upTo(2_000).map((index) => `"column${index}":${index}`);
  const records = upTo(300).map((index) => `{"column${index % 3}":"x",${TIME}}`);
  expect(parsedOf(list([`{${many.join(',')},${TIME}}`, ...records]))).toBe(4);
});

test('UDL-D2: a shape that is too large to be learnt goes the general way', () => {
  const many = upTo(3_000).map((index) => `"column${index}":${index}`);
  expect(parsedOf(list(upTo(3).map(() => `{${many.join(',')},${TIME}}`)))).toBe(3);
});

test('scanners that take turns in one thread do not see each other', () => {
  const bodies = ['sensor', 'other'].map((name) =>
    list(upTo(900).map((index) => `{"idSensor":"${name}-${index % 40}","${name}":${index},${TIME}}`)),
  );
  const scanners = bodies.map((body) => {
    const source = new RecycledBuffer(ownMemory);
    source.append(Buffer.from(body));
    const out = new RecycledBuffer(ownMemory);
    return { out, scanner: new RecordScanner(source, out, SLICE, 'csv') };
  });
  while (scanners.map(({ scanner }) => scanner.step(11)).includes(false));
  for (const [index, { out, scanner }] of scanners.entries()) {
    const { parsed, ...result } = scanner.result();
    expect({ ...result, text: Buffer.from(out.view()).toString() }).toEqual(plainly(bodies[index]!, 'csv'));
    expect(parsed).toBe(1);
  }
});

test.for(['""', '"soon"', '"2025-12-01"', 'null', '17', '["2025-12-01T00:00:00Z"]'])(
  'a record with the obTime %s behind others is never data',
  (time) => {
    const right = `{"a":1,${TIME}}`;
    for (const before of [1, 2, 8, 9]) {
      const records = [...upTo(before).map(() => right), `{"a":1,"obTime":${time}}`, right];
      expect(() => scanBody(list(records))).toThrow(new RegExp(`record ${before + 1} `));
    }
  },
);

describe('design §3: what is no JSON is never data', () => {
  const record = `{"id":"x-1","n":-12.5e-3,"keys":[true,false,null,0],${TIME},"seoList":[{"obDescription":"DOSE1 (Flavor X)"}]}`;

  test('an answer that ends at any offset', () => {
    const whole = list([record, record, record]);
    for (const end of upTo(whole.length)) expect(() => scanBody(whole.slice(0, end))).toThrow(PayloadError);
    expect(parsedOf(whole)).toBe(1);
  });

  test('each byte at some places of a text', () => {
    const whole = Buffer.from(list([record, record.replace('x-1', 'x'.repeat(40)), record]));
    const text = whole.indexOf('xxx');
    for (const byte of upTo(256)) {
      for (const place of [0, 15, 16, 39]) {
        const body = Buffer.from(whole);
        body[text + place] = byte;
        const { scanned, plain } = bothWays(body);
        expect(scanned).toEqual(plain);
      }
    }
  });

  test.for(
    [
      '01',
      '-',
      '00',
      '-01',
      '1.',
      '.5',
      '-.5',
      '1.e5',
      '1e',
      '1e+',
      '1e5.5',
      '+1',
      '--1',
      '1.2.3',
      '0x10',
      '1-',
      '1+1',
    ].concat([
      'NaN',
      'Infinity',
      'nul',
      'nulL',
      'truE',
      'nullx',
      'fals',
      'falsy',
      'True',
      '1 2',
      '"',
      '',
      '.',
      'e5',
      '1'.repeat(40) + '.',
    ]),
  )('"%s" for a number, in the first and in a later record', (wrong) => {
    for (const records of [[0], [1, 0], [1, 1, 0]]) {
      const body = list(records.map((right) => `{"a":${right === 1 ? '1' : wrong},${TIME}}`));
      expect(() => scanBody(body)).toThrow(PayloadError);
    }
  });

  test('whatever bytes of an answer are others: the same data, or none', () => {
    const whole = Buffer.from(list([record, record, record.replace('X', 'Y'), record]));
    const changes = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.oneof(fc.nat(255), jsonBytes)), {
      minLength: 1,
      maxLength: 3,
    });
    fc.assert(
      fc.property(changes, (places) => {
        const body = Buffer.from(whole);
        for (const [place, byte] of places) body[place] = byte;
        const { scanned, plain } = bothWays(body);
        expect(scanned).toEqual(plain);
      }),
      { numRuns: 1_500 },
    );
  });
});

const jsonBytes = fc.constantFrom(...Buffer.from('{}[]",:\\\' \n\t0123456789eE+-.tfnul'));

/** What both ways find in an answer, null for no data. */
function bothWays(body: Buffer): { scanned: object | null; plain: object | null } {
  const text = textOfData(body);
  const plain = text === null ? null : plainly(text, 'csv');
  try {
    const { parsed: _parsed, ...scanned } = scanBody(body);
    return { scanned, plain };
  } catch (error) {
    if (!(error instanceof PayloadError)) throw error;
    return { scanned: null, plain };
  }
}

/** The answer's text; null when it is no list of records with times, or none of these is near what was asked for. */
function textOfData(body: Buffer): string | null {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body);
    const records = parseJson(text);
    if (!Array.isArray(records)) return null;
    const times = records.map((record: JsonValue) =>
      parseObTime((isRecord(record) ? textMember(record, 'obTime') : null) ?? ''),
    );
    const near = times.filter((ms) => ms >= SLICE.queryStartMs - 1_000 && ms <= SLICE.queryEndMs + 1_000);
    return times.some(Number.isNaN) || near.length === 0 ? null : text;
  } catch {
    return null;
  }
}
