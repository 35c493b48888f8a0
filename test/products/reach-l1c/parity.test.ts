/**
 * The product of the CSV sample against the published file beside it, as two independent readers see both.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SOFTWARE } from '../../../src/core/version.ts';
import { buildL1c } from '../../../src/products/reach-l1c/index.ts';
import type { BuildResult } from '../../../src/products/reach-l1c/index.ts';
import {
  buildRequest,
  CSV_SAMPLE,
  dumpFiles,
  JSON_SAMPLE,
  numbersOf,
  PUBLISHED_PRODUCT,
  timesOf,
  variableOf,
} from './support.ts';
import type { DumpedFile } from './support.ts';

/** Everything that may differ from the published file (CDF-22), with our value. Encoding is not seen in a dump. */
const ALLOWED_GLOBALS = {
  Generation_date: '2026-11-21',
  CDF_Lib_version: SOFTWARE.cdfLibrary,
  SWxSOC_version: SOFTWARE.swxsoc,
  REACH_version: SOFTWARE.reach,
};
const ALLOWED_RESOLUTION = { published: '4.999999999994387s', ours: '5s' };

let folder: string;
let fromCsv: BuildResult;
let fromJson: BuildResult;
let dumps: DumpedFile[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'reach-l1c-'));
  const ours = join(folder, 'csv.cdf');
  const json = join(folder, 'json.cdf');
  const generationDate = ALLOWED_GLOBALS.Generation_date;
  fromCsv = await buildL1c(buildRequest({ inputPath: CSV_SAMPLE, outputPath: ours, generationDate }));
  fromJson = await buildL1c(buildRequest({ inputPath: JSON_SAMPLE, format: 'json', outputPath: json }));
  dumps = await dumpFiles([PUBLISHED_PRODUCT, ours, json]);
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

/** The published file, ours from the CSV, ours from the JSON, as one reader sees them. */
function seenBy(reader: string): [published: DumpedFile, csv: DumpedFile, json: DumpedFile] {
  return dumps.filter((dump) => dump.reader === reader) as [DumpedFile, DumpedFile, DumpedFile];
}

/** The published pads of text are one space and NULs, ours are spaces throughout; both are CDF-7's "space". */
function withTrimmedPads({ variables }: DumpedFile): unknown[] {
  const trimmed = (pad: unknown): unknown => (Array.isArray(pad) ? pad.map((text: string) => text.trimEnd()) : pad);
  return variables.map((variable) => ({ ...variable, pad: trimmed((variable as { pad?: unknown }).pad) }));
}

describe.each(['cdflib', 'pycdfpp', 'spacepy'])(
  'CDF-22, CDF-23: read by %s, the product of the CSV sample',
  (reader) => {
    test('has the published variables in order: types, text lengths, dimensions, variance, every value bit for bit', () => {
      const [published, ours] = seenBy(reader);
      expect(published.variables).toHaveLength(14);
      expect(withTrimmedPads(ours)).toEqual(withTrimmedPads(published));
    });

    test('has the published variable attributes, types included, but for RESOLUTION', () => {
      const [published, ours] = seenBy(reader);
      expect(published.attributes['Epoch']?.['RESOLUTION']).toEqual([51, ALLOWED_RESOLUTION.published]);
      const expected = structuredClone(published.attributes) as Record<string, Record<string, unknown>>;
      expected['Epoch']!['RESOLUTION'] = [51, ALLOWED_RESOLUTION.ours];
      expect(ours.attributes).toEqual(expected);
      expect(Object.values(ours.attributes).map(Object.keys)).toEqual(
        Object.values(published.attributes).map(Object.keys),
      );
    });

    test('has the published global attributes in order but for the date and the names of the software', () => {
      const [published, ours] = seenBy(reader);
      const allowed = Object.entries(ALLOWED_GLOBALS).map(([name, text]) => [name, { 0: [51, text] }]);
      expect(ours.globals).toEqual({ ...published.globals, ...Object.fromEntries(allowed) });
      expect(Object.keys(ours.globals)).toEqual(Object.keys(published.globals));
      for (const [name, text] of Object.entries(ALLOWED_GLOBALS))
        expect(published.globals[name]?.['0']).not.toEqual([51, text]);
    });
  },
);

test('CDF-6: a parity file is little-endian (6), row-major, without checksum or compression', async () => {
  const { open } = await import('node:fs/promises');
  const file = await open(join(folder, 'csv.cdf'));
  const { buffer } = await file.read(Buffer.alloc(52), 0, 52, 0);
  await file.close();
  expect(buffer.subarray(0, 8).toString('hex')).toBe('cdf300010000ffff');
  expect({ encoding: buffer.readInt32BE(36), flags: buffer.readInt32BE(40) }).toEqual({ encoding: 6, flags: 3 });
});

test('the result of the CSV sample tells what was read and written', () => {
  expect(fromCsv).toMatchObject({
    fileName: 'reach_all_l1c_prelim_20250904T000000_v1.0.0.cdf',
    key: 'l1c/prelim/2025/09/04/reach_all_l1c_prelim_20250904T000000_v1.0.0.cdf',
    descriptor: 'QUICKLOOK',
    records: 716,
    readings: 716,
    times: 13,
    sensors: 32,
    duplicates: 0,
    quarantined: 0,
    quarantineReasons: [],
    unresolved: 0,
  });
});

test('CDF-D16: the two -1e31 of the CSV sample are counted as missing', () => {
  expect(fromCsv.warnings).toEqual([expect.objectContaining({ code: 'missing_marker', count: 2 })]);
});

test('the JSON sample gives 4 times × 29 sensors', () => {
  expect(fromJson).toMatchObject({
    fileName: 'reach_all_l1c_prelim_20251201T000000_v1.0.0.cdf',
    records: 103,
    times: 4,
    sensors: 29,
    duplicates: 0,
  });
  const [, , json] = seenBy('cdflib');
  expect(timesOf(json).map((time) => Number((time - timesOf(json)[0]!) / 1_000_000_000n))).toEqual([0, 5, 10, 15]);
  expect(variableOf(json, 'dose_rate')).toMatchObject({ dims: [29, 2], records: 4 });
  // Real cells: 103 readings, less the in-band markers that the sample holds.
  const markers = fromJson.warnings.find((warning) => warning.code === 'missing_marker')?.count ?? 0;
  expect(numbersOf(json, 'dose_rate').filter((value) => value !== -1e31)).toHaveLength(103 - markers);
});
