import { readFileSync } from 'node:fs';
import { parse } from 'csv-parse/sync';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CsvReader } from '../../../../src/products/reach-l1c/read/csv-reader.ts';
import { Vocabulary } from '../../../../src/products/reach-l1c/read/dictionary.ts';
import { interpretRecord } from '../../../../src/products/reach-l1c/read/interpret.ts';
import { PlainRowReader } from '../../../../src/products/reach-l1c/read/plain-rows.ts';
import { CREATED_AT, NEEDED_FIELDS, OB_TIME, OB_VALUE, Row } from '../../../../src/products/reach-l1c/read/row.ts';
import type { NeededField, RecordFields } from '../../../../src/products/reach-l1c/read/row.ts';
import { CSV_SAMPLE, goodRecords, nestedText, record, toCsv } from '../support.ts';
import { feed, RecordingConsumer } from './recording.ts';

function read(content: Buffer | string, chunkBytes?: number, bufferBytes?: number): RecordingConsumer {
  const consumer = new RecordingConsumer();
  feed(new CsvReader(consumer), Buffer.from(content), chunkBytes, bufferBytes);
  return consumer;
}

/** The same file through `csv-parse` as a whole and the general interpretation alone. */
function readGenerally(content: string): RecordingConsumer {
  const consumer = new RecordingConsumer();
  const options = { bom: true, columns: true as const, record_delimiter: ['\r\n', '\n'], skip_empty_lines: true };
  const row = new Row();
  for (const fields of parse<RecordFields>(content, options)) interpretRecord(fields, row, consumer);
  return consumer;
}

const FIELDS = [...NEEDED_FIELDS, 'extra', 'more', 'further'] as const;

const notation = fc.constantFrom('python' as const, 'json' as const);
const nested = (value: fc.Arbitrary<unknown>): fc.Arbitrary<string> =>
  fc.tuple(value, notation).map(([content, how]) => nestedText(content, how));
const double = fc.double({ noDefaultInfinity: true, noNaN: true });
const numberText = fc.oneof(double.map(String), fc.constantFrom('0.0', '-0.0', '1e5', '-1e+31', '1E-7', ''));

/** A reading with keys in any order; as the source sends it. */
const goodReading = fc.record({
  obType: fc.constantFrom('Energetic Charged Particle', 'a, b'),
  obValue: fc.oneof(double, fc.constantFrom(0, -1e31, 5e-7, null)),
  obQuality: fc.constantFrom('0', '16', '4.0', null, 4),
  obDescription: fc.constantFrom('DOSE1 (Flavor X) in rad/second', 'DOSE2 (Flavor U) in rad/second', 'é'),
});
/** One key of it missing, or with a value it should not have. */
const oddReading = fc
  .tuple(
    goodReading,
    fc.constantFrom('obType', 'obValue', 'obQuality', 'obDescription'),
    fc.constantFrom(undefined, null, '', 'text', 1, true, [1], "it's", 'a "b"', '\\'),
  )
  .map(([fields, key, value]) =>
    Object.fromEntries(Object.entries({ ...fields, [key]: value }).filter((entry) => entry[1] !== undefined)),
  );
const shuffled = (value: fc.Arbitrary<object>): fc.Arbitrary<object> =>
  value.chain((fields) =>
    fc
      .shuffledSubarray(Object.entries(fields), { minLength: Object.keys(fields).length })
      .map((entries) => Object.fromEntries(entries)),
  );

const extra = fc.constantFrom('', 'plain', 'a, b', '2025-09-01T02:30:05.986Z');
const oddExtra = fc.constantFrom('two\nlines', 'two\r\nlines', 'a "quoted" word', '"');

