/**
 * One finished slice on disk. The first line tells what follows, so that a file is adopted after a kill without the ledger:
 *
 *     {"version":1,"product":…,"day":…,"startMs":…,"endMs":…,…,"blockBytes":…,"sha256":…}⏎
 *     block: CSV rows without a header, or JSON records
 *
 * With `"part":…,"partStart":…` in the first line nothing follows: the block stands in that part file of the day, at that byte.
 *
 * Written under a temporary name and renamed, but not synced: a file that a power cut tore has another hash and is fetched
 * again, which costs one request and saves hundreds of syncs a day.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ProductSlug } from '../../core/product.ts';
import type { RecordCounts } from '../../core/records/counts.ts';
import type { Slice } from '../../core/slices.ts';
import type { Day } from '../../core/time/day.ts';
import type { SliceAnswer } from '../../sources/udl/index.ts';
import { temporaryName } from '../../storage/atomic-file.ts';
import { crashPoint } from '../../storage/crash-point.ts';
import { errorCode } from '../../storage/folders.ts';
import { isPartName } from './day-part.ts';
import type { DownloadRequest } from './types.ts';

/** What a slice is made of. */
export type Answered = Exclude<SliceAnswer, { kind: 'failed' | 'cancelled' }>;

export interface SliceHeader {
  readonly version: 1;
  readonly product: ProductSlug;
  readonly day: Day;
  /** Half-open interval that is kept, POSIX milliseconds. */
  readonly startMs: number;
  readonly endMs: number;
  readonly columns: readonly string[];
  readonly counts: RecordCounts;
  readonly outside: number;
  readonly httpStatus: number | null;
  /** Bytes of the answer. */
  readonly bodyBytes: number;
  readonly seconds: number;
  /** ISO 8601 UTC. */
  readonly fetchedAt: string;
  readonly blockBytes: number;
  /** Of the block, lower-case hexadecimal. */
  readonly sha256: string;
  /** Name of the part file that holds the block; absent when it follows in this one. */
  readonly part?: string;
  /** Where the block begins in the part file. */
  readonly partStart?: number;
}

/** A slice that has been written or verified. */
export interface SliceFile {
  /** The file that holds the block. */
  readonly path: string;
  /** Where the block begins. */
  readonly blockStart: number;
  /** Whether more follows behind the block. */
  readonly isPart?: boolean;
  readonly header: SliceHeader;
}

/** The first line of a finished slice's file. */
export function sliceHeader(
  { product, day }: Pick<DownloadRequest, 'product' | 'day'>,
  { startMs, endMs }: Slice,
  answer: Answered,
): SliceHeader {
  const data = answer.kind === 'data' ? answer : null;
  return {
    version: 1,
    product,
    day,
    startMs,
    endMs,
    columns: data?.columns ?? [],
    counts: data?.counts ?? { records: 0, distinctReadings: 0, recordsPerSensor: {} },
    outside: data?.outside ?? 0,
    httpStatus: answer.httpStatus,
    bodyBytes: answer.bodyBytes,
    seconds: answer.seconds,
    fetchedAt: new Date(answer.endedAtMs).toISOString(),
    blockBytes: data?.block.length ?? 0,
    sha256: data?.sha256 ?? SHA256_OF_NOTHING,
  };
}

/** First lines are about 2 kB (32 sensors, 25 columns); anything longer is no slice file. */
const LONGEST_HEADER = 1 << 20;
const LINE_FEED = 0x0a;
const SHA256_OF_NOTHING = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

/** `20260101T000000000-20260101T000500000.slice` */
export function sliceFileName({ startMs, endMs }: { readonly startMs: number; readonly endMs: number }): string {
  const [start, end] = [startMs, endMs].map((ms) => new Date(ms).toISOString().replaceAll(/[-:.Z]/g, ''));
  return `${start}-${end}.slice`;
}

/**
 * Writes a slice into `folder`, which must exist. Replaces a file of the same interval.
 *
 * @param block - empty when it stands in the part file
 */
