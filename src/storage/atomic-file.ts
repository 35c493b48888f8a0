/**
 * Files that appear whole or not at all (SAFE-5): temporary name in the same folder, fsync, rename, fsync of the folder.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

const TEMPORARY_PATTERN = /^\..+\.[0-9]+-[0-9a-f]{8}\.tmp$/;

/** A fresh hidden name beside `path`; the process id in it lets a later start tell leftovers from work in progress. */
export function temporaryName(path: string): string {
  return join(dirname(path), `.${basename(path)}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`);
}

/** Makes a folder's entries durable. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Gives a finished temporary file its final name. The content must be synced already. Atomic; replaces what was there. */
export async function publishFile(temporaryPath: string, path: string): Promise<void> {
  await rename(temporaryPath, path);
  await syncFolder(dirname(path));
}

/**
 * Writes `path` through `fill`; nothing appears under the final name unless `fill` succeeds.
 *
 * @param mode - permissions of a file made anew; default as the process's mask says
 * @returns what `fill` returned
 */
export async function writeAtomically<T>(
  path: string,
  fill: (file: FileHandle) => Promise<T>,
  mode?: number,
): Promise<T> {
  await mkdir(dirname(path), { recursive: true });
  const temporary = temporaryName(path);
  const file = await open(temporary, 'wx', mode);
  let result: T;
  try {
    result = await fill(file);
    await file.sync();
    await file.close();
  } catch (error) {
    await file.close().catch(() => undefined);
    await rm(temporary, { force: true });
    throw error;
  }
  await publishFile(temporary, path);
  return result;
}

/** Writes a small file atomically. */
export async function writeFileAtomically(path: string, content: string | Uint8Array, mode?: number): Promise<void> {
  await writeAtomically(
    path,
    async (file) => {
      await file.writeFile(content);
    },
    mode,
  );
}

/**
 * Removes leftovers of `temporaryName` in `folder`. With an age of 0 only for a holder of the workspace's lock: no one else may
 * be writing.
 *
 * @param olderThanMs - age below which others may still be at them
 * @returns the names removed
 */
export async function removeLeftovers(folder: string, olderThanMs = 0): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  const leftovers: string[] = [];
  for (const name of names) {
    if (!TEMPORARY_PATTERN.test(name)) continue;
    const age =
      olderThanMs === 0 ? Infinity : Date.now() - (await stat(join(folder, name)).then((s) => s.mtimeMs, Date.now));
    if (age >= olderThanMs) leftovers.push(name);
  }
  await Promise.all(leftovers.map((name) => rm(join(folder, name), { force: true })));
  return leftovers;
}

/** Removes leftovers of `temporaryName(path)` alone. Only while nobody else writes `path`; its folder must exist. */
export async function removeLeftoversOf(path: string): Promise<void> {
  const folder = dirname(path);
  const names = await readdir(folder);
  const prefix = `.${basename(path)}.`;
  const leftovers = names.filter((name) => name.startsWith(prefix) && TEMPORARY_PATTERN.test(name));
  await Promise.all(leftovers.map((name) => rm(join(folder, name), { force: true })));
}
