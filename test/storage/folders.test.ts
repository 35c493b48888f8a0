import { once } from 'node:events';
import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import { makeFolder, requireFolder } from '../../src/storage/folders.ts';
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

test('CLI-D9: a folder is found writable while a worker that starts tidies it up', async () => {
  const folder = await temporaryFolder();
  const over = new Int32Array(new SharedArrayBuffer(4));
  const tidying = `
    const { readdirSync, rmSync } = require('node:fs');
    const { workerData: { folder, over }, parentPort } = require('node:worker_threads');
    parentPort.postMessage('begun');
    while (Atomics.load(over, 0) === 0) for (const name of readdirSync(folder)) rmSync(folder + '/' + name, { force: true });`;
  const worker = new Worker(tidying, { eval: true, workerData: { folder, over } });
  await once(worker, 'message');
  try {
    for (let looks = 0; looks < 100; looks += 1) await makeFolder(folder, 'downloads');
  } finally {
    Atomics.store(over, 0, 1);
    await once(worker, 'exit');
  }
  expect(await readdir(folder)).toEqual([]);
});
