import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { removeLeftovers, temporaryName, writeAtomically, writeFileAtomically } from '../../src/storage/atomic-file.ts';
import { temporaryFolder } from './temporary-folder.ts';

describe('SAFE-5: a file appears whole or not at all', () => {
  test('under its name is the former content until the new one is complete', async () => {
    const path = join(await temporaryFolder(), 'a.csv');
    await writeFileAtomically(path, 'former');
    const length = await writeAtomically(path, async (file) => {
      await file.writeFile('latter');
      expect(await readFile(path, 'utf8')).toBe('former');
      return 6;
    });
    expect(length).toBe(6);
    expect(await readFile(path, 'utf8')).toBe('latter');
  });

  test('a failure leaves the former content and no temporary file', async () => {
    const folder = await temporaryFolder();
    const path = join(folder, 'a.csv');
    await writeFileAtomically(path, 'former');
    const failing = writeAtomically(path, async (file) => {
      await file.writeFile('half');
      throw new Error('cut');
    });
    await expect(failing).rejects.toThrow('cut');
    expect(await readFile(path, 'utf8')).toBe('former');
    expect(await readdir(folder)).toEqual(['a.csv']);
  });

  test('makes the folders above', async () => {
    const path = join(await temporaryFolder(), 'x/y/a.csv');
    await writeFileAtomically(path, new Uint8Array([1, 2]));
    expect([...(await readFile(path))]).toEqual([1, 2]);
  });

  test('leftovers of a killed writer are removed, other files are not', async () => {
    const folder = await temporaryFolder();
    const leftover = temporaryName(join(folder, 'a.csv'));
    await writeFile(leftover, 'half');
    await writeFile(join(folder, '.a.csv.manifest'), '{}');
    await writeFile(join(folder, 'a.tmp'), 'of the operator');
    const removed = await removeLeftovers(folder);
    expect(removed.map((name) => join(folder, name))).toEqual([leftover]);
    expect((await readdir(folder)).toSorted()).toEqual(['.a.csv.manifest', 'a.tmp']);
  });

  test('a missing folder has no leftovers', async () => {
    expect(await removeLeftovers('/nowhere/at/all')).toEqual([]);
  });
});
