import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { JsonReader } from '../../../../src/products/reach-l1c/read/json-reader.ts';
import { interpretRecord } from '../../../../src/products/reach-l1c/read/interpret.ts';
import { Row } from '../../../../src/products/reach-l1c/read/row.ts';
import { goodRecords, record } from '../support.ts';
import type { SourceRecord } from '../support.ts';
import { feed, RecordingConsumer } from './recording.ts';

function read(content: string, chunkBytes?: number, bufferBytes?: number): RecordingConsumer {
  const consumer = new RecordingConsumer();
  feed(new JsonReader(consumer), Buffer.from(content), chunkBytes, bufferBytes);
  return consumer;
}

function interpreted(records: readonly SourceRecord[]): RecordingConsumer {
  const consumer = new RecordingConsumer();
  const row = new Row();
  for (const fields of records) interpretRecord(fields, row, consumer);
  return consumer;
}

describe('UDL-30: any layout of a JSON list', () => {
  const records = [...goodRecords(3), record({ note: 'one " quote, brackets ]}[{ and a \\ in é text' })];
  const oneLinePerSlice = `[\n${JSON.stringify(records.slice(0, 2)).slice(1, -1)},\n${JSON.stringify(records.slice(2)).slice(1, -1)}\n]`;

  test.for<[name: string, content: string]>([
    ['compact', JSON.stringify(records)],
    ['indented', JSON.stringify(records, null, 4)],
    ['one slice per line', oneLinePerSlice],
    ['tabs and carriage returns', JSON.stringify(records, null, '\t').replaceAll('\n', '\r\n')],
    ['a byte-order mark', `\uFEFF${JSON.stringify(records)}`],
    ['text escaped to ASCII', JSON.stringify(records).replaceAll('é', '\\u00e9')],
  ])('%s', ([, content]) => {
    const consumer = read(content);
    expect(consumer.told).toEqual(interpreted(records).told);
    expect(consumer.columnNames).toHaveLength(10);
  });

  test('cut into chunks anywhere', () => {
    const content = JSON.stringify(records, null, 1);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 700 }), (chunkBytes) => {
        expect(read(content, chunkBytes).told).toEqual(interpreted(records).told);
      }),
      { numRuns: 50 },
    );
  });
});

describe('CDF-D10: elements that are no records', () => {
  test.for<[element: string, reason: string]>([
    ['null', 'not_an_object'],
    ['17', 'not_an_object'],
    ['"text"', 'not_an_object'],
    ['[]', 'not_an_object'],
    ['{"a": }', 'json_malformed'],
    ['{"a" 1}', 'json_malformed'],
    ['{}', 'time_missing'],
  ])('%s is set aside as %s', ([element, reason]) => {
    const good = JSON.stringify(record());
    const { told } = read(`[${good}, ${element} , ${good}]`);
    expect(told.map((item) => (item.kind === 'rejected' ? item.reason : item.kind))).toEqual(['row', reason, 'row']);
  });

  test('NaN, as Python writes it, is a value that is not there', () => {
    const { rows } = read(`[${JSON.stringify(record()).replace('10.5', 'NaN')}]`);
    expect(rows[0]?.numbers[4]).toBeNaN();
  });
});

describe('a file that is not one closed list is refused', () => {
  const good = JSON.stringify(record());
  test.for<[content: string, message: RegExp]>([
    [good, /not a list of records: expected a list of records, got "\{/],
    ['<html></html>', /expected a list of records, got "<html/],
    [`[${good}`, /ends before its list of records is closed/],
    [`[${good},`, /ends before its list of records is closed/],
    [`[${good.slice(0, 50)}`, /expected the end of the last record/],
    [`[${good} ${good}]`, /expected "," or "\]" between records/],
    [`[${good}]]`, /expected nothing behind the list/],
    [`[${good}] {}`, /expected nothing behind the list/],
  ])('%s', ([content, message]) => {
    expect(() => read(content)).toThrow(message);
  });

  test('and so is a record longer than the buffer', () => {
    expect(() => read(`[{"x": "${'y'.repeat(2000)}"}]`, 500, 1000)).toThrow(/records of at most 1 MiB/);
  });
});

test.for(['', '[]', ' [ \n ] '])('"%s" has no records', (content) => {
  expect(read(content).told).toEqual([]);
});
