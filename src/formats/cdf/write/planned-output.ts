/**
 * A file whose sizes are all known beforehand: every value goes to its final place as it comes.
 *
 * Descriptions are written last, then the file is read once (from the page cache, as a rule) for its hashes, while the
 * system already carries it to the disk.
 */
import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import type { CdfWriteResult } from '../model.ts';
import { VVR } from '../records.ts';
import { assertAt, magic } from './assemble.ts';
import type { Block, BlockStore, Extent } from './column.ts';
import type { FileDraft, VariableDraft } from './create.ts';
import { layoutFile } from './layout.ts';
import type { FileLayout } from './layout.ts';
import { linkRecords } from './link.ts';
import type { LinkedRecord } from './link.ts';
import type { Output } from './output.ts';
import { readFully, writeFully } from './positioned.ts';

export class PlannedOutput implements Output {
  readonly path: string;
  readonly #draft: FileDraft;
  readonly #hasChecksum: boolean;
  readonly #plan: FileLayout;
  readonly #file: FileHandle;

  private constructor(path: string, draft: FileDraft, hasChecksum: boolean, plan: FileLayout, file: FileHandle) {
    this.path = path;
    this.#draft = draft;
    this.#hasChecksum = hasChecksum;
    this.#plan = plan;
    this.#file = file;
  }

  /** Whether all sizes are known before the values: no compression, and all counts of records declared. */
  static fits({ variables }: FileDraft): boolean {
    return variables.every(({ gzipLevel, records }) => gzipLevel === 0 && records !== undefined);
  }

  /** @param draft - one that fits */
  static async open(path: string, draft: FileDraft, hasChecksum: boolean): Promise<PlannedOutput> {
    const plan = layoutFile(draft, draft.variables.map(plannedBlocks));
    return new PlannedOutput(path, draft, hasChecksum, plan, await open(path, 'wx+'));
  }

  storeOf(num: number): BlockStore {
    const { blocks } = this.#plan.variables[num]!;
    const file = this.#file;
    return {
      async put(bytes, block, at): Promise<Extent> {
        const position = blocks[block]!.offset + VVR.headBytes + at;
        await writeFully(file, bytes, position);
        return { position, length: bytes.byteLength };
      },
    };
  }

  async finish(columns: readonly (readonly Block[])[]): Promise<CdfWriteResult> {
    const layout = layoutFile(this.#draft, columns);
    await this.#writeHeads(layout);
    const onDisk = this.#file.sync();
    onDisk.catch(() => undefined); // awaited below
    const sha256 = createHash('sha256');
    const md5 = this.#hasChecksum ? createHash('md5') : undefined;
    await hashFile(this.#file, layout.eof, md5 ? [sha256, md5] : [sha256]);
    await onDisk;
    if (!md5) return { sizeBytes: layout.eof, sha256: sha256.digest('hex') };
    const checksum = md5.digest();
    await writeFully(this.#file, checksum, layout.eof);
    await this.#file.sync();
    return { sizeBytes: layout.eof + checksum.byteLength, sha256: sha256.update(checksum).digest('hex') };
  }

  async release(): Promise<void> {
    await this.#file.close();
    await rm(this.path, { force: true });
  }

  /** Writes all but the values, which must be where they belong: right behind the heads of their records. */
  async #writeHeads(layout: FileLayout): Promise<void> {
    let start = 0;
    let heads: Uint8Array[] = [magic()];
    let end = heads[0]!.byteLength;
    for (const record of linkRecords(layout, this.#hasChecksum)) {
      assertAt(record.what, end, record.offset);
      heads.push(record.bytes);
      end += record.bytes.byteLength;
      if (record.extents.length > 0) {
        await writeFully(this.#file, Buffer.concat(heads), start);
        end = endOfValues(record);
        start = end;
        heads = [];
      }
      assertAt(`end of ${record.what}`, end, record.offset + record.sizeBytes);
    }
    assertAt('end of file', end, layout.eof);
    await writeFully(this.#file, Buffer.concat(heads), start);
  }
}

/** @throws FormatError `layout_broken` if the values do not follow the record's head without a gap */
function endOfValues({ what, offset, bytes, extents }: LinkedRecord): number {
  let end = offset + bytes.byteLength;
  for (const { position, length } of extents) {
    assertAt(what, position, end);
    end += length;
  }
  return end;
}

function plannedBlocks({ records = 0, recordBytes, blockRecords }: VariableDraft): Block[] {
  return Array.from({ length: Math.ceil(records / blockRecords) }, (_, index) => {
    const first = index * blockRecords;
    const count = Math.min(blockRecords, records - first);
    return { first, last: first + count - 1, isCompressed: false, extents: [], dataBytes: count * recordBytes };
  });
}

const CHUNK_BYTES = 1 << 20;

/** Hashes the first `length` bytes; while one chunk is hashed, the next one is read. */
async function hashFile(file: FileHandle, length: number, hashes: readonly Hash[]): Promise<void> {
  let chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  let other = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  const readFrom = async (target: Buffer, position: number): Promise<Buffer> => {
    const part = target.subarray(0, Math.min(CHUNK_BYTES, length - position));
    await readFully(file, part, position);
    return part;
  };
  let reading = readFrom(chunk, 0);
  for (let position = 0; position < length; position += CHUNK_BYTES) {
    const bytes = await reading;
    const next = position + CHUNK_BYTES;
    if (next < length) reading = readFrom(other, next);
    for (const hash of hashes) hash.update(bytes);
    [chunk, other] = [other, chunk];
  }
}