export async function writeSliceFile(folder: string, header: SliceHeader, block: Uint8Array): Promise<SliceFile> {
  const path = join(folder, sliceFileName(header));
  const line = Buffer.from(`${JSON.stringify(header)}\n`, 'utf8');
  const temporary = temporaryName(path);
  try {
    const file = await open(temporary, 'wx');
    try {
      await file.writev([line, block]);
    } finally {
      await file.close();
    }
    crashPoint('slice-temporary');
    await rename(temporary, path);
    crashPoint('slice-renamed');
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  return located(path, line.length, header);
}

function located(path: string, lineBytes: number, header: SliceHeader): SliceFile {
  const { part, partStart } = header;
  if (part === undefined || partStart === undefined) return { path, blockStart: lineBytes, header };
  return { path: join(dirname(path), part), blockStart: partStart, isPart: true, header };
}

/** Reads a slice file and checks its block, wherever it stands, against its hash. @returns null when it is no intact slice */
export async function readSliceFile(path: string): Promise<SliceFile | null> {
  const found = await readHeader(path);
  if (!found) return null;
  const { header, lineBytes, sizeBytes } = found;
  if (header.part !== undefined && !isPartName(header.part)) return null;
  const slice = located(path, lineBytes, header);
  const { blockBytes, sha256, partStart = 0 } = header;
  const isWhole = sizeBytes === lineBytes + (slice.isPart ? 0 : blockBytes);
  if (!isWhole || !Number.isSafeInteger(partStart) || partStart < 0) return null;
  return (await hashOf(slice)) === sha256 ? slice : null;
}

/** @returns null when the file does not reach to the block's end, or is not there */
async function hashOf({ path, blockStart, header: { blockBytes } }: SliceFile): Promise<string | null> {
  const hash = createHash('sha256');
  if (blockBytes === 0) return hash.digest('hex');
  const range = { start: blockStart, end: blockStart + blockBytes - 1, highWaterMark: 1 << 20 };
  let bytes = 0;
  try {
    for await (const chunk of createReadStream(path, range) as AsyncIterable<Buffer>) {
      hash.update(chunk);
      bytes += chunk.length;
    }
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return null;
    throw error;
  }
  return bytes === blockBytes ? hash.digest('hex') : null;
}

interface FoundHeader {
  readonly header: SliceHeader;
  /** Of the first line, its end included. */
  readonly lineBytes: number;
  /** Of the whole file. */
  readonly sizeBytes: number;
}

async function readHeader(path: string): Promise<FoundHeader | null> {
  const file = await open(path, 'r');
  try {
    const { size: sizeBytes } = await file.stat();
    let start = Buffer.alloc(0);
    for (let size = 8 << 10; size <= LONGEST_HEADER; size *= 2) {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(size), 0, size, 0);
      start = buffer.subarray(0, bytesRead);
      const end = start.indexOf(LINE_FEED);
      if (end >= 0)
        return { header: JSON.parse(start.toString('utf8', 0, end)) as SliceHeader, lineBytes: end + 1, sizeBytes };
      if (bytesRead < size) return null;
    }
    return null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  } finally {
    await file.close();
  }
}

/** Keeps the start of a wrong answer for people: `<interval>-<number>.rejected` in `folder`. */
export async function keepRejected(
  folder: string,
  slice: { startMs: number; endMs: number },
  number: number,
  start: Uint8Array,
): Promise<string> {
  const name = sliceFileName(slice).replace(/\.slice$/, `-${String(number).padStart(2, '0')}.rejected`);
  const path = join(folder, name);
  await writeFile(path, start);
  return path;
}

/** When the oldest of the slices was fetched, ISO 8601 UTC; now when there is none. */
export function oldestFetch(files: readonly SliceFile[]): string {
  return files.map(({ header }) => header.fetchedAt).toSorted()[0] ?? new Date().toISOString();
}

/** `00:05:00..00:10:00` of the interval kept. */
export function interval({ startMs, endMs }: { startMs: number; endMs: number }): string {
  return [startMs, endMs].map((ms) => new Date(ms).toISOString().slice(11, 19)).join('..');
}
