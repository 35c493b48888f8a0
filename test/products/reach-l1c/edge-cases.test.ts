/**
 * Every row of the edge-case table (CDF §12) with the outcome that the resolutions (CDF §13) ask for, and the products
 * of the good ones as an independent reader sees them.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PipelineError } from '../../../src/core/errors.ts';
import { build } from '../../../src/products/reach-l1c/build.ts';
import type { BuildRequest, BuildResult } from '../../../src/products/reach-l1c/index.ts';
import {
  buildRequest,
  DAY_NAME,
  dumpFiles,
  globalOf,
  goodRecords,
  numbersOf,
  record,
  textsOf,
  timesOf,
  toCsv,
  variableOf,
} from './support.ts';
import type { DumpedFile, SourceRecord } from './support.ts';

const FILL = -1e31;
const FIRST_TIME = 820497669184000000n; // 2026-01-01T00:00:00Z

interface Case {
  readonly name: string;
  /** Text of a CSV; a list stands for the JSON of it. */
  readonly input: string | readonly unknown[];
  readonly request?: Partial<BuildRequest>;
  readonly check: (result: BuildResult, seen: DumpedFile) => void;
}

interface Refusal extends Pick<Case, 'name' | 'input'> {
  readonly kind: string;
  readonly message: RegExp;
}

/** 200 good records with one more in their midst: half a per cent, below the limit. */
function among(...odd: SourceRecord[]): SourceRecord[] {
  return goodRecords(200).toSpliced(100, 0, ...odd);
}

/** A record of a time of its own. */
function odd(changes: SourceRecord, reading: SourceRecord = {}): SourceRecord {
  return record({ obTime: '2026-01-01T12:00:00.000Z', ...changes }, reading);
}

const reading = (record()['seoList'] as SourceRecord[])[0]!;

/** One unusable record costs itself: counted, with its reason and a sample, and the day goes on. */
const QUARANTINED: readonly [name: string, bad: SourceRecord, reason: string][] = [
  ['seoList []', odd({ seoList: [] }), 'readings_missing'],
  ['seoList blank', odd({ seoList: null }), 'readings_missing'],
  ['senPos short', odd({ senPos: [1, 2] }), 'position_invalid'],
  ['senPos blank', odd({ senPos: null }), 'position_invalid'],
  ['no obQuality', odd({}, { obQuality: undefined }), 'quality_missing'],
  ["obQuality ''", odd({}, { obQuality: '' }), 'quality_invalid'],
  ['obQuality text', odd({}, { obQuality: 'good' }), 'quality_invalid'],
  ['lat text', odd({ lat: 'north' }), 'coordinate_invalid'],
  ['idSensor REACH-TEST', odd({ idSensor: 'REACH-TEST' }), 'sensor_invalid'],
  ['obTime blank', odd({ obTime: null }), 'time_missing'],
  ['obTime not a time', odd({ obTime: 'noon' }), 'time_invalid'],
  ['descriptor blank', odd({ descriptor: null }), 'descriptor_missing'],
];

function expectOneSetAside(result: BuildResult, seen: DumpedFile, reason: string): void {
  const sample = expect.stringMatching(/^record 101: /) as string;
  expect(result).toMatchObject({ records: 201, readings: 200, times: 200, quarantined: 1 });
  expect(result.quarantineReasons).toEqual([{ reason, count: 1, sample }]);
  expect(numbersOf(seen, 'dose_rate')).toEqual(Array<number>(200).fill(1.5e-7));
}

