/**
 * Reads an artifact once, from first byte to last: rows to a consumer, size and SHA-256 to the caller.
 *
 * Synchronous on purpose: it runs in a thread of its own, where waiting for the disk disturbs nobody.
 */
import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { PipelineError } from '../../../core/errors.ts';
import type { ArtifactFormat } from '../../../core/product.ts';
import { LONGEST_RECORD_BYTES } from './byte-parser.ts';
import type { ByteParser } from './byte-parser.ts';
import { CsvReader } from './csv-reader.ts';
import { JsonReader } from './json-reader.ts';
import type { RowConsumer } from './row.ts';

/** Large enough to make the reads cheap, small enough for the cache. */
const READ_BYTES = 1 << 18;

/** Progress is told about every so many bytes. */
const PROGRESS_BYTES = 16 << 20;

export interface ArtifactDigest {
  readonly sizeBytes: number;
  /** Lower-case hexadecimal. */
  readonly sha256: string;
}

/** What is known of a file as long as size and time stay as they are. */
export interface KnownArtifact extends ArtifactDigest {
  readonly mtimeMs: number;
}

/**
 * @param onProgress - called now and then with the bytes read and the file's size
 * @param known - spares the hashing when the file still has this size and time
 * @throws PipelineError `input_invalid` when the file is missing or not one of its format, `checksum_mismatch` when it is
 *   changed while it is read
 */
export function readArtifact(
  path: string,
  format: ArtifactFormat,
  consumer: RowConsumer,
  onProgress: (bytesRead: number, bytesTotal: number) => void,
  known?: KnownArtifact,
): ArtifactDigest {
  const file = openArtifact(path);
  try {
    const parser = format === 'csv' ? new CsvReader(consumer) : new JsonReader(consumer);
    if (!known || !isAsKnown(file, known)) return feed(file, parser, onProgress, createHash('sha256'));
    const { sizeBytes } = feed(file, parser, onProgress, null);
    if (sizeBytes !== known.sizeBytes || !isAsKnown(file, known)) throw changedMeanwhile(path);
    return { sizeBytes, sha256: known.sha256 };
  } finally {
    closeSync(file);
  }
}

function openArtifact(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (error) {
    throw new PipelineError('input_invalid', `Cannot open ${path}: ${(error as Error).message}`, {
      hint: 'Download the day again, or point --input-dir at the folder that holds it.',
      cause: error,
    });
  }
}

function isAsKnown(file: number, known: KnownArtifact): boolean {
  const { size, mtimeMs } = fstatSync(file);
  return size === known.sizeBytes && mtimeMs === known.mtimeMs;
}

function changedMeanwhile(path: string): PipelineError {
  return new PipelineError('checksum_mismatch', `${path} was changed while it was read.`, {
    hint: 'Nothing else may write there during a run. Run the same command with --retry-failed: the day is downloaded again.',
  });
}

/** @param hash - null when nobody needs it; the digest is empty then */
function feed(
  file: number,
  parser: ByteParser,
  onProgress: (read: number, total: number) => void,
  hash: Hash | null,
): ArtifactDigest {
  const total = fstatSync(file).size;
  const { buffer } = parser;
  let filled = 0;
  let sizeBytes = 0;
  for (let atEnd = false; !atEnd;) {
    const read = readSync(file, buffer, filled, Math.min(READ_BYTES, LONGEST_RECORD_BYTES - filled), null);
    atEnd = read === 0;
    hash?.update(buffer.subarray(filled, filled + read));
    filled += read;
    buffer[filled] = 0;
    const done = parser.parse(filled, atEnd, filled === LONGEST_RECORD_BYTES);
    buffer.copyWithin(0, done, filled);
    filled -= done;
    if (Math.floor(sizeBytes / PROGRESS_BYTES) !== Math.floor((sizeBytes + read) / PROGRESS_BYTES) || atEnd) {
      onProgress(sizeBytes + read, total);
    }
    sizeBytes += read;
  }
  parser.end();
  return { sizeBytes, sha256: hash?.digest('hex') ?? '' };
}