const plainRow = fc.record({
  idSensor: fc.constantFrom('REACH-101', 'REACH-105', 'REACH-TEST', ''),
  observatoryName: fc.constantFrom('Iridium-102', 'Iridium-106', 'Hubble', ''),
  obTime: fc.constantFrom('2026-01-01T00:00:00.000Z', '2026-01-01T00:00:05Z', '2026-01-02T00:00:05.123456Z'),
  createdAt: fc.constantFrom('2026-01-01T00:00:00.000Z', '2025-12-31T23:59:59.999999999Z', ''),
  seoList: nested(fc.tuple(shuffled(goodReading))),
  senPos: nested(fc.tuple(double, double, double)),
  lat: numberText,
  lon: numberText,
  alt: numberText,
  descriptor: fc.constantFrom('QUICKLOOK', 'PROVISIONAL'),
  extra,
  more: extra,
  further: extra,
});
const oddTime = fc.constantFrom(
  '2026-01-01T00:00:05+00:00',
  '2026-01-01 00:00:05',
  '2016-12-31T23:59:60.000Z',
  '2026-01-01T24:00:00Z',
  '2026-01-01T00:00:60Z',
  '',
  'soon',
  'null',
);
const oddNumber = fc.constantFrom('None', 'abc', '1e999', ' 5.5 ', 'NaN', '1,5', '0x10', '"');
const oddRow: fc.Arbitrary<Record<(typeof FIELDS)[number], string>> = fc.record({
  idSensor: fc.constantFrom('None', ' REACH-102 ', 'a "b"', 'two\nlines'),
  observatoryName: fc.constantFrom('null', ' Iridium-102', 'é'),
  obTime: oddTime,
  createdAt: oddTime,
  seoList: fc.oneof(
    nested(fc.tuple(shuffled(oddReading))),
    nested(fc.array(goodReading, { maxLength: 3 })),
    fc.constantFrom('', '[]', 'None', '{}', '[1]', "[{'obValue': 1", 'text', "[{'obValue': 1}] x"),
  ),
  senPos: fc.oneof(
    nested(fc.array(fc.oneof(double, fc.constantFrom(null, 'text', 1)), { maxLength: 4 })),
    fc.constantFrom(
      '',
      '[1, 2]',
      'None',
      '[1, 2, nan]',
      '[1,2,3]',
      '[ 1 , 2 , 3 ]',
      '[1, 2, 3] x',
      '[1, 2, 1e999]',
      '[1, 2, 3,]',
    ),
  ),
  lat: oddNumber,
  lon: oddNumber,
  alt: oddNumber,
  descriptor: fc.constantFrom('', ' QUICKLOOK', 'None'),
  extra: oddExtra,
  more: oddExtra,
  further: oddExtra,
});
/** What a source sends, but for two fields at most. */
const csvRow = fc
  .tuple(plainRow, oddRow, fc.subarray([...FIELDS], { maxLength: 2 }))
  .map(([plain, odd, names]) => ({ ...plain, ...Object.fromEntries(names.map((name) => [name, odd[name]])) }));
const csvFile = fc
  .record({
    columns: fc.shuffledSubarray([...FIELDS], { minLength: FIELDS.length }),
    rows: fc.array(csvRow, { maxLength: 12 }),
    lineEnd: fc.constantFrom('\n', '\r\n'),
    mark: fc.constantFrom('', '\uFEFF'),
    finalLineEnd: fc.boolean(),
    quoteAll: fc.boolean(),
  })
  .map(({ columns, rows, lineEnd, mark, finalLineEnd, quoteAll }) => {
    const quoted = (text: string): string =>
      quoteAll || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
    const lines = [columns.join(','), ...rows.map((row) => columns.map((name) => quoted(row[name])).join(','))];
    return mark + lines.join(lineEnd) + (finalLineEnd ? lineEnd : '');
  });

