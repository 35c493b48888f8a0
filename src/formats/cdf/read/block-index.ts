/**
 * Where a variable's records are: the VXRs, chain or tree, as one list of blocks whose sizes are plausible.
 */
import { CVVR, readOffset, VVR, VXR } from '../records.ts';
import type { CatalogVariable } from './catalog.ts';
import { checkExpansion } from './decompress.ts';
import { FormatError } from '../errors.ts';
import { corrupted } from './record-file.ts';
import type { ReadRecord, RecordFile } from './record-file.ts';

export interface ReadBlock {
  /** First and last record; `last` may lie beyond the variable's last record. */
  readonly first: number;
  readonly last: number;
  readonly offset: number;
  readonly isCompressed: boolean;
  /** Stored bytes behind the record's header. */
  readonly dataOffset: number;
  readonly dataBytes: number;
}

interface IndexEntry {
  readonly first: number;
  readonly last: number;
  readonly offset: number;
}

/**
 * @returns blocks in ascending record order, those beyond the variable's last record left out
 * @throws FormatError `corrupted` for loops, overlaps, and, unless the variable is sparse, gaps
 */
export async function readBlockIndex(records: RecordFile, variable: CatalogVariable): Promise<ReadBlock[]> {
  const blocks: ReadBlock[] = [];
  const visited = new Set<number>();
  const walk = async (head: number): Promise<void> => {
    for (let offset = head; offset !== 0;) {
      if (visited.has(offset)) throw corrupted(`index of ${variable.name}`, offset, 'each VXR once', 'a loop');
      visited.add(offset);
      const vxr = await records.read(VXR, offset);
      for (const entry of entriesOf(vxr, variable.name)) {
        const { type } = await records.prefix(entry.offset);
        if (type === VXR.type) await walk(entry.offset);
        else blocks.push(await readBlock(records, entry, type));
      }
      offset = vxr.fields.vxrNext;
    }
  };
  await walk(variable.vdr.fields.vxrHead);
  const used = blocks.filter(({ first }) => first < variable.records);
  checkRecords(used, variable);
  checkSizes(used, variable);
  checkPlaces(used, variable);
  checkMissing(used, variable, records.source.sizeBytes);
  return used;
}

/** Position in `blocks` of the first one that ends at `record` or later; their number if there is none. */
export function firstBlockFrom(blocks: readonly ReadBlock[], record: number): number {
  let [low, high] = [0, blocks.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (blocks[middle]!.last >= record) high = middle;
    else low = middle + 1;
  }
  return low;
}

export function entriesOf(vxr: ReadRecord<typeof VXR>, name: string): IndexEntry[] {
  const { fields, tail, offset } = vxr;
  const { nEntries, nUsedEntries } = fields;
  if (nEntries < 1 || nUsedEntries < 0 || nUsedEntries > nEntries || 16 * nEntries > tail.length) {
    throw corrupted(`index of ${name}`, offset, `entries in ${vxr.sizeBytes} bytes`, `${nUsedEntries} of ${nEntries}`);
  }
  return Array.from({ length: nUsedEntries }, (_, i) => ({
    first: tail.readInt32BE(4 * i),
    last: tail.readInt32BE(4 * (nEntries + i)),
    offset: readOffset(tail, 8 * (nEntries + i), offset),
  }));
}

async function readBlock(records: RecordFile, { first, last, offset }: IndexEntry, type: number): Promise<ReadBlock> {
  if (type !== CVVR.type) {
    const { sizeBytes } = await records.read(VVR, offset, 0);
    const dataOffset = offset + VVR.headBytes;
    return { first, last, offset, isCompressed: false, dataOffset, dataBytes: sizeBytes - VVR.headBytes };
  }
  const { fields, sizeBytes } = await records.read(CVVR, offset, 0);
  if (fields.cSize < 0 || fields.cSize > sizeBytes - CVVR.headBytes) {
    throw corrupted('compressed block', offset, `at most ${sizeBytes - CVVR.headBytes} bytes`, `${fields.cSize}`);
  }
  return { first, last, offset, isCompressed: true, dataOffset: offset + CVVR.headBytes, dataBytes: fields.cSize };
}

function checkRecords(blocks: readonly ReadBlock[], { name, records, sparse, vdr }: CatalogVariable): void {
  let next = 0;
  for (const { first, last, offset } of blocks) {
    if (last < first || first < next || (first > next && sparse === 'no')) {
      throw corrupted(`index of ${name}`, offset, `a block from record ${next}`, `records ${first} to ${last}`);
    }
    next = last + 1;
  }
  if (next < records && sparse === 'no') {
    throw corrupted(`index of ${name}`, vdr.offset, `blocks up to record ${records - 1}`, `${next - 1}`);
  }
}

/** Each block must be able to hold its records, so that what is announced bounds what is asked for. */
function checkSizes(blocks: readonly ReadBlock[], { name, cType, recordBytes, records }: CatalogVariable): void {
  for (const { first, last, offset, isCompressed, dataBytes } of blocks) {
    if (isCompressed) {
      checkExpansion(cType, dataBytes, (last - first + 1) * recordBytes, offset);
      continue;
    }
    const needed = (Math.min(last + 1, records) - first) * recordBytes;
    if (dataBytes < needed) throw corrupted(`values of ${name}`, offset, `at least ${needed} bytes`, `${dataBytes}`);
  }
}

const ALWAYS_FILLED_BYTES = 2 ** 26;
const FILLED_PER_FILE_BYTE = 64;

/** Missing records take no bytes in the file, so a damaged number could ask for any amount of them. */
function checkMissing(
  blocks: readonly ReadBlock[],
  { name, records, recordBytes, vdr }: CatalogVariable,
  fileBytes: number,
): void {
  const present = blocks.reduce((sum, { first, last }) => sum + Math.min(last + 1, records) - first, 0);
  const missingBytes = (records - present) * recordBytes;
  const limit = Math.max(ALWAYS_FILLED_BYTES, FILLED_PER_FILE_BYTE * fileBytes);
  if (missingBytes <= limit) return;
  const details = { offset: vdr.offset, expected: `at most ${limit} bytes of missing records`, got: `${missingBytes}` };
  throw new FormatError('unsupported', `sparse variable ${name}`, details);
}

/** Blocks that share bytes could ask for far more memory than the file is long. */
function checkPlaces(blocks: readonly ReadBlock[], { name }: CatalogVariable): void {
  const byPlace = blocks.toSorted((a, b) => a.offset - b.offset);
  for (const [i, block] of byPlace.entries()) {
    const before = byPlace[i - 1];
    if (before && block.offset < before.dataOffset + before.dataBytes) {
      throw corrupted(`values of ${name}`, block.offset, 'blocks that do not overlap', 'shared bytes');
    }
  }
}