const CASES: readonly Case[] = [
  {
    name: 'exactly one distinct time: written, RESOLUTION 5s (D11)',
    input: toCsv([record()]),
    check: (result, seen) => {
      expect(result).toMatchObject({ times: 1, sensors: 1, records: 1 });
      expect(timesOf(seen)).toEqual([FIRST_TIME]);
      expect(seen.attributes['Epoch']?.['RESOLUTION']?.[1]).toBe('5s');
      expect(variableOf(seen, 'dose_rate')).toMatchObject({ dims: [1, 1], records: 1 });
    },
  },
  {
    name: 'RESOLUTION is the smallest step, in full seconds or not (D9)',
    input: toCsv(
      [0, 10_000, 10_500, 30_000].map((ms) => record({ obTime: new Date(Date.UTC(2026, 0, 1) + ms).toISOString() })),
    ),
    check: (_, seen) => {
      expect(seen.attributes['Epoch']?.['RESOLUTION']?.[1]).toBe('0.5s');
    },
  },
  {
    name: 'RESOLUTION of a 10 s file is 10s (D9)',
    input: toCsv(
      [0, 10, 20].map((second) => record({ obTime: `2026-01-01T00:00:${String(second).padStart(2, '0')}Z` })),
    ),
    check: (_, seen) => {
      expect(seen.attributes['Epoch']?.['RESOLUTION']?.[1]).toBe('10s');
    },
  },
  {
    name: 'JSON-style cells with null and true in a CSV are read like Python ones (UDL-31)',
    input: toCsv([record({ flag: [true, null] }, { obValue: null, obFlag: true })], 'json'),
    check: (_, seen) => {
      expect(numbersOf(seen, 'dose_rate')).toEqual([FILL]);
      expect(numbersOf(seen, 'lat')).toEqual([10.5]);
    },
  },
  {
    name: 'NaN in a nested cell is no value',
    input: toCsv([record()]).replace("'obValue': 1.5e-7", "'obValue': NaN"),
    check: (_, seen) => {
      expect(numbersOf(seen, 'dose_rate')).toEqual([FILL]);
    },
  },
  {
    name: 'null in a JSON file is fill',
    input: [record({ lat: null }, { obValue: null, obQuality: null })],
    check: (_, seen) => {
      for (const name of ['dose_rate', 'lat', 'obQuality']) expect(numbersOf(seen, name)).toEqual([FILL]);
      expect(numbersOf(seen, 'lon')).toEqual([-20.25]);
    },
  },
  {
    name: 'Python None as obValue is fill, text is fill with a warning',
    input: toCsv([record({}, { obValue: null }), record({ obTime: '2026-01-01T00:00:05Z' }, { obValue: 'low' })]),
    check: (result, seen) => {
      expect(numbersOf(seen, 'dose_rate')).toEqual([FILL, FILL]);
      expect(result.warnings).toEqual([expect.objectContaining({ code: 'value_not_numeric', count: 1 })]);
    },
  },
  {
    name: 'obQuality None and blank lat are fill',
    input: toCsv([record({ lat: null }, { obQuality: null })]),
    check: (_, seen) => {
      expect(numbersOf(seen, 'obQuality')).toEqual([FILL]);
      expect(numbersOf(seen, 'lat')).toEqual([FILL]);
      expect(numbersOf(seen, 'dose_rate')).toEqual([1.5e-7]);
    },
  },
  {
    name: 'two seoList elements are two readings, and counted (D15)',
    input: toCsv([
      record({ seoList: [reading, { ...reading, obValue: 2.5e-7, obDescription: 'DOSE2 (Flavor W) in rad/second' }] }),
    ]),
    check: (result, seen) => {
      expect(result).toMatchObject({ records: 1, readings: 2 });
      expect(numbersOf(seen, 'dose_rate')).toEqual([1.5e-7, 2.5e-7]);
      expect(result.warnings).toEqual([expect.objectContaining({ code: 'several_readings', count: 1 })]);
    },
  },
  {
    name: 'a sensor without one flavor has an empty label and fill values (CDF-14)',
    input: toCsv([
      record(
        { idSensor: 'REACH-105', observatoryName: 'Iridium-106' },
        { obDescription: 'DOSE2 (Flavor U) in rad/second' },
      ),
      record(),
      record({}, { obDescription: 'DOSE2 (Flavor W) in rad/second', obValue: 3 }),
    ]),
    check: (_, seen) => {
      expect(textsOf(seen, 'sensor_labels')).toEqual(['REACH-101', 'REACH-105']);
      expect(numbersOf(seen, 'sensor_ids')).toEqual([101, 105]);
      expect(textsOf(seen, 'dosimeter_flavors')).toEqual([
        'DOSE1 (Flavor X) in rad/second',
        'DOSE2 (Flavor W) in rad/second',
        'DOSE2 (Flavor U) in rad/second',
        '',
      ]);
      expect(numbersOf(seen, 'dose_rate')).toEqual([1.5e-7, 3, 1.5e-7, FILL]);
    },
  },
  {
    name: 'more than two flavors of a sensor are accepted, with a warning (CDF-14, D23)',
    input: toCsv(
      ['X', 'W', 'Z'].map((flavor, dose) =>
        record({}, { obDescription: `DOSE${dose === 0 ? 1 : 2} (Flavor ${flavor})` }),
      ),
    ),
    check: (result, seen) => {
      expect(variableOf(seen, 'dose_rate').dims).toEqual([1, 3]);
      expect(textsOf(seen, 'dosimeter_flavor_labels')).toEqual(['flavor_0', 'flavor_1', 'flavor_2']);
      expect(result.warnings).toEqual([
        {
          code: 'flavor_unexpected',
          count: 1,
          message: expect.stringContaining('"DOSE2 (Flavor Z)" of REACH-101') as string,
        },
      ]);
    },
  },
  {
    name: 'all times without Z are UTC (D12)',
    input: toCsv(goodRecords(3)).replaceAll(/(\d\d)\.000Z/g, '$1'),
    check: (_, seen) => {
      expect(timesOf(seen)).toEqual([0n, 5n, 10n].map((seconds) => FIRST_TIME + seconds * 1_000_000_000n));
      expect(numbersOf(seen, 'dose_rate')).toEqual([1.5e-7, 1.5e-7, 1.5e-7]);
    },
  },
  {
    name: 'times with and without Z, milliseconds and offsets that name one instant are one record (D12, D13)',
    input: toCsv(
      [
        '2026-01-01T00:00:00.000Z',
        '2026-01-01T00:00:00',
        '2026-01-01T00:00:00Z',
        '2026-01-01T00:00:00+00:00',
        '2025-12-31T19:00:00-05:00',
      ].map((obTime, i) => record({ obTime, createdAt: `2026-01-02T00:00:0${i}Z` }, { obValue: i })),
    ),
    check: (result, seen) => {
      expect(result).toMatchObject({ records: 5, readings: 1, duplicates: 4, times: 1 });
      expect(numbersOf(seen, 'dose_rate')).toEqual([4]);
    },
  },
  {
    name: 'a record of the next midnight is one more time: the input has no day filter (UDL-D6)',
    input: toCsv([record(), record({ obTime: '2026-01-02T00:00:00.000Z' })]),
    check: (result, seen) => {
      expect(result.fileName).toBe('reach_all_l1c_prelim_20260101T000000_v1.0.0.cdf');
      expect(timesOf(seen)).toEqual([FIRST_TIME, FIRST_TIME + 86_400_000_000_000n]);
    },
  },
  {
    name: 'duplicate key: newer createdAt kept; equal: first in file; blank loses (CDF-12)',
    input: toCsv([
      record({ createdAt: null }, { obValue: 1 }),
      record({ createdAt: '2026-01-01T02:00:00Z' }, { obValue: 2 }),
      record({ createdAt: '2026-01-01T02:00:00.000Z' }, { obValue: 3 }),
      record({ createdAt: '2026-01-01T01:00:00Z' }, { obValue: 4 }),
    ]),
    check: (result, seen) => {
      expect(result.duplicates).toBe(3);
      expect(numbersOf(seen, 'dose_rate')).toEqual([2]);
    },
  },
  {
    name: 'two dosimeters that disagree on quality: the newest record speaks, of equals the first (CDF-17)',
    input: toCsv([
      record({}, { obQuality: '1' }),
      record({}, { obQuality: '2', obDescription: 'DOSE2 (Flavor W) in rad/second' }),
      record({ obTime: '2026-01-01T00:00:05Z' }, { obQuality: '3' }),
      record(
        { obTime: '2026-01-01T00:00:05Z', createdAt: '2026-01-03T00:00:00Z' },
        { obQuality: '4', obDescription: 'DOSE2 (Flavor W) in rad/second' },
      ),
    ]),
    check: (_, seen) => {
      expect(numbersOf(seen, 'obQuality')).toEqual([1, 4]);
    },
  },
  {
    name: 'a createdAt that is no time ranks as missing, with a warning',
    input: toCsv([record({ createdAt: 'later' }, { obValue: 1 }), record({}, { obValue: 2 })]),
    check: (result, seen) => {
      expect(numbersOf(seen, 'dose_rate')).toEqual([2]);
      expect(result.warnings).toEqual([expect.objectContaining({ code: 'created_at_unreadable', count: 1 })]);
    },
  },
  {
    name: 'missing ids come from the observatory; a record without either is dropped (CDF-11)',
    input: toCsv([
      record({ idSensor: null, observatoryName: 'Iridium-106' }, { obDescription: 'DOSE1 (Flavor Y) in rad/second' }),
      record({ idSensor: null, observatoryName: 'Hubble' }),
      record({ idSensor: null, observatoryName: null }),
    ]),
    check: (result, seen) => {
      expect(textsOf(seen, 'sensor_labels')).toEqual(['REACH-105']);
      expect(result).toMatchObject({ records: 3, unresolved: 2, quarantined: 0 });
      expect(result.warnings).toEqual([expect.objectContaining({ code: 'sensor_unresolved', count: 2 })]);
    },
  },
  {
    name: 'an id that disagrees with its observatory is kept and counted (D22)',
    input: toCsv([record({ observatoryName: 'Iridium-106' })]),
    check: (result, seen) => {
      expect(numbersOf(seen, 'sensor_ids')).toEqual([101]);
      expect(result.warnings).toEqual([
        {
          code: 'sensor_observatory_disagree',
          count: 1,
          message: expect.stringContaining('REACH-101 on Iridium-106') as string,
        },
      ]);
    },
  },
  {
    name: 'a sensor outside the constellation is kept and counted',
    input: toCsv([record({ idSensor: 'REACH-999', observatoryName: 'Iridium-999' })]),
    check: (result, seen) => {
      expect(numbersOf(seen, 'sensor_ids')).toEqual([999]);
      expect(result.warnings).toEqual([expect.objectContaining({ code: 'sensor_unknown', count: 1 })]);
    },
  },
  {
    name: 'flavors that contradict the relationship table are kept and counted (D23)',
    input: toCsv([
      record({}, { obDescription: 'DOSE1 (Flavor Z) in rad/second' }),
      record({}, { obDescription: 'a new kind' }),
    ]),
    check: (result) => {
      expect(result.readings).toBe(2);
      expect(result.warnings).toEqual([expect.objectContaining({ code: 'flavor_unexpected', count: 2 })]);
    },
  },
  {
    name: 'values at or below -1e30 are fill, and counted (D16)',
    input: toCsv([
      record({ alt: -1e30 }, { obValue: -9.9e30 }),
      record({ obTime: '2026-01-01T00:00:05Z' }, { obValue: -9.9e29 }),
    ]),
    check: (result, seen) => {
      expect(numbersOf(seen, 'dose_rate')).toEqual([FILL, -9.9e29]);
      expect(numbersOf(seen, 'alt')).toEqual([FILL, 790.75]);
      expect(result.warnings).toEqual([expect.objectContaining({ code: 'missing_marker', count: 2 })]);
    },
  },
  {
    name: 'a single sensor gives its number to the names (D1)',
    input: toCsv(goodRecords(2)),
    request: { sensor: 'REACH-101' },
    check: (result, seen) => {
      expect(result.fileName).toBe('reach_101_l1c_prelim_20260101T000000_v1.0.0.cdf');
      expect(globalOf(seen, 'Instrument_mode')).toBe('101');
      expect(globalOf(seen, 'Logical_source')).toBe('reach_101_prelim');
      expect(globalOf(seen, 'Logical_file_id')).toBe('reach_101_l1c_prelim_20260101T000000_v1.0.0');
    },
  },
  {
    name: 'PROVISIONAL becomes UDL_Source, version and date are the caller’s (CDF-20, D3)',
    input: toCsv(goodRecords(2).map((fields) => ({ ...fields, descriptor: 'PROVISIONAL' }))),
    request: { version: '1.0.7', generationDate: '2030-02-03' },
    check: (result, seen) => {
      expect(result).toMatchObject({
        descriptor: 'PROVISIONAL',
        fileName: 'reach_all_l1c_prelim_20260101T000000_v1.0.7.cdf',
      });
      expect(globalOf(seen, 'UDL_Source')).toBe('PROVISIONAL');
      expect(globalOf(seen, 'Data_version')).toBe('1.0.7');
      expect(globalOf(seen, 'Generation_date')).toBe('2030-02-03');
    },
  },
  ...QUARANTINED.flatMap(([name, bad, reason]) =>
    [toCsv(among(bad)), among(bad)].map((input) => ({
      name: `one record with ${name}, ${typeof input === 'string' ? 'CSV' : 'JSON'}: set aside, the day goes on (D10)`,
      input,
      check: (result: BuildResult, seen: DumpedFile) => expectOneSetAside(result, seen, reason),
    })),
  ),
];

