import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ArtifactFormat } from '../../../src/core/product.ts';
import { count } from '../../../src/products/reach-l1c/count.ts';
import { countArtifact } from '../../../src/products/reach-l1c/index.ts';
import { CSV_SAMPLE, goodRecords, JSON_SAMPLE, record, toCsv } from './support.ts';
import type { SourceRecord } from './support.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'reach-l1c-'));
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

async function counted(content: string, format: ArtifactFormat): Promise<unknown> {
  const path = join(folder, `day.${format}`);
  await writeFile(path, content);
  const { sha256, sizeBytes, ...counts } = count(path, format, () => undefined);
  expect({ sha256, sizeBytes }).toEqual(digest(Buffer.from(content)));
  return counts;
}

function digest(content: Buffer): { sha256: string; sizeBytes: number } {
  return { sha256: createHash('sha256').update(content).digest('hex'), sizeBytes: content.length };
}

test('the CSV sample: 716 records, as many readings, of 32 sensors; size and hash of the file', async () => {
  const content = await readFile(CSV_SAMPLE);
  const counts = await countArtifact(CSV_SAMPLE, 'csv');
  expect(counts).toMatchObject({ records: 716, distinctReadings: 716, ...digest(content) });
  const ids = content.toString().match(/^REACH-\d+/gm)!;
  const expected: Record<string, number> = {};
  for (const id of ids.toSorted()) expected[id] = (expected[id] ?? 0) + 1;
  expect(counts.recordsPerSensor).toEqual(expected);
  expect(Object.keys(counts.recordsPerSensor)).toEqual(Object.keys(expected));
});

test('the JSON sample: 103 records of 29 sensors', async () => {
  const counts = await countArtifact(JSON_SAMPLE, 'json');
  expect(counts).toMatchObject({ records: 103, distinctReadings: 103 });
  expect(Object.keys(counts.recordsPerSensor)).toHaveLength(29);
});

describe.each(['csv', 'json'] as const)('what counts, in %s', (format) => {
  const text = (records: readonly SourceRecord[]): string =>
    format === 'csv' ? toCsv(records) : JSON.stringify(records);

  test.for<[name: string, records: SourceRecord[], distinct: number, perSensor: Record<string, number>]>([
    [
      'a later copy is a record of the same reading',
      [record(), record({ createdAt: '2026-02-01T00:00:00Z' })],
      1,
      { 'REACH-101': 2 },
    ],
    [
      'two spellings of an instant are one reading',
      [record(), record({ obTime: '2026-01-01T00:00:00+00:00' })],
      1,
      { 'REACH-101': 2 },
    ],
    [
      'two dosimeters are two readings',
      [record(), record({}, { obDescription: 'DOSE2 (Flavor W) in rad/second' })],
      2,
      { 'REACH-101': 2 },
    ],
    [
      'a blank id is told by the satellite',
      [record({ idSensor: null }), record({ idSensor: '' })],
      1,
      { 'REACH-101': 2 },
    ],
    [
      'records of no known sensor are counted under ?',
      [record({ idSensor: null, observatoryName: 'Hubble' }), record()],
      2,
      { '?': 1, 'REACH-101': 1 },
    ],
    [
      'records that no product can use are counted',
      [record({ lat: 'north' }), record({ senPos: [] }), record({ idSensor: 'REACH-TEST' })],
      2,
      { 'REACH-101': 2, 'REACH-TEST': 1 },
    ],
    ['a record without a time is no reading', [record({ obTime: 'noon' })], 0, { 'REACH-101': 1 }],
    [
      'two elements of one record are one record',
      [
        record({
          seoList: [
            ...(record()['seoList'] as unknown[]),
            ...(record({}, { obDescription: 'DOSE2' })['seoList'] as unknown[]),
          ],
        }),
      ],
      1,
      { 'REACH-101': 1 },
    ],
  ])('%s', async ([, records, distinctReadings, recordsPerSensor]) => {
    expect(await counted(text(records), format)).toEqual({
      records: records.length,
      distinctReadings,
      recordsPerSensor,
    });
  });

  test('nothing is nothing', async () => {
    expect(await counted(format === 'csv' ? '' : '[]', format)).toEqual({
      records: 0,
      distinctReadings: 0,
      recordsPerSensor: {},
    });
  });
});

test('UDL-D10: quoted newlines do not inflate the count', async () => {
  const records = goodRecords(4).map((fields) => ({ ...fields, note: 'two\nlines' }));
  expect(await counted(toCsv(records), 'csv')).toMatchObject({ records: 4, distinctReadings: 4 });
});
