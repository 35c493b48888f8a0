/**
 * One variable's records on their way to a file, cut into blocks.
 *
 * Blocks are cut at fixed record numbers, so they do not depend on how records were batched.
 */
import { promisify } from 'node:util';
import { constants, gzip } from 'node:zlib';
import type { InFlight } from '../in-flight.ts';

const gzipAsync = promisify(gzip);

/** A stretch of a file. */
export interface Extent {
  readonly position: number;
  readonly length: number;
}

/** Keeps the bytes of one variable's blocks. */
export interface BlockStore {
  /**
   * Stores a part of a block. The place is fixed at the call, so calls need not wait for each other.
   *
   * @param block - number of the block, from 0
   * @param at - bytes of the block before these
   */
  put(bytes: Uint8Array, block: number, at: number): Promise<Extent>;
}

/** A run of records of one variable, stored. */
export interface Block {
  /** First and last record. */
  readonly first: number;
  readonly last: number;
  readonly isCompressed: boolean;
  readonly extents: readonly Extent[];
  /** Sum of the extents. */
  readonly dataBytes: number;
}

export interface ColumnShape {
  readonly recordBytes: number;
  readonly blockRecords: number;
  readonly gzipLevel: number;
}

export interface Column {
  /** Takes whole records; the bytes may be reused once the promise has settled. Calls must not overlap. */
  append(bytes: Uint8Array): Promise<void>;
  /** All blocks in record order. Call once, after the last `append`. */
  finish(): Promise<Block[]>;
}

export function createColumn(shape: ColumnShape, store: BlockStore, inFlight: InFlight): Column {
  return shape.gzipLevel === 0 ? new PlainColumn(shape, store) : new GzipColumn(shape, store, inFlight);
}

/** Small appends are gathered to pieces of this size before they go to disk. */
const PIECE_BYTES = 262_144;

/** Values as they are, in blocks so large that most variables have one. */
class PlainColumn implements Column {
  readonly #shape: ColumnShape;
  readonly #store: BlockStore;
  readonly #blockBytes: number;
  readonly #blocks: Block[] = [];
  #extents: Extent[] = [];
  #piece: Buffer | undefined;
  #pieceBytes = 0;
  #openBytes = 0; // of the block being filled: stored, and gathered
  #records = 0; // in finished blocks

  constructor(shape: ColumnShape, store: BlockStore) {
    this.#shape = shape;
    this.#store = store;
    this.#blockBytes = shape.blockRecords * shape.recordBytes;
  }

  async append(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.byteLength;) {
      const part = bytes.subarray(at, at + this.#blockBytes - this.#openBytes);
      await this.#take(part);
      at += part.byteLength;
      if (this.#openBytes === this.#blockBytes) await this.#endBlock();
    }
  }

  async finish(): Promise<Block[]> {
    if (this.#openBytes > 0) await this.#endBlock();
    this.#piece = undefined;
    return this.#blocks;
  }

  async #take(bytes: Uint8Array): Promise<void> {
    if (this.#pieceBytes + bytes.byteLength > PIECE_BYTES) await this.#flush();
    if (bytes.byteLength >= PIECE_BYTES) {
      await this.#put(bytes);
    } else {
      this.#piece ??= Buffer.allocUnsafeSlow(Math.min(PIECE_BYTES, this.#blockBytes));
      this.#piece.set(bytes, this.#pieceBytes);
      this.#pieceBytes += bytes.byteLength;
    }
    this.#openBytes += bytes.byteLength;
  }

  async #flush(): Promise<void> {
    if (this.#pieceBytes === 0) return;
    await this.#put(this.#piece!.subarray(0, this.#pieceBytes));
    this.#pieceBytes = 0;
  }

  async #put(bytes: Uint8Array): Promise<void> {
    const at = this.#openBytes - this.#pieceBytes;
    this.#extents.push(await this.#store.put(bytes, this.#blocks.length, at));
  }

  async #endBlock(): Promise<void> {
    await this.#flush();
    const first = this.#records;
    this.#records += this.#openBytes / this.#shape.recordBytes;
    const block = { first, last: this.#records - 1, dataBytes: this.#openBytes, extents: this.#extents };
    this.#blocks.push({ ...block, isCompressed: false });
    this.#extents = [];
    this.#openBytes = 0;
  }
}

/** Blocks of about 256 KiB, each one gzip member, compressed on libuv's pool while the next ones fill. */
class GzipColumn implements Column {
  readonly #shape: ColumnShape;
  readonly #store: BlockStore;
  readonly #inFlight: InFlight;
  readonly #blocks: Block[] = [];
  readonly #spare: Buffer[] = [];
  #open: Buffer | undefined;
  #openBytes = 0;
  #sealed = 0; // blocks handed to the pool
  /** Of compressed to raw bytes: that of the block before, and a little more. */
  #likelyRatio = 1 / 4;

  constructor(shape: ColumnShape, store: BlockStore, inFlight: InFlight) {
    this.#shape = shape;
    this.#store = store;
    this.#inFlight = inFlight;
  }

  async append(bytes: Uint8Array): Promise<void> {
    const blockBytes = this.#shape.blockRecords * this.#shape.recordBytes;
    for (let at = 0; at < bytes.byteLength;) {
      this.#open ??= this.#spare.pop() ?? Buffer.allocUnsafeSlow(blockBytes);
      const part = bytes.subarray(at, at + blockBytes - this.#openBytes);
      this.#open.set(part, this.#openBytes);
      this.#openBytes += part.byteLength;
      at += part.byteLength;
      if (this.#openBytes === blockBytes) await this.#seal();
    }
  }

  async finish(): Promise<Block[]> {
    if (this.#openBytes > 0) await this.#seal();
    await this.#inFlight.drain();
    return this.#blocks;
  }

  async #seal(): Promise<void> {
    const buffer = this.#open!;
    const raw = buffer.subarray(0, this.#openBytes);
    const index = this.#sealed++;
    this.#open = undefined;
    this.#openBytes = 0;
    await this.#inFlight.start(async () => {
      this.#blocks[index] = await this.#pack(raw, index);
      this.#spare.push(buffer);
    });
  }

  async #pack(raw: Uint8Array, index: number): Promise<Block> {
    const { gzipLevel, recordBytes, blockRecords } = this.#shape;
    const first = index * blockRecords;
    // All in one go and room for what is likely: one round trip to the pool, and no parts to join.
    const chunkSize = Math.max(64, Math.ceil(raw.byteLength * this.#likelyRatio));
    const packed = await gzipAsync(raw, { level: gzipLevel, flush: constants.Z_FINISH, chunkSize });
    this.#likelyRatio = (1.1 * packed.byteLength) / raw.byteLength;
    const isCompressed = packed.byteLength < raw.byteLength;
    const extent = await this.#store.put(isCompressed ? packed : raw, index, 0);
    release(packed);
    const last = first + raw.byteLength / recordBytes - 1;
    return { first, last, isCompressed, extents: [extent], dataBytes: extent.length };
  }
}

/** Frees the bytes at once: by the next collection they would be tens of megabytes. Nobody else may have a view of them. */
function release(bytes: Buffer): void {
  const { buffer } = bytes;
  // Smaller ones may share their memory with others.
  if (bytes.byteLength > Buffer.poolSize && buffer instanceof ArrayBuffer) buffer.transfer(0);
}
