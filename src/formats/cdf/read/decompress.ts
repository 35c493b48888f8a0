/**
 * The compressions of CDF that are read: GZIP and run-length encoding of zeros.
 */
import { promisify } from 'node:util';
import { gunzip, gunzipSync } from 'node:zlib';
import { FormatError } from '../errors.ts';
import { COMPRESSION } from '../records.ts';

const gunzipAsync = promisify(gunzip);

/** The most that one compressed byte can stand for: bounds what a damaged length can ask for. */
const MAX_EXPANSION: Readonly<Record<number, number>> = { [COMPRESSION.rle]: 128, [COMPRESSION.gzip]: 1032 };
const NAMES: Readonly<Record<number, string>> = {
  [COMPRESSION.rle]: 'RLE',
  [COMPRESSION.huffman]: 'Huffman',
  [COMPRESSION.adaptiveHuffman]: 'adaptive Huffman',
  [COMPRESSION.gzip]: 'GZIP',
};

/** @throws FormatError `unsupported` for a known method that is not read, `corrupted` for an unknown one */
function checkCompression(cType: number, offset: number): void {
  if (cType in MAX_EXPANSION) return;
  const name = NAMES[cType];
  throw new FormatError(name ? 'unsupported' : 'corrupted', 'compression', {
    offset,
    expected: 'GZIP (5) or RLE (1)',
    got: name ? `${name} (${cType})` : `${cType}`,
  });
}

/**
 * Refuses a length that so few compressed bytes cannot stand for; call it before making room.
 *
 * @throws FormatError `corrupted`; `unsupported` for a method that is not read
 */
export function checkExpansion(cType: number, packedBytes: number, rawBytes: number, offset: number): void {
  checkCompression(cType, offset);
  if (rawBytes < 0 || rawBytes > packedBytes * MAX_EXPANSION[cType]!) {
    throw wrong(offset, `${rawBytes} bytes`, `${packedBytes} compressed bytes, which cannot be that`);
  }
}

/**
 * @param rawBytes - length of the result, from the file
 * @param offset - of the compressed bytes, for errors
 * @param isInline - on the calling thread, not on those of the library's pool
 * @throws FormatError `corrupted` if the bytes do not decompress to exactly `rawBytes`
 */
export async function decompress(
  cType: number,
  packed: Buffer,
  rawBytes: number,
  offset: number,
  isInline = false,
): Promise<Buffer> {
  checkExpansion(cType, packed.length, rawBytes, offset);
  const raw =
    cType === COMPRESSION.rle
      ? decodeRuns(packed, rawBytes, offset)
      : await inflate(packed, rawBytes, offset, isInline);
  if (raw.length !== rawBytes) throw wrong(offset, `${rawBytes} bytes`, `${raw.length} bytes`);
  return raw;
}

async function inflate(packed: Buffer, rawBytes: number, offset: number, isInline: boolean): Promise<Buffer> {
  const options = {
    maxOutputLength: Math.max(1, rawBytes),
    // One byte to spare: a result that fills its piece to the end would be asked for more, and copied.
    chunkSize: Math.max(64, Math.min(rawBytes + 1, 1 << 20)),
  };
  try {
    return isInline ? gunzipSync(packed, options) : await gunzipAsync(packed, options);
  } catch (cause) {
    const got = cause instanceof Error ? cause.message : String(cause);
    throw new FormatError('corrupted', 'compressed values', { offset, expected: 'a gzip member', got, cause });
  }
}

/** A zero byte is followed by the number of further zeros. */
function decodeRuns(packed: Buffer, rawBytes: number, offset: number): Buffer {
  const raw = Buffer.alloc(rawBytes);
  let at = 0;
  for (let i = 0; i < packed.length; i++) {
    if (packed[i] !== 0) {
      if (at >= rawBytes) throw wrong(offset, `${rawBytes} bytes`, 'more');
      raw[at++] = packed[i]!;
      continue;
    }
    i++;
    if (i === packed.length) throw wrong(offset, 'a count after a zero', 'the end');
    at += packed[i]! + 1;
  }
  if (at !== rawBytes) throw wrong(offset, `${rawBytes} bytes`, `${at} bytes`);
  return raw;
}

function wrong(offset: number, expected: string, got: string): FormatError {
  return new FormatError('corrupted', 'compressed values', { offset, expected, got });
}
