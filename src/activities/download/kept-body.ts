/**
 * Bodies that may be data, but that this version cannot read (TRACK-10): kept whole beside the slices of their unfinished day,
 * so that a later version can read them without asking again. They go with the slices once the day is in the ledger.
 *
 *     20260101T000000000-20260101T000500000-01.raw
 *     {"version":1,"product":…,"day":…,"startMs":…,…,"bytes":…,"sha256":…}⏎   what it is
 *     the body, compressed with gzip                                            tail -n +2 FILE | gunzip
 */
import { createHash } from 'node:crypto';
import { open, readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { constants, gunzip, gzip } from 'node:zlib';
import type { SliceMode } from '../../core/backfill/types.ts';
import type { ProductSlug } from '../../core/product.ts';
import type { Slice } from '../../core/slices.ts';
import type { Day } from '../../core/time/day.ts';
import type { WrongBody } from '../../sources/udl/index.ts';
import { writeAtomically } from '../../storage/atomic-file.ts';
import { sliceFileName } from './slice-file.ts';

/** All bodies kept in a workspace together, compressed; beyond that only their beginnings are kept. */
const MOST_KEPT_BYTES = 1 << 30;
const SUFFIX = '.raw';
const LINE_FEED = 0x0a;
const LONGEST_HEADER = 16 << 10;

export interface KeptBodyHeader {
  readonly version: 1;
  readonly product: ProductSlug;
  readonly day: Day;
  readonly sliceMode: SliceMode;
  /** The slice of the day that it is part of. */
  readonly startMs: number;
  readonly endMs: number;
  /** What was asked for: the slice, or a part of it. */
  readonly asked: Slice;
  readonly httpStatus: number | null;
  readonly contentType: string | null;
  /** Of the body, beside the gzip of this file; null for none. */
  readonly encoding: string | null;
  /** Of the body, without this file's gzip. */
  readonly bytes: number;
  readonly sha256: string;
  /** Why it could not be read. */
  readonly why: string;
  /** ISO 8601 UTC. */
  readonly fetchedAt: string;
}

export interface KeptBody {
  readonly path: string;
  readonly header: KeptBodyHeader;
}

export function isKeptBody(name: string): boolean {
  return name.endsWith(SUFFIX);
}

/**
 * Keeps a body; one that is kept already is not kept twice.
 *
 * @param folder - of the day's slices, which exists
 * @param root - of all slices of the workspace
 * @returns its path; null when no more may be kept
 */
export async function keepBody(
  folder: string,
  root: string,
  facts: Omit<KeptBodyHeader, 'version' | 'contentType' | 'encoding' | 'bytes' | 'sha256'>,
  { bytes, contentType, encoding }: WrongBody,
): Promise<string | null> {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const ofSlice = (await keptBodies(folder)).filter(({ header }) => header.startMs === facts.startMs);
  const same = ofSlice.find(({ header }) => header.sha256 === sha256);
  if (same) return same.path;
  const compressed = await promisify(gzip)(bytes, { level: constants.Z_BEST_SPEED });
  if ((await bytesKept(root)) + compressed.length > MOST_KEPT_BYTES) return null;
  const header: KeptBodyHeader = { version: 1, ...facts, contentType, encoding, bytes: bytes.length, sha256 };
  const stem = sliceFileName(facts).replace(/\.slice$/, '');
  const path = join(folder, `${stem}-${String(ofSlice.length + 1).padStart(2, '0')}${SUFFIX}`);
  await writeAtomically(path, async (file) => {
    await file.writeFile(`${JSON.stringify(header)}\n`);
    await file.writeFile(compressed);
  });
  return path;
}

/** Those of one day, by slice, the latest of a slice first. Files of another kind are left out. */
export async function keptBodies(folder: string): Promise<KeptBody[]> {
  const names = (await readdir(folder).catch(() => [])).filter(isKeptBody).toSorted();
  const found = await Promise.all(names.map((name) => readHeader(join(folder, name))));
  return found
    .filter((each) => each !== null)
    .toSorted((a, b) => a.header.startMs - b.header.startMs || (a.header.fetchedAt < b.header.fetchedAt ? 1 : -1));
}

/** Those of all days of a workspace. @param root - of all slices */
export async function allKeptBodies(root: string): Promise<KeptBody[]> {
  const folders = new Set((await keptFiles(root)).map((path) => join(path, '..')));
  const found = await Promise.all([...folders].toSorted().map((folder) => keptBodies(folder)));
  return found.flat();
}

/** The body as it came. @returns null when the file is damaged */
export async function bodyOf({ path, header }: KeptBody): Promise<Uint8Array | null> {
  const file = await readFile(path);
  const body = await promisify(gunzip)(file.subarray(file.indexOf(LINE_FEED) + 1)).catch(() => null);
  return body !== null && createHash('sha256').update(body).digest('hex') === header.sha256 ? body : null;
}

async function readHeader(path: string): Promise<KeptBody | null> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(LONGEST_HEADER), 0, LONGEST_HEADER, 0);
    const end = buffer.subarray(0, bytesRead).indexOf(LINE_FEED);
    const header = JSON.parse(buffer.toString('utf8', 0, Math.max(0, end))) as KeptBodyHeader;
    return header.version === 1 ? { path, header } : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  } finally {
    await file.close();
  }
}

async function bytesKept(root: string): Promise<number> {
  const sizes = (await keptFiles(root)).map(async (path) => (await stat(path).catch(() => null))?.size ?? 0);
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

async function keptFiles(root: string): Promise<string[]> {
  const names = await readdir(root, { recursive: true }).catch(() => []);
  return names.filter(isKeptBody).map((name) => join(root, name));
}
