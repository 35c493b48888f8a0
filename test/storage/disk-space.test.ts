import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { freeBytes, requireFreeSpace } from '../../src/storage/disk-space.ts';
import { temporaryFolder } from './temporary-folder.ts';

describe('free space before a run (design §5)', () => {
  test('is that of the nearest folder that exists', async () => {
    const folder = await temporaryFolder();
    const free = await freeBytes(folder);
    expect(free).toBeGreaterThan(0);
    await expect(requireFreeSpace(join(folder, 'not/yet/there'), 1, '1 day')).resolves.toBeUndefined();
  });

  test('where a part of the path is a file, it is that of the file', async () => {
    const folder = await temporaryFolder();
    writeFileSync(join(folder, 'file'), '');
    expect(await freeBytes(join(folder, 'file/downloads/deeper'))).toBeGreaterThan(0);
  });

  test('too little names need, reason, free, path and what to do', async () => {
    const folder = await temporaryFolder();
    const needing = requireFreeSpace(folder, 8e17, '30 days at about 0.6 GB of CSV each');
    await expect(needing).rejects.toMatchObject({
      kind: 'config_invalid',
      message: expect.stringMatching(
        /^Not enough disk space at \/.*: about 800\.0 PB needed \(30 days at about 0\.6 GB of CSV each\), [\d.]+ [kMGTP]?B free\.$/,
      ),
      hint: expect.stringContaining('larger disk'),
    });
  });
});
