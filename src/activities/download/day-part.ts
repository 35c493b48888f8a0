/**
 * The day's file in the making, `day.<process>.part` among the day's slices: it survives a kill, and what stands in it is named by
 * the headers of finished slices (`part`, `partStart`). What a header names is never written to; everything else may be, by the
 * process whose name it has. Another one reads it and begins its own: who was taken for dead may still write to what he has open.
 */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { link, open, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryName } from '../../storage/atomic-file.ts';
import { errorCode } from '../../storage/folders.ts';

const PATTERN = /^day\.[0-9]+-[0-9a-f]{8}\.part$/;

/** Of this process. */
export const OWN_PART = `day.${process.pid}-${randomBytes(4).toString('hex')}.part`;

export function isPartName(name: string): boolean {
  return PATTERN.test(name);
}

export function ownPartPath(folder: string): string {
  return join(folder, OWN_PART);
}

/** Part files that somebody in this process writes to, or is about to publish. */
const claimed = new Set<string>();

/**
 * To be called before the part file is opened. An attempt that the engine gave up may still be at work when the next one begins.
 *
 * @returns what gives it free again; null while another attempt has it: then it may only be read
 */
export function claimPart(path: string): (() => void) | null {
  if (claimed.has(path)) return null;
  claimed.add(path);
  return () => claimed.delete(path);
}

/**
 * Opens the part file for writing, a new one when there is none.
 *
 * @returns null when it has a second name: then it is somebody's file as it is, and may only be read
 */
export async function openPart(path: string): Promise<FileHandle | null> {
  const file = await open(path, constants.O_RDWR | constants.O_CREAT);
  try {
    if ((await file.stat()).nlink === 1) return file;
  } catch (error) {
    await file.close();
    throw error;
  }
  await file.close();
  return null;
}

const WITHOUT_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EXDEV', 'EMLINK']);

/**
 * Gives the part file a hidden name beside `path`, from which it can be published; the slices keep theirs until they are discarded.
 *
 * @returns null where the file system has no second names
 */
export async function linkBeside(part: string, path: string): Promise<string | null> {
  const temporary = temporaryName(path);
  try {
    await link(part, temporary);
    return temporary;
  } catch (error) {
    await rm(temporary, { force: true });
    if (WITHOUT_LINKS.has(errorCode(error) ?? '')) return null;
    throw error;
  }
}