const header = toCsv([record()]).split('\r\n')[0]!;
const without = (...names: string[]): SourceRecord[] =>
  goodRecords(3).map((fields) => Object.fromEntries(Object.entries(fields).filter(([name]) => !names.includes(name))));

const REFUSED: readonly Refusal[] = [
  {
    name: 'a zero-byte CSV',
    input: '',
    kind: 'input_invalid',
    message: /^No usable records in the file: it has no records at all/,
  },
  {
    name: 'a CSV with a header only',
    input: `${header}\r\n`,
    kind: 'input_invalid',
    message: /it has no records at all/,
  },
  { name: 'JSON []', input: [], kind: 'input_invalid', message: /it has no records at all/ },
  {
    name: 'all rows unresolved',
    input: toCsv([record({ idSensor: null, observatoryName: 'Hubble' })]),
    kind: 'input_invalid',
    message: /of 1 records 0 could not be read, 1 belong to no known sensor/,
  },
  {
    name: 'two descriptors',
    input: toCsv([...goodRecords(2), odd({ descriptor: 'PROVISIONAL' })]),
    kind: 'input_invalid',
    message: /^The file mixes descriptors: QUICKLOOK \(2 readings\), PROVISIONAL \(1 readings\)/,
  },
  {
    name: 'some descriptors blank, above the limit',
    input: toCsv([...goodRecords(2), odd({ descriptor: null })]),
    kind: 'quarantine_exceeded',
    message: /1 of 3 records cannot be used, more than 1 %: 1 × descriptor_missing \(record 3: descriptor is blank\)/,
  },
  {
    name: 'all descriptors blank',
    input: toCsv(goodRecords(3).map((fields) => ({ ...fields, descriptor: null }))),
    kind: 'quarantine_exceeded',
    message: /3 of 3 records/,
  },
  {
    name: 'no descriptor column',
    input: toCsv(without('descriptor')),
    kind: 'input_invalid',
    message: /^The file has no descriptor\./,
  },
  {
    name: 'no createdAt column',
    input: toCsv(without('createdAt')),
    kind: 'input_invalid',
    message: /^The file has no createdAt\./,
  },
  {
    name: 'JSON without createdAt in any record',
    input: without('createdAt'),
    kind: 'input_invalid',
    message: /^The file has no createdAt\./,
  },
  {
    name: 'neither idSensor nor observatoryName',
    input: toCsv(without('idSensor', 'observatoryName')),
    kind: 'input_invalid',
    message: /^The file has no idSensor, no observatoryName\./,
  },
  {
    name: 'a bare number as idSensor in every row',
    input: toCsv(goodRecords(3).map((fields) => ({ ...fields, idSensor: '101' }))),
    kind: 'quarantine_exceeded',
    message: /3 × sensor_invalid \(record 1: idSensor is "101", expected REACH-<number>\)/,
  },
  {
    name: 'sensors and descriptions without end',
    input: toCsv([
      ...Array.from({ length: 1100 }, (_, i) => record({ idSensor: `REACH-${1000 + i}` })),
      ...Array.from({ length: 1000 }, (_, i) => record({}, { obDescription: `dosimeter ${i}` })),
    ]),
    kind: 'input_invalid',
    message: /^The file has 1101 sensors, one of them with 1000 different obDescription/,
  },
  {
    name: 'more bad records than the limit',
    input: toCsv([...goodRecords(98), odd({ obTime: null }), odd({ obTime: 'noon' })]),
    kind: 'quarantine_exceeded',
    message: /2 of 100 records cannot be used, more than 1 %/,
  },
];

