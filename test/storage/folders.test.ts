import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { requireFolder } from '../../src/storage/folders.ts';
import { asOrdinaryUser } from './ordinary-user.ts';
import { temporaryFolder } from './temporary-folder.ts';

describe('CLI-18: a folder to read from', () => {
  test('that is there is accepted, also when it is empty', async () => {
    const folder = await temporaryFolder();
    await expect(requireFolder(folder, 'input')).resolves.toBeUndefined();
    await expect(requireFolder(`${folder}/`, 'input')).resolves.toBeUndefined();
  });

  test.for([
    ['missing', 'does not exist'],
    ['missing/deeper', 'does not exist'],
    ['file', 'is a file, not a folder'],
    ['file/deeper', 'cannot be read: a part of the path is a file, not a folder (ENOTDIR)'],
  ] as const)('that is none (%s) is refused by name with what to do, and not made', async ([name, reason]) => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'file'), '');
    const path = join(folder, name);
    await expect(requireFolder(path, 'input')).rejects.toMatchObject({
      kind: 'config_invalid',
      message: `The input folder ${path} ${reason}.`,
      hint: expect.stringContaining('name an existing folder'),
      context: { path },
    });
    expect(await readdir(folder)).toEqual(['file']);
  });

  test('that this user may not read is refused', async () => {
    const folder = await temporaryFolder();
    const path = join(folder, 'secret');
    await mkdir(path);
    await chmod(folder, 0o755);
    await chmod(path, 0);
    await asOrdinaryUser(async () => {
      await expect(requireFolder(path, 'input')).rejects.toMatchObject({
        kind: 'config_invalid',
        message: `The input folder ${path} cannot be read: permission denied (EACCES).`,
      });
    });
  });
});
