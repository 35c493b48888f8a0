/**
 * The server's database while it is made. The server makes its tables only when the file is not there, and in many steps: a
 * kill between two of them would leave a file with which it never starts again. So a note beside it says that it is not whole yet.
 */
import { open, rm, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncFolder, writeFileAtomically } from '../storage/atomic-file.ts';
import { errorCode } from '../storage/folders.ts';

/** Beside the database, from before it is made until a server was ready with it. */
function notePath(databasePath: string): string {
  return `${databasePath}.unfinished`;
}

/**
 * Before a server starts. A database with which none was ever ready is removed: nobody could have put work into it. Only for the
 * holder of the workspace's lock.
 */
export async function markMaking(databasePath: string): Promise<void> {
  const note = notePath(databasePath);
  if (await exists(note)) {
    for (const suffix of ['-wal', '-shm', '-journal', '']) await rm(databasePath + suffix, { force: true });
  } else if (!(await exists(databasePath))) {
    await writeFileAtomically(note, 'A server is making the database beside this file.\n');
  }
}

/** Once a server is ready: what it made is on the disk, and stays. */
export async function markWhole(databasePath: string): Promise<void> {
  const note = notePath(databasePath);
  if (!(await exists(note))) return;
  for (const suffix of ['', '-wal']) await syncFile(databasePath + suffix);
  await syncFolder(dirname(databasePath));
  await rm(note);
}

/** A log that SQLite has just taken in is no longer there. */
async function syncFile(path: string): Promise<void> {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return;
    throw error;
  }
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false;
    throw error;
  }
}
