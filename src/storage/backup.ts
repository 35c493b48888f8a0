/**
 * The former file is kept before another takes its name (SAFE-11). It gets a second name under the backup folder and keeps
 * the first until a rename replaces it, so that at no moment a reader finds nothing.
 */
import { constants } from 'node:fs';
import { access, copyFile, link, mkdir, open } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative } from 'node:path';
import { publishFile, syncFolder, temporaryName } from './atomic-file.ts';
import { errorCode } from './folders.ts';
import { manifestPath } from './manifest.ts';

/**
 * Keeps the present content of `path` as `<backupsRoot>/<time>/<path below the folder that holds backupsRoot>`, together
 * with its manifest when there is one. Backups are never deleted by us. The caller replaces `path` by a rename, never by
 * writing into it.
 *
 * @param now - names the backup's folder, `20250901T101112345Z`; a taken name gets `-2`, `-3`, …
 * @returns path of the backup
 */
export async function backupFile(path: string, backupsRoot: string, now: Date = new Date()): Promise<string> {
  const inside = relative(dirname(backupsRoot), path);
  if (inside.startsWith('..') || isAbsolute(inside)) {
    throw new RangeError(
      `${path} is not below ${dirname(backupsRoot)}, the folder that ${backupsRoot} keeps backups of`,
    );
  }
  const stamp = now.toISOString().replaceAll(/[-:.]/g, '');
  for (let copy = 1; ; copy += 1) {
    const backup = join(backupsRoot, copy === 1 ? stamp : `${stamp}-${copy}`, inside);
    await mkdir(dirname(backup), { recursive: true });
    if (!(await keepAs(path, backup))) continue;
    const manifest = manifestPath(path);
    if (await exists(manifest)) await keepAs(manifest, manifestPath(backup));
    return backup;
  }
}

/** Gives the file a second name; a copy where the file system has no links. @returns false when that name is taken */
export async function keepAs(path: string, second: string): Promise<boolean> {
  try {
    await link(path, second);
  } catch (error) {
    const code = errorCode(error);
    if (code === 'EEXIST') return false;
    const withoutLinks = code === 'EPERM' || code === 'ENOTSUP' || code === 'ENOSYS' || code === 'EXDEV';
    if (!withoutLinks) throw error;
    if (await exists(second)) return false;
    await copyDurably(path, second);
  }
  await syncFolder(dirname(second));
  return true;
}

async function copyDurably(path: string, copy: string): Promise<void> {
  const temporary = temporaryName(copy);
  await copyFile(path, temporary, constants.COPYFILE_EXCL);
  const file = await open(temporary, 'r+');
  await file.sync();
  await file.close();
  await publishFile(temporary, copy);
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
