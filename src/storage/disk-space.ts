/** Free space, looked at before a run so that a full disk is a message and not a day half done (design §5). */
import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { PipelineError } from '../core/errors.ts';
import { errorCode, nearestExisting } from './folders.ts';

/** Bytes an unprivileged user may still write at `path`, which need not exist yet. */
export async function freeBytes(path: string): Promise<number> {
  try {
    const { bavail, bsize } = await statfs(await nearestExisting(path));
    return bavail * bsize;
  } catch (error) {
    // A part of the path is a file: its disk is the one; that no folder can be made there is told by who makes it.
    if (errorCode(error) === 'ENOTDIR') return await freeBytes(dirname(path));
    throw error;
  }
}

/**
 * Checks that `neededBytes` fit at `path`.
 *
 * @param explain - where the estimate comes from, as in "30 days at about 0.6 GB of CSV each"
 * @throws PipelineError `config_invalid` with what is needed, what is free and what to do
 */
export async function requireFreeSpace(path: string, neededBytes: number, explain: string): Promise<void> {
  const free = await freeBytes(path);
  if (free >= neededBytes) return;
  throw new PipelineError(
    'config_invalid',
    `Not enough disk space at ${path}: about ${formatBytes(neededBytes)} needed (${explain}), ${formatBytes(free)} free.`,
    {
      hint: 'Free some space, name a folder on a larger disk, shorten the range, or pass --no-space-check when you know the days to be smaller.',
      context: { path, neededBytes, freeBytes: free },
    },
  );
}

/** Decimal units, as disks are sold: `12.3 GB`. */
function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value.toFixed(unit === 0 ? 0 : 1)} ${units[unit]}`;
}
