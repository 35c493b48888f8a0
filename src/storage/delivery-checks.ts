/** What every destination asks before and after a delivery, with one wording. */
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { PipelineError } from '../core/errors.ts';
import type { Delivery } from './destination.ts';
import { explainFsError } from './folders.ts';

/** A key stays below the base: relative, without empty, hidden-by-dots or upward parts. */
export function checkedKey(key: string): string {
  const unsafe = key.split('/').some((part) => part === '' || part === '.' || part === '..' || part.includes('\0'));
  if (unsafe) throw new PipelineError('invariant_broken', `"${key}" is not a key below a destination (S3-1).`);
  return key;
}

/** An object that another product delivered is not ours to replace, not even with a backup (CDF-D1). */
export function refuseOwned(noted: string | null, { key, owner }: Delivery, uri: string): void {
  if (owner === undefined || noted === null || noted === owner) return;
  throw new PipelineError(
    'path_owned',
    `${uri} belongs to ${noted}; ${owner} would replace it, as file names do not tell the two apart.`,
    {
      hint: 'Give one of the two products another destination folder with --upload-to. Nothing was changed there.',
      context: { key, owner: noted, product: owner },
    },
  );
}

/** For the log: an object was replaced that nobody had noted as theirs. */
export function replacedUnknown(uri: string, keptAs: string): string {
  return `Nobody had noted whose file ${uri} was; it was replaced and is kept as ${keptAs}`;
}

/** @throws PipelineError `input_invalid` naming the product's file */
export async function requireSource(path: string): Promise<void> {
  try {
    await access(path, constants.R_OK);
  } catch (error) {
    throw new PipelineError('input_invalid', `Cannot read the product ${path}: ${explainFsError(error)}.`, {
      hint: 'Run the same command again: a missing product is built anew from its download.',
      context: { path },
      cause: error,
    });
  }
}

/** The source, or what came of it, is not what was announced. */
export function notAsAnnounced(
  what: string,
  got: { sizeBytes: number; sha256: string },
  delivery: Delivery,
): PipelineError {
  return new PipelineError(
    'checksum_mismatch',
    `${what} ${got.sizeBytes} bytes, SHA-256 ${got.sha256}; expected ${delivery.sizeBytes} bytes, ${delivery.sha256}. Nothing was delivered.`,
    {
      hint: 'The product was changed after it was built, or the disk is failing. Delete the product and run the same command: it is built again.',
      context: { path: delivery.sourcePath },
    },
  );
}
