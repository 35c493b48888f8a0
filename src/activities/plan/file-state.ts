/** Compares a recorded file with the disk; reads it only when its size fits and its time does not (SAFE-7). */
import { stat } from 'node:fs/promises';
import { PipelineError } from '../../core/errors.ts';
import { explainFsError } from '../../storage/folders.ts';
import { fileDigest } from '../../storage/file-digest.ts';

/** What is remembered of a file. */
export interface KnownFile {
  readonly path: string;
  readonly sizeBytes: number;
  readonly mtimeMs: number;
  readonly sha256: string;
}

export interface FileCheck {
  readonly state: 'intact' | 'missing' | 'changed';
  /** The time to remember, when the content proved to be the same under another time. */
  readonly newMtimeMs: number | null;
}

export async function checkFile(known: KnownFile): Promise<FileCheck> {
  const found = await statFile(known.path);
  if (found === null) return { state: 'missing', newMtimeMs: null };
  if (found.sizeBytes !== known.sizeBytes) return { state: 'changed', newMtimeMs: null };
  if (found.mtimeMs === known.mtimeMs) return { state: 'intact', newMtimeMs: null };
  const { sha256 } = await fileDigest(known.path);
  return sha256 === known.sha256
    ? { state: 'intact', newMtimeMs: found.mtimeMs }
    : { state: 'changed', newMtimeMs: null };
}

/** Size and time of a file, null when nothing is there. A folder has size -1: it matches no record. */
export async function statFile(path: string): Promise<{ sizeBytes: number; mtimeMs: number } | null> {
  try {
    const found = await stat(path);
    return { sizeBytes: found.isFile() ? found.size : -1, mtimeMs: found.mtimeMs };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw new PipelineError('config_invalid', `Cannot look at ${path}: ${explainFsError(error)}.`, {
      hint: 'Give the user that runs reachback access to the workspace.',
      cause: error,
    });
  }
}
