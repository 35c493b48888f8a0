/** Values to the bytes of chunks and shards. The same values always give the same bytes. */
import { promisify } from 'node:util';
import { constants, zstdCompress, zstdCompressSync } from 'node:zlib';
import { registry } from 'zarrita';
import { crc32c } from './crc32c.ts';
import { ZarrError } from './errors.ts';
import type { ArraySchema, ChunkValues } from './schema.ts';

const compress = promisify(zstdCompress);

/** In a shard's index: this inner chunk does not exist, it reads as fill. */
const ABSENT = 0xff_ff_ff_ff_ff_ff_ff_ffn;
const INDEX_ENTRY_BYTES = 16;
const CHECKSUM_BYTES = 4;

/**
 * The bytes of one chunk, compressed.
 *
 * @param values - row-major; as many as the chunk (the inner one, where there is one) has cells
 * @param inline - compress on the calling thread, for callers that are threads themselves
 */
export async function encodeChunk(array: ArraySchema, values: ChunkValues, inline = false): Promise<Uint8Array> {
  const cells = (array.innerChunk ?? array.chunk).reduce((product, size) => product * size, 1);
  if (values.length !== cells) {
    throw new ZarrError('value_invalid', `A chunk of ${array.name} has ${cells} values, got ${values.length}.`);
  }
  const raw = toBytes(values);
  return array.compression === 'zstd' ? await zstd(raw, inline) : await blosc(raw);
}

/**
 * The bytes of one shard.
 *
 * @param chunks - the inner chunks in row-major order; null for one that holds nothing but fill
 * @returns null when all of them do: then the object does not exist
 */
export function encodeShard(array: ArraySchema, chunks: readonly (Uint8Array | null)[]): Uint8Array | null {
  const inner = array.innerChunk;
  const expected = inner ? array.chunk.reduce((product, size, d) => product * (size / inner[d]!), 1) : 0;
  if (chunks.length !== expected) {
    throw new ZarrError('value_invalid', `A shard of ${array.name} has ${expected} chunks, got ${chunks.length}.`);
  }
  if (chunks.every((chunk) => chunk === null)) return null;
  const index = Buffer.alloc(chunks.length * INDEX_ENTRY_BYTES + CHECKSUM_BYTES);
  let offset = 0;
  for (const [i, chunk] of chunks.entries()) {
    index.writeBigUInt64LE(chunk ? BigInt(offset) : ABSENT, i * INDEX_ENTRY_BYTES);
    index.writeBigUInt64LE(chunk ? BigInt(chunk.length) : ABSENT, i * INDEX_ENTRY_BYTES + 8);
    offset += chunk?.length ?? 0;
  }
  const entries = index.subarray(0, index.length - CHECKSUM_BYTES);
  index.writeUInt32LE(crc32c(entries), entries.length);
  return Buffer.concat([...chunks.filter((chunk) => chunk !== null), index]);
}

function toBytes(values: ChunkValues): Uint8Array {
  return ArrayBuffer.isView(values)
    ? new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
    : variableLengthTexts(values);
}

/** The codec `vlen-utf8`: number of texts, then each as its length and its bytes; lengths as 32-bit little-endian. */
function variableLengthTexts(texts: readonly string[]): Uint8Array {
  const parts = [word(texts.length)];
  for (const text of texts) {
    const bytes = Buffer.from(text);
    parts.push(word(bytes.length), bytes);
  }
  return Buffer.concat(parts);
}

function word(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

async function zstd(raw: Uint8Array, inline: boolean): Promise<Uint8Array> {
  const params = { [constants.ZSTD_c_compressionLevel]: 1, [constants.ZSTD_c_checksumFlag]: 1 };
  // With the size in the frame's header, readers allocate once. No result is longer than this, so that it is one piece.
  const options = { params, pledgedSrcSize: raw.length, chunkSize: raw.length + (raw.length >>> 8) + 128 };
  return inline ? zstdCompressSync(raw, options) : await compress(raw, options);
}

interface BloscCodec {
  fromConfig(config: { cname: string; clevel: number; shuffle: number; blocksize: number }): {
    encode(bytes: Uint8Array): Promise<Uint8Array>;
  };
}

const BYTE_SHUFFLE = 1;

async function blosc(raw: Uint8Array): Promise<Uint8Array> {
  const load = registry.get('blosc');
  if (!load) throw new ZarrError('unsupported', 'This zarrita has no blosc codec.');
  const codec = ((await load()) as unknown as BloscCodec).fromConfig({
    cname: 'zstd',
    clevel: 5,
    shuffle: BYTE_SHUFFLE,
    blocksize: 0,
  });
  // A copy: the codec keeps its result in memory that the next call uses again.
  return Uint8Array.from(await codec.encode(raw));
}
