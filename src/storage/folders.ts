/** Folders an operator named: whether they can be written, and errors of the file system in words. */
import { constants } from 'node:fs';
import { access, mkdir, open, opendir, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { PipelineError } from '../core/errors.ts';
import { temporaryName } from './atomic-file.ts';

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  EROFS: 'the file system is read-only',
  ENOTDIR: 'a part of the path is a file, not a folder',
  EEXIST: 'a file stands where the folder should be',
  ENOENT: 'no such file or folder, and it cannot be made',
  ENOSPC: 'no space left on the device',
  EDQUOT: 'the disk quota is used up',
};

/** The system's error code such as `ENOENT`, or null for errors of another origin. */
export function errorCode(error: unknown): string | null {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return code ?? null;
}

/** An error of the file system in words, with its code: `permission denied (EACCES)`. */
export function explainFsError(error: unknown): string {
  const code = errorCode(error);
  if (code !== null && code in REASONS) return `${REASONS[code]} (${code})`;
  return error instanceof Error ? error.message : String(error);
}

/** `path` itself when it exists, else its nearest ancestor that does. */
export async function nearestExisting(path: string): Promise<string> {
  let current = path;
  while (dirname(current) !== current) {
    try {
      await stat(current);
      return current;
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') return current;
      current = dirname(current);
    }
  }
  return current;
}

/**
 * Whether permissions let files be made in `folder`, which need not exist yet. Changes nothing.
 *
 * @returns null when they could, else the reason in words
 */
export async function whyNotWritable(folder: string): Promise<string | null> {
  const existing = await nearestExisting(folder);
  try {
    if (!(await stat(existing)).isDirectory()) return `${existing} is a file, not a folder`;
    await access(existing, constants.W_OK | constants.X_OK);
    return null;
  } catch (error) {
    return `${existing}: ${explainFsError(error)}`;
  }
}

/**
 * Makes `folder` with its parents, or throws `config_invalid` naming the folder and the reason.
 *
 * @param purpose - what the folder is for, as in "Cannot write the downloads folder /x"
 */
export async function makeFolder(folder: string, purpose: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
    // Permissions say little about network and read-only file systems; a file that could be made says all.
    const probe = temporaryName(join(folder, 'probe'));
    await (await open(probe, 'wx')).close();
    // A worker that starts at this moment may have tidied it up.
    await rm(probe, { force: true });
  } catch (error) {
    throw new PipelineError(
      'config_invalid',
      `Cannot write the ${purpose} folder ${folder}: ${explainFsError(error)}.`,
      {
        hint: 'Choose another folder, or make this one writable for the user that runs reachback.',
        context: { path: folder },
        cause: error,
      },
    );
  }
}

/**
 * Looks, without changing anything, whether a folder to read from is there.
 *
 * @param what - what the folder is for, as in "The input folder /x does not exist."
 * @throws PipelineError `config_invalid` when `path` does not exist, is no folder or cannot be listed by this user
 */
export async function requireFolder(path: string, what: string): Promise<void> {
  const problem = await whyNotReadable(path);
  if (problem === null) return;
  throw new PipelineError('config_invalid', `The ${what} folder ${path} ${problem}.`, {
    hint: 'Check the spelling and name an existing folder that the user that runs reachback may read. Nothing was changed.',
    context: { path },
  });
}

async function whyNotReadable(path: string): Promise<string | null> {
  try {
    if (!(await stat(path)).isDirectory()) return 'is a file, not a folder';
    await (await opendir(path)).close();
    return null;
  } catch (error) {
    return errorCode(error) === 'ENOENT' ? 'does not exist' : `cannot be read: ${explainFsError(error)}`;
  }
}
