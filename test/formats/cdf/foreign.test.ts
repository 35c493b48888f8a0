/**
 * The reverse direction: files of cdflib, CDFpp and NASA's libcdf, read by this library, mean what their own readers say.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CdfReader, readCdf } from '../../../src/formats/cdf/index.ts';
import { runPython } from '../../support/python.ts';
import { dumpWithOurs, dumpWithReaders, encode, READERS } from './dumps.ts';
import type { FileDump, Reader, Verdict } from './dumps.ts';

const FILES = [
  'spacepy-plain',
  'spacepy-network-checksum',
  'spacepy-column',
  'spacepy-ppc-column-gzip',
  'spacepy-rle',
  'spacepy-whole-gzip',
  'spacepy-whole-gzip-checksum',
  'spacepy-whole-rle',
  'spacepy-300-blocks',
  'spacepy-300-gzip-blocks',
  'spacepy-sparse-pad',
  'spacepy-sparse-previous',
  'spacepy-sparse-pad-gzip',
  'spacepy-fixed-dimension',
  'cdflib-plain',
  'cdflib-network-gzip-checksum',
  'cdflib-column',
  'cdflib-rvariables',
  'cdflib-whole',
  'pycdfpp-plain',
  'pycdfpp-column',
  'pycdfpp-gzip',
  'pycdfpp-rle',
] as const;

/** cdflib takes every compression for gzip. */
const UNREAD: Readonly<Record<string, readonly Reader[]>> = { 'spacepy-rle': ['cdflib'], 'pycdfpp-rle': ['cdflib'] };

const SAMPLE = join(import.meta.dirname, '../../fixtures/cdf/reach_all_l1c_prelim_20250904T000000_v1.0.0.cdf');

let folder: string;
let verdicts: Map<string, Record<Reader, Verdict>>;
let paths: ReadonlyMap<string, string>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cdf-foreign-'));
  const made = (await runPython('make_files.py', [folder])).split('\n').filter(Boolean);
  paths = new Map([...made, SAMPLE].map((path) => [basename(path, '.cdf'), path]));
  verdicts = await dumpWithReaders([...paths.values()]);
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

test('every file made is in the table below', () => {
  expect([...paths.keys()].toSorted()).toEqual([...FILES, basename(SAMPLE, '.cdf')].toSorted());
});

describe.for([...FILES, basename(SAMPLE, '.cdf')])('%s', (name) => {
  const readers = READERS.filter((reader) => !UNREAD[name]?.includes(reader));

  test.for(readers)('as %s reads it', async (reader) => {
    const { dump, error } = verdicts.get(paths.get(name)!)![reader];
    expect(error).toBeUndefined();
    const ours = await dumpWithOurs(paths.get(name)!);
    expect(asComparable(reader, ours)).toEqual(asComparable(reader, dump!));
  });

  test.for([
    ['from the disk', (path: string) => CdfReader.open(path)],
    [
      'from memory, on this thread',
      async (path: string) => CdfReader.openBytes(await readFile(path), { inline: true }),
    ],
  ] as const)('ranges and batches, %s, give the same records as the whole', async ([, open]) => {
    const reader = await open(paths.get(name)!);
    const { variables } = await readCdf(paths.get(name)!);
    for (const { name: variable, records, dims } of reader.variables.values()) {
      const whole = variables.get(variable)!.values;
      const width = records === 0 ? dims.length : whole.length / records;
      const pieces = [];
      for await (const { first, records: count, values } of reader.batches(variable)) {
        expect(encode(values)).toEqual(encode(whole.slice(first * width, (first + count) * width)));
        pieces.push(count);
      }
      expect(pieces.reduce((sum, count) => sum + count, 0)).toBe(records);
      const [first, count] = [Math.floor(records / 3), Math.ceil(records / 2)];
      const range = await reader.read(variable, { first, count });
      expect(encode(range)).toEqual(encode(whole.slice(first * width, (first + count) * width)));
    }
    await reader.close();
  });
});

/** pycdfpp numbers global entries anew; spacepy alone tells pads. */
function asComparable(reader: Reader, { variables, globals, attributes }: FileDump): unknown {
  const values = Object.entries(globals).map(([name, entries]) => [name, Object.values(entries)] as const);
  return {
    variables: variables.map((variable) => ({ ...variable, pad: undefined })),
    globals: reader === 'pycdfpp' ? Object.fromEntries(values) : globals,
    attributes,
  };
}

test('what the description says of other forms', async () => {
  const described = async (name: string) => {
    const reader = await CdfReader.open(paths.get(name)!);
    const variables = [...reader.variables.values()];
    await reader.close();
    return { ...reader.description, ...variables[0]!, attributes: undefined };
  };
  expect(await described('spacepy-ppc-column-gzip')).toMatchObject({
    encoding: 9,
    majority: 'column',
    compression: 'gzip',
    gzipLevel: 3,
  });
  expect(await described('spacepy-network-checksum')).toMatchObject({
    encoding: 1,
    majority: 'row',
    hasChecksum: true,
    version: '3.9.1',
  });
  expect(await described('spacepy-whole-gzip')).toMatchObject({ isCompressed: true, compression: 'none' });
  expect(await described('spacepy-sparse-previous')).toMatchObject({ sparse: 'previous', pad: [-7.5], records: 21 });
  expect(await described('cdflib-rvariables')).toMatchObject({ kind: 'r', dims: [3, 4] });
  expect(await described('pycdfpp-rle')).toMatchObject({ compression: 'rle', gzipLevel: undefined });
});
