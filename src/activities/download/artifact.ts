/** The day's file: put together from slice files in order of time (UDL-26…30), or found intact from an earlier run. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { stat } from 'node:fs/promises';
import { parse } from 'csv-parse';
import { stringify } from 'csv-stringify/sync';
import { PipelineError } from '../../core/errors.ts';
import type { ArtifactFormat } from '../../core/product.ts';
import { writeAtomically } from '../../storage/atomic-file.ts';
import { fileDigest } from '../../storage/file-digest.ts';
import { readManifest } from '../../storage/manifest.ts';
import type { DownloadManifest } from '../../storage/manifest.ts';
import type { SliceFile } from './slice-file.ts';
import type { DownloadRequest } from './types.ts';

const PIECE_BYTES = 1 << 20;
/** Rows that are written at once when a slice's columns differ from the day's. */
const ROWS_AT_ONCE = 500;
const CSV_NOTATION = { record_delimiter: '\r\n', quoted_match: /[\r\n]/ };

/**
 * The manifest of an artifact that is there, belongs to this day and holds what the manifest says; null otherwise.
 *
 * @throws PipelineError `path_owned` when an intact artifact of another product stands at the path (UDL-27)
 */
export async function findIntactArtifact(
  path: string,
  { product, day }: DownloadRequest,
): Promise<DownloadManifest | null> {
  const manifest = await readManifest(path);
  const found = await stat(path).catch(() => null);
  if (manifest?.kind !== 'download' || found?.size !== manifest.sizeBytes) return null;
  if ((await fileDigest(path)).sha256 !== manifest.sha256) return null;
  if (manifest.product === product && manifest.day === day) return manifest;
  throw new PipelineError(
    'path_owned',
    `${path} holds ${manifest.product} of ${manifest.day}, not ${product} of ${day}.`,
    {
      hint: 'Use another workspace or output folder for this product, or move that file away.',
      context: { path },
    },
  );
}

/**
 * Writes the artifact atomically.
 *
 * @param files - non-empty slices, ascending
 * @param columns - union of the slices' columns
 */
export async function assembleArtifact(
  path: string,
  format: ArtifactFormat,
  files: readonly SliceFile[],
  columns: readonly string[],
  signal?: AbortSignal,
): Promise<{ sizeBytes: number; sha256: string }> {
  return writeAtomically(path, async (file) => {
    const writer = new HashingWriter(file, signal);
    if (format === 'csv') await writeCsv(writer, files, columns);
    else await writeJson(writer, files);
    return writer.digest();
  });
}

/** Keys of all slices, in the order first seen (UDL-D2). */
export function unionOfColumns(files: readonly SliceFile[]): string[] {
  return [...new Set(files.flatMap(({ header }) => header.columns))];
}

async function writeCsv(writer: HashingWriter, files: readonly SliceFile[], columns: readonly string[]): Promise<void> {
  await writer.write(stringify([[...columns]], CSV_NOTATION));
  for (const file of files) {
    if (sameColumns(file.header.columns, columns)) await copyBlock(writer, file);
    else await remapBlock(writer, file, columns);
  }
}

async function writeJson(writer: HashingWriter, files: readonly SliceFile[]): Promise<void> {
  await writer.write('[\n');
  for (const [index, file] of files.entries()) {
    if (index > 0) await writer.write(',\n');
    await copyBlock(writer, file);
  }
  await writer.write('\n]');
}

async function copyBlock(writer: HashingWriter, { path, blockStart, header }: SliceFile): Promise<void> {
  let bytes = 0;
  for await (const chunk of createReadStream(path, {
    start: blockStart,
    highWaterMark: PIECE_BYTES,
  }) as AsyncIterable<Buffer>) {
    await writer.write(chunk);
    bytes += chunk.length;
  }
  if (bytes !== header.blockBytes) throw changed(path, `${header.blockBytes} bytes`, `${bytes} bytes`);
}

/** Writes a slice's rows with each value under its own name. */
async function remapBlock(
  writer: HashingWriter,
  { path, blockStart, header }: SliceFile,
  columns: readonly string[],
): Promise<void> {
  const places = columns.map((column) => header.columns.indexOf(column));
  const source = createReadStream(path, { start: blockStart, highWaterMark: PIECE_BYTES });
  const rows = source.pipe(parse({ record_delimiter: '\r\n' }));
  source.on('error', (error) => rows.destroy(error));
  let count = 0;
  let batch: string[][] = [];
  const flush = async (): Promise<void> => {
    if (batch.length > 0) await writer.write(stringify(batch, CSV_NOTATION));
    batch = [];
  };
  for await (const row of rows as AsyncIterable<string[]>) {
    batch.push(places.map((place) => (place < 0 ? '' : (row[place] ?? ''))));
    count += 1;
    if (batch.length >= ROWS_AT_ONCE) await flush();
  }
  await flush();
  if (count !== header.counts.records) throw changed(path, `${header.counts.records} records`, `${count}`);
}

function sameColumns(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((column, index) => column === b[index]);
}

function changed(path: string, expected: string, found: string): PipelineError {
  return new PipelineError(
    'checksum_mismatch',
    `The slice file ${path} has changed: expected ${expected}, found ${found}.`,
    {
      hint: 'Run the same command again: the slice is fetched again.',
      context: { path },
    },
  );
}

/** Writes one piece after the other and hashes what it writes. */
class HashingWriter {
  readonly #file: FileHandle;
  readonly #signal: AbortSignal | undefined;
  readonly #hash = createHash('sha256');
  #sizeBytes = 0;

  constructor(file: FileHandle, signal: AbortSignal | undefined) {
    this.#file = file;
    this.#signal = signal;
  }

  async write(piece: string | Uint8Array): Promise<void> {
    this.#signal?.throwIfAborted();
    const bytes = typeof piece === 'string' ? Buffer.from(piece, 'utf8') : piece;
    this.#hash.update(bytes);
    this.#sizeBytes += bytes.length;
    // A write may take less than it was given.
    for (let written = 0; written < bytes.length;) {
      written += (await this.#file.write(bytes, written)).bytesWritten;
    }
  }

  digest(): { sizeBytes: number; sha256: string } {
    return { sizeBytes: this.#sizeBytes, sha256: this.#hash.digest('hex') };
  }
}
