/**
 * The `istp` profile: spacepy's checks find nothing, and what was wrong in the published product is put right.
 */
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { build } from '../../../src/products/reach-l1c/build.ts';
import { runPython } from '../../support/python.ts';
import {
  buildRequest,
  CSV_SAMPLE,
  DAY_NAME,
  dumpFiles,
  globalOf,
  goodRecords,
  JSON_SAMPLE,
  PUBLISHED_PRODUCT,
  toCsv,
  variableOf,
} from './support.ts';
import type { DumpedFile } from './support.ts';

let folder: string;
const products: string[] = [];
let seen: DumpedFile;
let parity: DumpedFile;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'reach-l1c-'));
  const oneSensor = join(folder, `${DAY_NAME}.csv`);
  await writeFile(oneSensor, toCsv(goodRecords(1)));
  const requests = [
    { inputPath: CSV_SAMPLE },
    { inputPath: JSON_SAMPLE, format: 'json' as const },
    { inputPath: oneSensor, sensor: 'REACH-101' },
  ];
  for (const [index, request] of requests.entries()) {
    const outputPath = join(folder, 'product.tmp');
    const { fileName } = await build(buildRequest({ ...request, outputPath, profile: 'istp' }), () => undefined);
    // The checks hold the metadata against the file's name.
    await mkdir(join(folder, String(index)));
    products.push(join(folder, String(index), fileName));
    await rename(outputPath, products.at(-1)!);
  }
  const dumps = (await dumpFiles([products[0]!, PUBLISHED_PRODUCT])).filter(({ reader }) => reader === 'cdflib');
  [seen, parity] = dumps as [DumpedFile, DumpedFile];
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

async function istpErrors(path: string): Promise<string[]> {
  const output = await runPython('../../products/reach-l1c/istp_checks.py', [], `${path}\n`);
  return (JSON.parse(output) as Record<string, string[]>)[path]!;
}

describe('spacepy.pycdf.istp finds', () => {
  test.for([
    [0, 'the CSV sample'],
    [1, 'the JSON sample'],
    [2, 'one sensor at one time'],
  ] as const)('nothing in product %i, of %s', async ([index]) => {
    expect(await istpErrors(products[index]!)).toEqual([]);
  });

  test('nine errors in the published product, so the checks do look', async () => {
    expect(await istpErrors(PUBLISHED_PRODUCT)).toHaveLength(9);
  });
});

function attribute(name: string, attributeName: string): string | undefined {
  return seen.attributes[name]?.[attributeName]?.[1];
}

describe('corrections', () => {
  test('values, axes and dimensions are those of the published product', () => {
    expect(seen.variables).toEqual(parity.variables);
  });

  test.for([
    ['CDF-D5', 'dose_rate', 'UNITS', 'rad/s'],
    ['CDF-D6', 'obQuality', 'UNITS', ' '],
    ['CDF-D7', 'sensor_labels', 'FORMAT', 'A9'],
    ['CDF-D7', 'dosimeter_flavors', 'FORMAT', 'A30'],
    ['CDF-D7', 'dosimeter_flavor_labels', 'FORMAT', 'A8'],
    ['CDF-D9', 'Epoch', 'RESOLUTION', '5s'],
    ['ISTP', 'dose_rate', 'DISPLAY_TYPE', 'spectrogram'],
    ['ISTP', 'lat', 'LABLAXIS', 'lat'],
    ['ISTP', 'sensor_ids', 'VAR_TYPE', 'support_data'],
    ['ISTP', 'Epoch', 'MONOTON', 'INCREASE'],
  ] as const)('%s: %s has %s %j', ([, name, attributeName, value]) => {
    expect(attribute(name, attributeName)).toBe(value);
  });

  test.for([
    ['lat', -90, 90],
    ['lon', -180, 180],
    ['alt', 0, 2000],
    ['dose_rate', 0, 1e6],
  ] as const)('CDF-D8: %s is valid from %d to %d', ([name, min, max]) => {
    const read = (attributeName: string): number => Buffer.from(attribute(name, attributeName)!, 'hex').readDoubleLE();
    expect([read('VALIDMIN'), read('VALIDMAX')]).toEqual([min, max]);
  });

  test('CDF-D19: Logical_source begins the file name', () => {
    expect(globalOf(seen, 'Logical_source')).toBe('reach_all_l1c_prelim');
  });

  test('the file says its profile, and every label fits its axis', () => {
    expect(globalOf(seen, 'Product_profile')).toBe('istp');
    const labels = Object.values(seen.attributes).flatMap((entries) => entries['LABLAXIS']?.[1] ?? []);
    expect(labels).toHaveLength(11);
    expect(labels.filter((label) => label.length > 10)).toEqual([]);
    expect(variableOf(seen, 'Epoch').records).toBe(13);
  });
});
