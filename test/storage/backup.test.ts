import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { writeFileAtomically } from '../../src/storage/atomic-file.ts';
import { backupFile } from '../../src/storage/backup.ts';
import { manifestPath } from '../../src/storage/manifest.ts';
import { temporaryFolder } from './temporary-folder.ts';

const NOW = new Date('2025-09-01T10:11:12.345Z');

async function products(): Promise<{ file: string; backups: string }> {
  const folder = await temporaryFolder();
  const file = join(folder, 'l1c/2025/a.cdf');
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, 'former');
  return { file, backups: join(folder, '_backup') };
}

describe('SAFE-11: backup before a product is replaced', () => {
  test('the former file stays readable under both names until it is replaced', async () => {
    const { file, backups } = await products();
    const backup = await backupFile(file, backups, NOW);
    expect(backup).toBe(join(backups, '20250901T101112345Z/l1c/2025/a.cdf'));
    expect(await readFile(file, 'utf8')).toBe('former');
    await writeFileAtomically(file, 'latter');
    expect(await readFile(backup, 'utf8')).toBe('former');
    expect(await readFile(file, 'utf8')).toBe('latter');
  });

  test('its manifest goes with it', async () => {
    const { file, backups } = await products();
    await writeFile(manifestPath(file), '{"of":"former"}');
    const backup = await backupFile(file, backups, NOW);
    expect(await readFile(manifestPath(backup), 'utf8')).toBe('{"of":"former"}');
  });

  test('two backups of the same moment are both kept', async () => {
    const { file, backups } = await products();
    const first = await backupFile(file, backups, NOW);
    await writeFileAtomically(file, 'latter');
    const second = await backupFile(file, backups, NOW);
    expect(second).toBe(join(backups, '20250901T101112345Z-2/l1c/2025/a.cdf'));
    expect(await readFile(first, 'utf8')).toBe('former');
    expect(await readFile(second, 'utf8')).toBe('latter');
  });

  test('a file outside the folder of the backups is a mistake of the caller', async () => {
    const { backups } = await products();
    await expect(backupFile('/etc/hostname', backups, NOW)).rejects.toThrow(RangeError);
  });

  test('a missing file is an error, not an empty backup', async () => {
    const { file, backups } = await products();
    await expect(backupFile(`${file}.missing`, backups, NOW)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
