/** What stands in a day's file, from slice files in order of time: CSV rows under one header, or one JSON list. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { parse } from 'csv-parse';
import { stringify } from 'csv-stringify/sync';
import { PipelineError } from '../../core/errors.ts';
import type { ArtifactFormat } from '../../core/product.ts';
import type { SliceFile } from './slice-file.ts';
import type { SliceInHand } from './turns.ts';

const PIECE_BYTES = 1 << 20;
/** Of a block in memory so much is hashed at once: three milliseconds without another turn of the event loop. */
const HASHED_BYTES = 4 << 20;
/** Rows that are written at once when a slice's columns differ from the day's. */
const ROWS_AT_ONCE = 500;
/** How rows are written everywhere. */
export const CSV_NOTATION = { record_delimiter: '\r\n', quoted_match: /[\r\n]/ };

/** Slices with records, ascending; they may come while the first ones are being written. */
export type SliceBodies = Iterable<SliceFile> | AsyncIterable<SliceFile | SliceInHand>;

/** A file that is written at places of its own choice, in which finished slices may stand already. */
export interface PartFile {
  readonly path: string;
  /** Whether a finished slice has a byte there. */
  readonly isTaken: (start: number, end: number) => boolean;
}

export interface BodyDigest {
  readonly sizeBytes: number;
  /** Lower-case hexadecimal. */
  readonly sha256: string;
}

/** A slice has a column that the header, already written, does not have. */
export class HeaderTooNarrow extends Error {}

/** A finished slice stands in the file where something else belongs. */
export class PlaceTaken extends Error {}

/**
 * Writes the whole body to a file, from its first byte.
 *
 * @param columns - of the header (CSV)
 * @param part - set when slices may stand in the file already: those that stand at their place are left as they are
 * @throws HeaderTooNarrow; PlaceTaken; PipelineError `checksum_mismatch` when a slice file is not as long as it says; the signal's reason
 */
export async function writeBody(
  file: FileHandle,
  format: ArtifactFormat,
  slices: SliceBodies,
  columns: readonly string[],
  signal: AbortSignal | undefined,
  part?: PartFile,
): Promise<BodyDigest> {
  const writer = new HashingWriter(file, signal, part);
  if (format === 'csv') await writeCsv(writer, slices, columns);
  else await writeJson(writer, slices);
  return writer.digest();
}

async function writeCsv(writer: HashingWriter, slices: SliceBodies, columns: readonly string[]): Promise<void> {
  const known = new Set(columns);
  await writer.write(stringify([[...columns]], CSV_NOTATION));
  for await (const slice of slices) {
    if (sameColumns(slice.header.columns, columns)) await writeBlock(writer, slice);
    else if ('block' in slice) throw new HeaderTooNarrow();
    else if (slice.header.columns.every((column) => known.has(column))) await remapBlock(writer, slice, columns);
    else throw new HeaderTooNarrow();
  }
}

async function writeJson(writer: HashingWriter, slices: SliceBodies): Promise<void> {
  let separator = '[\n';
  for await (const slice of slices) {
    await writer.write(separator);
    await writeBlock(writer, slice);
    separator = ',\n';
  }
  await writer.write('\n]');
}

async function writeBlock(writer: HashingWriter, slice: SliceFile | SliceInHand): Promise<void> {
  if (!('block' in slice)) {
    await copyBlock(writer, slice);
    return;
  }
  const { block, placed } = slice;
  const start = writer.position;
  for (let from = 0; from < block.length; from += HASHED_BYTES) {
    await writer.write(block.subarray(from, from + HASHED_BYTES));
  }
  placed(start);
}

