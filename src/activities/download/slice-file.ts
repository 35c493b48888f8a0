/**
 * One finished slice on disk. The first line tells what follows, so that a file is adopted after a kill without the ledger:
 *
 *     {"version":1,"product":…,"day":…,"startMs":…,"endMs":…,…,"blockBytes":…,"sha256":…}⏎
 *     block: CSV rows without a header, or JSON records
 *
 * Written under a temporary name and renamed, but not synced: a file that a power cut tore has another hash and is fetched
 * again, which costs one request and saves hundreds of syncs a day.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ProductSlug } from '../../core/product.ts';
import type { RecordCounts } from '../../core/records/counts.ts';
import type { Day } from '../../core/time/day.ts';
import { temporaryName } from '../../storage/atomic-file.ts';
import { crashPoint } from '../../storage/crash-point.ts';

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
}

/** A slice file that has been written or verified. */
export interface SliceFile {
  readonly path: string;
  /** Where the block begins. */
  readonly blockStart: number;
  /** Whether more follows behind the block. */
  readonly isPart?: boolean;
  readonly header: SliceHeader;
}

/** First lines are about 2 kB (32 sensors, 25 columns); anything longer is no slice file. */
const LONGEST_HEADER = 1 << 20;
const LINE_FEED = 0x0a;

/** `20260101T000000000-20260101T000500000.slice` */
export function sliceFileName({ startMs, endMs }: { readonly startMs: number; readonly endMs: number }): string {
  const [start, end] = [startMs, endMs].map((ms) => new Date(ms).toISOString().replaceAll(/[-:.Z]/g, ''));
  return `${start}-${end}.slice`;
}

/** Writes a slice into `folder`, which must exist. Replaces a file of the same interval. */
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
  return { path, blockStart: line.length, header };
}

/** Reads a slice file and checks its block against its hash. @returns null when it is no intact slice file */
export async function readSliceFile(path: string): Promise<SliceFile | null> {
  const found = await readHeader(path);
  if (!found) return null;
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of createReadStream(path, {
    start: found.blockStart,
    highWaterMark: 1 << 20,
  }) as AsyncIterable<Buffer>) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  const { blockBytes, sha256 } = found.header;
  return bytes === blockBytes && hash.digest('hex') === sha256 ? found : null;
}

async function readHeader(path: string): Promise<SliceFile | null> {
  const file = await open(path, 'r');
  try {
    let start = Buffer.alloc(0);
    for (let size = 8 << 10; size <= LONGEST_HEADER; size *= 2) {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(size), 0, size, 0);
      start = buffer.subarray(0, bytesRead);
      const end = start.indexOf(LINE_FEED);
      if (end >= 0)
        return { path, blockStart: end + 1, header: JSON.parse(start.toString('utf8', 0, end)) as SliceHeader };
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

/** `00:05:00..00:10:00` of the interval kept. */
export function interval({ startMs, endMs }: { startMs: number; endMs: number }): string {
  return [startMs, endMs].map((ms) => new Date(ms).toISOString().slice(11, 19)).join('..');
}
