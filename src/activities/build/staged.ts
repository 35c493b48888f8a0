/** Where the files of a day stand while it is built on a host without the workspace's folder (ADR 0015). */
import { basename } from 'node:path';
import { PipelineError } from '../../core/errors.ts';
import type { ProductManifest } from '../../storage/manifest.ts';
import type { StagedFile } from '../../storage/staging.ts';
import type { DayAttempt, StagedInput } from '../types.ts';

/** What a builder says of a product that it has staged. */
export interface BuiltNote {
  readonly manifest: ProductManifest;
  /** From the beginning of its fetching to the end of its staging. */
  readonly seconds: number;
}

/** All that is staged for a day; nothing else begins with it. */
export function dayPrefix({ input }: DayAttempt): string {
  return `days/${input.product}/${input.day}/`;
}

export function inputFile(attempt: DayAttempt, input: { path: string; sizeBytes: number; sha256: string }): StagedInput {
  const { path, sizeBytes, sha256 } = input;
  return { key: `${dayPrefix(attempt)}input/${sha256}/${basename(path)}`, sizeBytes, sha256 };
}

export function productFile(attempt: DayAttempt, { sizeBytes, sha256 }: ProductManifest): StagedFile {
  return { key: `${dayPrefix(attempt)}product/${sha256}.cdf`, sizeBytes, sha256 };
}

/** Named by all that decides a product but the program's version. */
export function noteKey(attempt: DayAttempt, inputSha256: string, version: string): string {
  return `${dayPrefix(attempt)}built/${inputSha256}-${attempt.input.options.profile}-${version}.json`;
}

/** A note that is one of this day, else null. */
export function readNote(value: unknown, { input }: DayAttempt, inputSha256: string): BuiltNote | null {
  const note = value as Partial<BuiltNote> | null;
  const manifest = note?.manifest;
  const isOurs =
    manifest?.manifestVersion === 1 &&
    manifest.kind === 'product' &&
    manifest.product === input.product &&
    manifest.day === input.day &&
    manifest.inputSha256 === inputSha256;
  return isOurs ? { manifest, seconds: note?.seconds ?? 0 } : null;
}

/** The input as the worker with the folder staged it. */
export function stagedInputOf({ staged, input }: DayAttempt): StagedInput {
  if (staged !== undefined) return staged;
  // Another worker may have the folder, or the downloading one be started anew with its staging.
  throw new PipelineError('storage_unavailable', `The file of ${input.day} is not staged, and this worker has no folder.`, {
    hint: 'Start the worker that downloads with --staging and the address that the build workers have as --workspace.',
  });
}
