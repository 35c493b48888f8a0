import * as fc from 'fast-check';
import { parse as parseCsv } from 'csv-parse/sync';
import { describe, expect, test } from 'vitest';
import { csvRow, parseJson, textMember } from '../../../../src/sources/udl/scan/parsed-record.ts';
import type { JsonRecord } from '../../../../src/sources/udl/scan/python-literal.ts';
import { plainly } from './plainly.ts';
import { START, scanBody } from './scan-body.ts';

const texts = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom('REACH-101', 'U', 'rad/second', '', 'DOSE1 (Flavor X) in rad/second', ' padded '),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      'a,b',
      "it's",
      'say "hi"',
      'back\\slash',
      'line\nbreak',
      'tab\t',
      'é',
      '😀',
      '\u007f',
      '{[',
      '],',
    ),
  },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 6 }).filter((text) => text.isWellFormed()) },
);
/** JSON texts of numbers; `JSON.stringify` would normalise them. */
const numbers = fc.constantFrom(
  '0',
  '-0',
  '1',
  '41917',
  '12345678901234567890',
  '0.0',
  '-63.3098145203956',
  '9.2e-05',
  '1E+31',
  '-1e+31',
  '5.8E-7',
);
const scalars = fc.oneof(
  { weight: 4, arbitrary: texts.map((text) => JSON.stringify(text)) },
  { weight: 4, arbitrary: numbers },
  { weight: 1, arbitrary: fc.constantFrom('null', 'true', 'false') },
);

type Style = 'compact' | 'python' | 'indented';
const GAPS: Record<Style, { item: string; key: string; open: string; close: string }> = {
  compact: { item: ',', key: ':', open: '', close: '' },
  python: { item: ', ', key: ': ', open: '', close: '' },
  indented: { item: ',\r\n\t', key: ' : ', open: '\n  ', close: '\n' },
};

const object = (members: readonly (readonly [string, string])[], style: Style): string => {
  const { item, key, open, close } = GAPS[style];
  return `{${open}${members.map(([name, value]) => JSON.stringify(name) + key + value).join(item)}${close}}`;
};
const list = (items: readonly string[], style: Style): string =>
  `[${GAPS[style].open}${items.join(GAPS[style].item)}${GAPS[style].close}]`;

const styles = fc.constantFrom<Style>('compact', 'compact', 'python', 'indented');

const recordTexts = (style: Style): fc.Arbitrary<string> =>
  fc
    .record({
      id: scalars,
      idSensor: fc.option(scalars, { nil: undefined }),
      observatoryName: fc.constantFrom('"Iridium-106"', '"Iridium-102"', 'null', '"elsewhere"'),
      lat: scalars,
      seconds: fc.integer({ min: -1, max: 300 }),
      fraction: fc.constantFrom('.000Z', '.500Z', 'Z', '.123456Z', '+00:00', ''),
      senPos: fc.array(numbers, { maxLength: 3 }),
      dose: fc.array(scalars, { maxLength: 3 }),
      elements: fc.integer({ min: 0, max: 2 }),
      extra: fc.option(
        fc.tuple(fc.constantFrom('updatedAt', 'quality', "o'key", 'schlüssel', 'q"key', '__proto__'), scalars),
        { nil: undefined, freq: 8 },
      ),
      reversed: fc.integer({ min: 0, max: 9 }).map((roll) => roll === 0),
    })
    .map(({ id, idSensor, observatoryName, lat, seconds, fraction, senPos, dose, elements, extra, reversed }) => {
      const time = new Date(START + seconds * 1_000).toISOString().slice(0, 19) + fraction;
      const element = object(
        [
          ['obDescription', dose[0] ?? '"DOSE2"'],
          ['obValue', dose[1] ?? '0.0'],
          ['obQuality', dose[2] ?? '"4"'],
        ],
        style,
      );
      const members: (readonly [string, string])[] = [
        ['id', id],
        ...(idSensor === undefined ? [] : [['idSensor', idSensor] as const]),
        ['observatoryName', observatoryName],
        ['lat', lat],
        ['senPos', list(senPos, style)],
        ['obTime', JSON.stringify(time)],
        [
          'seoList',
          list(
            Array.from({ length: elements }, () => element),
            style,
          ),
        ],
        ['one', object([['only', id]], style)],
        ...(extra === undefined ? [] : [extra]),
        ['source', '"Aerospace"'],
      ];
      return object(reversed ? members.toReversed() : members, style);
    });

const bodies = styles.chain((style) =>
  fc
    .array(recordTexts(style), { minLength: 1, maxLength: 30 })
    .map((records) => ({ body: list(records, style), style })),
);

describe.for(['csv', 'json'] as const)(
  'UDL-D2, UDL-D10: scanning %s writes and counts what JSON.parse would',
  (format) => {
    test('with reordered, missing and extra keys, escapes, unicode, white space, nested values, times outside', () => {
      fc.assert(
        fc.property(bodies, ({ body }) => {
          const { parsed: _parsed, ...scanned } = scanBody(body, { format });
          expect(scanned).toEqual(plainly(body, format));
        }),
        { numRuns: 150 },
      );
    });
  },
);

test('UDL-D2: every row has a cell for every column, whatever its record has', () => {
  fc.assert(
    fc.property(bodies, ({ body }) => {
      const { columns, text, counts } = scanBody(body);
      const header = csvRow(columns);
      const plain = (parseJson(body) as readonly JsonRecord[]).map((record) => textMember(record, 'obTime'));
      const times = readColumn(header + text, 'obTime');
      expect(times).toHaveLength(counts.records);
      for (const time of times) expect(plain).toContain(time);
    }),
    { numRuns: 60 },
  );
});

test('records of one shape are copied: only the first goes through JSON.parse', () => {
  const record = (second: number): string =>
    `{"id":"a-${second}","obTime":"2025-12-01T00:00:${String(second).padStart(2, '0')}.000Z","lat":-1.5e-3,"seoList":[{"obValue":0.0}]}`;
  const body = `[${Array.from({ length: 50 }, (_, second) => record(second)).join(',')}]`;
  expect(scanBody(body)).toMatchObject({ received: 50, parsed: 1 });
});

test('a second shape is learnt too: records without idSensor are copied from the second one on', () => {
  const record = (index: number): string =>
    `{"id":"${index}",${index % 2 === 0 ? '"idSensor":"REACH-101",' : ''}"obTime":"2025-12-01T00:00:00.000Z"}`;
  const body = `[${Array.from({ length: 40 }, (_, index) => record(index)).join(',')}]`;
  expect(scanBody(body)).toMatchObject({ received: 40, parsed: 2, columns: ['id', 'idSensor', 'obTime'] });
});

/** A column read back by an independent reader. */
function readColumn(csv: string, name: string): string[] {
  const rows: Record<string, string>[] = parseCsv(csv, { columns: true });
  return rows.map((row) => row[name] ?? '');
}