async function copyBlock(
  writer: HashingWriter,
  { path, blockStart, isPart = false, header }: SliceFile,
): Promise<void> {
  const isInPlace = writer.isInPlace(path, blockStart);
  const source = await open(path, 'r');
  let bytes = 0;
  try {
    for (;;) {
      const most = isPart ? Math.min(PIECE_BYTES, header.blockBytes - bytes) : PIECE_BYTES;
      const { bytesRead } = await source.read(writer.piece, 0, most, blockStart + bytes);
      if (bytesRead === 0) break;
      const piece = writer.piece.subarray(0, bytesRead);
      if (isInPlace) writer.pass(piece);
      else await writer.write(piece);
      bytes += bytesRead;
    }
  } finally {
    await source.close();
  }
  if (bytes !== header.blockBytes) throw changed(path, `${header.blockBytes} bytes`, `${bytes} bytes`);
}

/** Writes a slice's rows with each value under its own name. */
async function remapBlock(
  writer: HashingWriter,
  { path, blockStart, isPart = false, header }: SliceFile,
  columns: readonly string[],
): Promise<void> {
  const places = columns.map((column) => header.columns.indexOf(column));
  const source = createReadStream(path, {
    start: blockStart,
    ...(isPart && { end: blockStart + header.blockBytes - 1 }),
    highWaterMark: PIECE_BYTES,
  });
  const rows = source.pipe(parse({ record_delimiter: '\r\n' }));
  source.on('error', (error) => rows.destroy(error));
  let count = 0;
  let batch: string[][] = [];
  const flush = async (): Promise<void> => {
    if (batch.length > 0) await writer.write(stringify(batch, CSV_NOTATION));
    batch = [];
  };
  try {
    for await (const row of rows as AsyncIterable<string[]>) {
      batch.push(places.map((place) => (place < 0 ? '' : (row[place] ?? ''))));
      count += 1;
      if (batch.length >= ROWS_AT_ONCE) await flush();
    }
  } finally {
    source.destroy();
  }
  await flush();
  if (count !== header.counts.records) throw changed(path, `${header.counts.records} records`, `${count}`);
}

export function sameColumns(a: readonly string[], b: readonly string[]): boolean {
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
  /** For the caller's use between two writes: one buffer for a whole day. */
  readonly piece = Buffer.allocUnsafeSlow(PIECE_BYTES);
  /** Of the next byte. */
  position = 0;
  readonly #file: FileHandle;
  readonly #signal: AbortSignal | undefined;
  readonly #part: PartFile | undefined;
  readonly #hash = createHash('sha256');

  constructor(file: FileHandle, signal: AbortSignal | undefined, part: PartFile | undefined) {
    this.#file = file;
    this.#signal = signal;
    this.#part = part;
  }

  /** Whether a block stands in this file already, where it belongs. */
  isInPlace(path: string, start: number): boolean {
    return path === this.#part?.path && start === this.position;
  }

  /** @throws PlaceTaken before anything is written */
  async write(piece: string | Uint8Array): Promise<void> {
    const bytes = typeof piece === 'string' ? Buffer.from(piece, 'utf8') : piece;
    const start = this.position;
    if (this.#part?.isTaken(start, start + bytes.length)) throw new PlaceTaken();
    this.#signal?.throwIfAborted();
    const writing = this.#writeAt(bytes, start);
    // Meanwhile.
    this.#take(bytes);
    await writing;
  }

  /** Goes on behind bytes that stand there already. */
  pass(bytes: Uint8Array): void {
    this.#signal?.throwIfAborted();
    this.#take(bytes);
  }

  #take(bytes: Uint8Array): void {
    this.#hash.update(bytes);
    this.position += bytes.length;
  }

  /** A write may take less than it was given. */
  async #writeAt(bytes: Uint8Array, start: number): Promise<void> {
    for (let written = 0; written < bytes.length;) {
      const { bytesWritten } = await this.#file.write(bytes, written, bytes.length - written, start + written);
      written += bytesWritten;
    }
  }

  digest(): BodyDigest {
    return { sizeBytes: this.position, sha256: this.#hash.digest('hex') };
  }
}
