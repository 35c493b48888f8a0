/**
 * The values of a range of records, gathered from the blocks that hold them.
 */
import { dataType } from '../data-types.ts';
import { FormatError } from '../errors.ts';
import { InFlight } from '../in-flight.ts';
import { firstBlockFrom } from './block-index.ts';
import type { ReadBlock } from './block-index.ts';
import type { CatalogVariable } from './catalog.ts';
import { toNativeOrder, toRowMajor } from './decode.ts';
import { decompress } from './decompress.ts';
import type { Header } from './header.ts';

export interface RecordRange {
  readonly first: number;
  readonly count: number;
}

/** Blocks decoded at the same time. */
const DECODERS = 4;

/**
 * @param blocks - as `readBlockIndex` gives them
 * @param isInline - decompress on the calling thread
 * @returns native bytes of the records, row-major, in a buffer of their own
 */
export async function readRecords(
  header: Header,
  variable: CatalogVariable,
  blocks: readonly ReadBlock[],
  range: RecordRange,
  isInline: boolean,
): Promise<Buffer> {
  const target =
    (await readWholeBlock(header, variable, blocks, range, isInline)) ??
    (await gatherRecords(header, variable, blocks, range, isInline));
  toNativeOrder(target, variable.type, header.isLittle);
  if (header.description.majority === 'column') {
    toRowMajor(target, variable.dims, dataType(variable.type).bytes * variable.elements);
  }
  return target;
}

/** Records that are exactly one compressed block need no second place. Null for all others. */
async function readWholeBlock(
  { records }: Header,
  { recordBytes, cType }: CatalogVariable,
  blocks: readonly ReadBlock[],
  { first, count }: RecordRange,
  isInline: boolean,
): Promise<Buffer | null> {
  const block = blocks[firstBlockFrom(blocks, first)];
  if (block?.isCompressed !== true || block.first !== first || block.last !== first + count - 1) return null;
  const packed = await records.source.read(block.dataOffset, block.dataBytes);
  const raw = await decompress(cType, packed, count * recordBytes, block.dataOffset, isInline);
  // Small results share their memory with others.
  return raw.byteOffset === 0 ? raw : Buffer.from(new Uint8Array(raw).buffer);
}

async function gatherRecords(
  header: Header,
  variable: CatalogVariable,
  blocks: readonly ReadBlock[],
  { first, count }: RecordRange,
  isInline: boolean,
): Promise<Buffer> {
  const { recordBytes, sparse } = variable;
  const target = allocate(count * recordBytes, variable.name);
  const jobs = new InFlight(DECODERS);
  for (let i = firstBlockFrom(blocks, first); i < blocks.length && blocks[i]!.first < first + count; i++) {
    const block = blocks[i]!;
    const from = Math.max(first, block.first);
    const to = Math.min(first + count, block.last + 1);
    const part = target.subarray((from - first) * recordBytes, (to - first) * recordBytes);
    await jobs.start(() => readBlock(header, variable, block, from, part, isInline));
  }
  await jobs.drain();
  if (sparse !== 'no') await fillMissing(header, variable, blocks, { first, count }, target);
  return target;
}

function allocate(bytes: number, name: string): Buffer {
  try {
    return Buffer.from(new ArrayBuffer(bytes));
  } catch (cause) {
    const expected = 'fewer records at a time: more than this does not fit into memory';
    throw new FormatError('too_large', `values of ${name}`, { expected, got: `${bytes} bytes`, cause });
  }
}

/** Fills `target` with records from `first` on, all of which lie in the block, in the file's byte order. */
async function readBlock(
  { records }: Header,
  { recordBytes, cType }: CatalogVariable,
  block: ReadBlock,
  first: number,
  target: Buffer,
  isInline = false,
): Promise<void> {
  const skipped = (first - block.first) * recordBytes;
  if (!block.isCompressed) {
    await records.source.readInto(target, block.dataOffset + skipped);
    return;
  }
  const packed = await records.source.read(block.dataOffset, block.dataBytes);
  const rawBytes = (block.last - block.first + 1) * recordBytes;
  const raw = await decompress(cType, packed, rawBytes, block.dataOffset, isInline);
  raw.copy(target, 0, skipped, skipped + target.length);
}

/** Gives missing records the pad value or the record before, as the variable says. */
async function fillMissing(
  header: Header,
  variable: CatalogVariable,
  blocks: readonly ReadBlock[],
  { first, count }: RecordRange,
  target: Buffer,
): Promise<void> {
  const { recordBytes, sparse } = variable;
  const pad = padRecord(header, variable);
  let at = first;
  while (at < first + count) {
    const i = firstBlockFrom(blocks, at);
    const next = blocks[i];
    if (next && next.first <= at) {
      at = next.last + 1;
      continue;
    }
    const end = Math.min(first + count, next?.first ?? Infinity);
    const before = blocks[i - 1];
    let filler = pad;
    if (sparse === 'previous' && before) {
      filler = Buffer.alloc(recordBytes);
      await readBlock(header, variable, before, before.last, filler);
    }
    for (; at < end; at++) filler.copy(target, (at - first) * recordBytes);
  }
}

/** A record of pad values, in the file's byte order. */
function padRecord({ isLittle }: Header, { type, padBytes, recordBytes }: CatalogVariable): Buffer {
  if (padBytes) return Buffer.alloc(recordBytes, padBytes);
  const { array, pad } = dataType(type);
  const item = Buffer.from((array as typeof Float64Array).from(pad as number[]).buffer);
  toNativeOrder(item, type, isLittle); // its own inverse
  return Buffer.alloc(recordBytes, item);
}
