import { createHash } from 'node:crypto';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { DirectoryStore } from '../../../src/formats/zarr/index.ts';
import { temporaryFolder } from '../../storage/temporary-folder.ts';
import { MemoryStore } from './memory-store.ts';
import { objectStoreContract } from './object-store-contract.ts';

objectStoreContract('a folder', async () => new DirectoryStore(join(await temporaryFolder(), 'store.zarr')));
objectStoreContract('memory', async () => new MemoryStore());

describe('a folder', () => {
  test('APPEND-9: a killed writer leaves hidden files that no list shows and that tidying removes', async () => {
    const folder = await temporaryFolder();
    const store = new DirectoryStore(folder);
    await store.put('zarr.json', Buffer.from('1'));
    await mkdir(join(folder, '.partial'), { recursive: true });
    await writeFile(join(folder, '.partial', '4711-0123456789abcdef'), 'half');
    const listed = [];
    for await (const { key } of store.list('')) listed.push(key);
    expect(listed).toEqual(['zarr.json']);
    await store.tidy();
    expect(await readdir(folder)).toEqual(['zarr.json']);
  });

  test.each([
    { when: 'before its rename', base: 'old', expected: 'new' },
    { when: 'when another had been quicker', base: 'something older', expected: 'old' },
  ])('APPEND-9: a writer killed $when is settled by the next one', async ({ base, expected }) => {
    const folder = await temporaryFolder();
    const store = new DirectoryStore(folder);
    await store.put('zarr.json', Buffer.from('old'));
    await mkdir(join(folder, '.partial'), { recursive: true });
    const after = createHash('sha256').update(base).digest('hex');
    await writeFile(join(folder, '.partial', `claim-${after}-zarr.json`), 'new');
    await store.tidy();
    expect(Buffer.from((await store.get('zarr.json'))!.bytes).toString()).toBe(expected);
    expect(await readdir(folder)).toEqual(['zarr.json']);
  });

  test.each(['', 'a//b', '../x', 'a/../b', '.partial/x'])('the key "%s" is refused', async (key) => {
    const store = new DirectoryStore(await temporaryFolder());
    await expect(store.put(key, Buffer.from('x'))).rejects.toMatchObject({ kind: 'value_invalid' });
  });
});
