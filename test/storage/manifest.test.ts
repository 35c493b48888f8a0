import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Day } from '../../src/core/time/day.ts';
import { manifestPath, readManifest, writeManifest } from '../../src/storage/manifest.ts';
import type { ProductManifest } from '../../src/storage/manifest.ts';
import { temporaryFolder } from './temporary-folder.ts';

const MANIFEST: ProductManifest = {
  manifestVersion: 1,
  kind: 'product',
  product: 'reach-all/quicklook',
  day: '2025-09-01' as Day,
  file: 'a.cdf',
  sizeBytes: 3,
  sha256: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
  writer: 'reachback-cdf 0.1.0',
  profile: 'parity',
  version: '1.0.0',
  inputFile: 'a.csv',
  inputSha256: '00',
  descriptor: 'QUICKLOOK',
  generationDate: '2025-09-02',
  records: 1,
  times: 1,
  sensors: 1,
  duplicates: 0,
  quarantined: 0,
};

describe('the manifest beside a file', () => {
  test('reads back as it was written', async () => {
    const path = join(await temporaryFolder(), 'a.cdf');
    await writeManifest(path, MANIFEST);
    expect(await readManifest(path)).toEqual(MANIFEST);
  });

  test.for([
    ['absent', null],
    ['cut', '{"manifestVersion": 1, "file": "a.c'],
    ['of another file', JSON.stringify({ ...MANIFEST, file: 'b.cdf' })],
    ['of a later version', JSON.stringify({ ...MANIFEST, manifestVersion: 2 })],
  ] as const)('%s counts as none', async ([, content]) => {
    const path = join(await temporaryFolder(), 'a.cdf');
    if (content !== null) await writeFile(manifestPath(path), content);
    expect(await readManifest(path)).toBeNull();
  });

  test('is hidden from a glob of the folder', () => {
    expect(manifestPath('/data/products/a.cdf')).toBe('/data/products/.a.cdf.manifest');
  });
});