let folder: string;
const outcomes = new Map<string, BuildResult | PipelineError>();
const dumps = new Map<string, DumpedFile[]>();

async function buildCase({ name, input, request = {} }: Pick<Case, 'name' | 'input' | 'request'>): Promise<void> {
  const own = join(folder, String(outcomes.size));
  await mkdir(own);
  const format = typeof input === 'string' ? 'csv' : 'json';
  const inputPath = join(own, `${DAY_NAME}.${format}`);
  await writeFile(inputPath, typeof input === 'string' ? input : JSON.stringify(input));
  const outputPath = join(own, 'product.cdf');
  try {
    outcomes.set(name, await build(buildRequest({ inputPath, outputPath, format, ...request }), () => undefined));
    dumps.set(outputPath, []);
    paths.set(name, outputPath);
  } catch (error) {
    if (!(error instanceof PipelineError)) throw error;
    outcomes.set(name, error);
  }
}

const paths = new Map<string, string>();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'reach-l1c-'));
  for (const item of [...CASES, ...REFUSED]) await buildCase(item);
  for (const dump of await dumpFiles([...paths.values()])) dumps.get(dump.file)!.push(dump);
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

describe('CDF §12: built', () => {
  test.for(CASES)('$name', ({ name, check }) => {
    const result = outcomes.get(name);
    if (result instanceof PipelineError || result === undefined) throw result ?? new Error('not built');
    const seen = dumps.get(paths.get(name)!)!;
    expect(seen.map(({ reader }) => reader)).toEqual(['cdflib', 'pycdfpp', 'spacepy']);
    for (const dump of seen) check(result, dump);
  });
});

describe('CDF §12: refused, with the reason', () => {
  test.for(REFUSED)('$name', ({ name, kind, message }) => {
    expect(outcomes.get(name)).toMatchObject({
      kind,
      message: expect.stringMatching(message) as string,
      hint: expect.any(String) as string,
    });
  });

  test('the limit is a share: one in a hundred passes at 1 %', async () => {
    await buildCase({ name: 'at the limit', input: toCsv([...goodRecords(99), odd({ obTime: null })]) });
    expect(outcomes.get('at the limit')).toMatchObject({ quarantined: 1, readings: 99 });
  });

  test('a JSON object in place of a list', async () => {
    const inputPath = join(folder, `${DAY_NAME}.json`);
    await writeFile(inputPath, JSON.stringify(record()));
    const request = buildRequest({ inputPath, format: 'json', outputPath: join(folder, 'never.cdf') });
    await expect(build(request, () => undefined)).rejects.toMatchObject({
      kind: 'input_invalid',
      message: expect.stringMatching(/not a list of records/) as string,
    });
  });
});
