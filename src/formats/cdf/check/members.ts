/**
 * Compressed blocks are one gzip member each, to the last byte.
 *
 * Most readers inflate members that follow each other as one stream; libcdf takes the first for the whole and refuses
 * the file.
 */
import { promisify } from 'node:util';
import { inflateRaw } from 'node:zlib';
import { COMPRESSION } from '../records.ts';
import type { ReadBlock } from '../read/block-index.ts';
import type { CatalogVariable } from '../read/catalog.ts';
import type { ByteSource } from '../read/source.ts';
import type { Findings } from './findings.ts';

/** The Node types know the form without `info` alone. */
const inflateWithInfo = promisify(inflateRaw) as unknown as (
  bytes: Uint8Array,
  options: { info: true; maxOutputLength: number },
) => Promise<{ engine: { bytesWritten: number } }>;

const HEAD_BYTES = 10;
/** CRC-32 and length. */
const FOOT_BYTES = 8;
const FLAGS = { headerCrc: 2, extra: 4, name: 8, comment: 16 } as const;

/** Looks at the blocks one after the other. What does not inflate at all is for others to report. */
export async function checkMembers(
  source: ByteSource,
  { name, cType, recordBytes }: CatalogVariable,
  blocks: readonly ReadBlock[],
  findings: Findings,
): Promise<void> {
  if (cType !== COMPRESSION.gzip) return;
  for (const { isCompressed, first, last, offset, dataOffset, dataBytes } of blocks) {
    if (!isCompressed) continue;
    const packed = await source.read(dataOffset, dataBytes);
    const length = await memberLength(packed, (last - first + 1) * recordBytes);
    if (length === undefined || length === packed.length) continue;
    const message = `one gzip member of ${length} bytes and ${packed.length - length} bytes behind it; libcdf reads one member`;
    findings.error('structure.gzip_member', `compressed block of ${name} at ${offset}`, message);
  }
}

/** Bytes of the first member, `undefined` if it is not sound or longer than `rawBytes` when inflated. */
async function memberLength(packed: Buffer, rawBytes: number): Promise<number | undefined> {
  const start = headLength(packed);
  if (start === undefined) return undefined;
  try {
    const options = { info: true, maxOutputLength: Math.max(1, rawBytes) } as const;
    const { engine } = await inflateWithInfo(packed.subarray(start), options);
    return start + engine.bytesWritten + FOOT_BYTES;
  } catch {
    return undefined; // told with its place by the pass over the values
  }
}

/** Bytes before the deflate stream (RFC 1952, 2.3). */
function headLength(packed: Buffer): number | undefined {
  if (packed.length < HEAD_BYTES + FOOT_BYTES || packed.readUInt16BE(0) !== 0x1f8b) return undefined;
  const flags = packed[3]!;
  let at = HEAD_BYTES;
  if (flags & FLAGS.extra) at += at + 2 <= packed.length ? 2 + packed.readUInt16LE(at) : packed.length;
  for (const flag of [FLAGS.name, FLAGS.comment]) {
    if (!(flags & flag)) continue;
    const end = packed.indexOf(0, at);
    if (end === -1) return undefined;
    at = end + 1;
  }
  if (flags & FLAGS.headerCrc) at += 2;
  return at < packed.length ? at : undefined;
}