describe('UDL-31: the fast way and the general way', () => {
  test('say the same of any file, wherever the chunks are cut', () => {
    fc.assert(
      fc.property(csvFile, fc.integer({ min: 1, max: 3000 }), (content, chunkBytes) => {
        expect(read(content, chunkBytes).told).toEqual(readGenerally(content).told);
      }),
      { numRuns: 1000 },
    );
  });

  test.for([
    ['the CSV sample', readFileSync(CSV_SAMPLE, 'utf8')],
    ['Python cells, CRLF', toCsv(goodRecords(20), 'python', '\r\n')],
    ['JSON cells, LF', toCsv(goodRecords(20), 'json', '\n')],
    [
      'blank ids, null values',
      toCsv([record({ idSensor: null, lat: null, createdAt: null }, { obValue: null, obQuality: null })]),
    ],
  ] as const)('every row of %s is plain', ([, content]) => {
    const header = content.slice(0, content.indexOf('\n')).trimEnd().split(',') as NeededField[];
    const reader = new PlainRowReader(Buffer.byteLength(content) + 1, new Vocabulary());
    expect(reader.setColumns(header)).toBe(true);
    reader.buffer.write(content);
    expect(reader.read(content.indexOf('\n') + 1)).toBe(content.length);
    expect(reader.block.size).toBe(content.trimEnd().split('\n').length - 1);
  });

  test('say the same of more rows than a block holds, some of which are not plain', () => {
    const records = goodRecords(5000).map((fields, i) => ({
      ...fields,
      idSensor: `REACH-${i % 700}`, // more than are remembered
      lat: i % 7 === 0 ? ' 5.5' : i / 10,
    }));
    const content = toCsv(records);
    expect(read(content).told).toEqual(readGenerally(content).told);
  });

  test.for([0, 1, 244, 245, 246, 600, 2000])('say the same of rows with %i columns that nobody needs', (count) => {
    const further = Object.fromEntries(
      Array.from({ length: count }, (_, i) => [`further${i}`, i % 100 === 99 ? 'a, b' : i]),
    );
    const records = goodRecords(3);
    const content = toCsv([...records.map((fields) => ({ ...further, ...fields })), { ...further, ...records[0] }]);
    expect(read(content).told).toEqual(read(toCsv([...records, records[0]!])).told);
  });

  test('say the same of texts of any length', () => {
    const text = fc.oneof(
      fc.string({ maxLength: 12 }),
      fc.string({ unit: fc.constantFrom('a', 'b', 'é'), maxLength: 90 }),
    );
    fc.assert(
      fc.property(fc.array(text, { minLength: 1, maxLength: 12 }), (texts) => {
        const cells = texts.map((cell) => cell.replaceAll(/[\r\n]/g, ''));
        const records = [...cells, ...cells].map((observatoryName) => record({ observatoryName }));
        const content = toCsv(records);
        expect(read(content).told).toEqual(readGenerally(content).told);
      }),
      { numRuns: 300 },
    );
  });

  test('keep no text that the end of a chunk has cut', () => {
    const content = toCsv(goodRecords(3));
    for (let chunkBytes = 1; chunkBytes < 100; chunkBytes++) {
      const { sensorIds, observatories, descriptions, descriptors } = read(content, chunkBytes).vocabulary;
      // Each has its one text and the blank.
      expect([sensorIds, observatories, descriptions, descriptors].map(({ size }) => size)).toEqual([2, 2, 2, 2]);
    }
  });

  test.for(['-0', "'-0'", '-0.0', '-0e5'])('say the same of the quality %s', (quality) => {
    const content = toCsv(goodRecords(1)).replace(/'obQuality': '\d+'/, `'obQuality': ${quality}`);
    expect(content).toContain(quality);
    expect(read(content).told).toEqual(readGenerally(content).told);
  });
});

describe('UDL-31: layouts', () => {
  const expected = read(toCsv(goodRecords(3))).told;

  test('three good rows are three rows', () => {
    expect(expected).toHaveLength(3);
    expect(expected[1]).toEqual({
      kind: 'row',
      numbers: [expect.any(Number), expect.any(Number), 1.5e-7, 0, 10.5, -20.25, 790.75, 1000.25, -2000.5, 6000.125],
      texts: ['REACH-101', 'Iridium-102', 'DOSE1 (Flavor X) in rad/second', 'QUICKLOOK'],
      element: 0,
    });
  });

  test.for<[name: string, content: string]>([
    ['LF', toCsv(goodRecords(3), 'python', '\n')],
    ['JSON cells', toCsv(goodRecords(3), 'json')],
    ['a byte-order mark', `\uFEFF${toCsv(goodRecords(3))}`],
    ['no final line end', toCsv(goodRecords(3)).trimEnd()],
    ['blank lines', toCsv(goodRecords(3)).replaceAll('\r\n', '\r\n\r\n')],
    [
      'further columns in front and behind',
      toCsv(goodRecords(3).map((fields) => ({ id: 'a,"b"', ...fields, origin: null }))),
    ],
    ['a quoted newline in another column', toCsv(goodRecords(3).map((fields) => ({ note: 'two\nlines', ...fields })))],
    [
      'a column twice, of which the first counts',
      toCsv(goodRecords(3)).replaceAll(/(?=\r\n)/g, (_, at: number) => (at < 100 ? ',lat' : ',99')),
    ],
  ])('%s', ([, content]) => {
    expect(read(content).told).toEqual(expected);
  });
});

describe('CDF-D10: a row that cannot be taken apart costs itself only', () => {
  const [header, first, second, third] = toCsv(goodRecords(3)).split('\r\n') as [string, string, string, string];

  test.for<[name: string, bad: string, reason: string]>([
    ['a quote that is never closed', '"REACH-101,Iridium-102', 'csv_malformed'],
    ['text behind a closing quote', '"REACH-101"x,Iridium-102,,,,,,,,', 'csv_malformed'],
    ['a quote inside a bare cell', 'REACH"101,Iridium-102,,,,,,,,', 'csv_malformed'],
    ['a cell too few', first.slice(0, first.lastIndexOf(',')), 'cell_count'],
    ['a cell too many', `${first},1`, 'cell_count'],
  ])('%s', ([, bad, reason]) => {
    const content = [header, first, bad, second, third, ''].join('\r\n');
    // Of many sizes of chunks some end in the middle of the bad row.
    for (const chunkBytes of [content.length, ...Array.from({ length: 60 }, (_, i) => i + 1)]) {
      const { told } = read(content, chunkBytes);
      expect(told.map((item) => (item.kind === 'rejected' ? item.reason : item.kind))).toEqual([
        'row',
        reason,
        'row',
        'row',
      ]);
    }
  });

  test('also when the stray quote pairs with one of the next row', () => {
    const { told } = read([header, '"REACH-101,Iridium', first, second, ''].join('\n'));
    expect(told.map((item) => item.kind)).toEqual(['rejected', 'row', 'row']);
  });

  test.for([
    ['a quoted cell', (text: string) => `"${text}"`],
    ['a cell in front of a good row', (text: string) => `${text}${first}`],
  ] as const)('and a row longer than the buffer is one bad row: %s', ([, long]) => {
    for (const length of [1024, 1030, 2000, 2048, 3000, 5000]) {
      const { told } = read([header, first, long('x'.repeat(length)), second, ''].join('\n'), 500, 1024);
      expect(told.map((item) => item.kind)).toEqual(['row', 'rejected', 'row']);
    }
  });
});

test('a file that does not begin with a header is refused with its first bytes', () => {
  expect(() => read('"<html>\n<body>Bad gateway</body>')).toThrow(
    /does not begin with a CSV header, but with "\\"<html>/,
  );
});

test('an empty file has no rows and no columns', () => {
  const consumer = read('');
  expect(consumer.told).toEqual([]);
  expect(consumer.columnNames).toEqual([]);
});

test('createdAt absent is older than any, and -0 and null stay what they are', () => {
  const [first, second] = read(
    toCsv([record({ createdAt: null }, { obValue: -0.0 }), record({}, { obValue: null })]).replace(
      "'obValue': 0,",
      "'obValue': -0.0,",
    ),
  ).rows;
  expect(first?.numbers[CREATED_AT]).toBe(-Infinity);
  expect(first?.numbers[OB_VALUE]).toBe(-0);
  expect(second?.numbers[OB_VALUE]).toBeNaN();
  expect(first?.numbers[OB_TIME]).toBe(second?.numbers[OB_TIME]);
});
