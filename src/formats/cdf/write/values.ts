/**
 * From JavaScript values to the bytes of a data type, little-endian (encoding 6).
 */
import { endianness } from 'node:os';
import { dataType } from '../data-types.ts';
import type { CdfType } from '../data-types.ts';
import { FormatError } from '../errors.ts';

const HOST_IS_LITTLE = endianness() === 'LE';

/** Views a typed array as little-endian bytes. No copy on a little-endian host. */
export function littleEndianBytes(array: ArrayBufferView, elementBytes: number): Uint8Array {
  const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  if (HOST_IS_LITTLE || elementBytes === 1) return bytes;
  const swapped = Buffer.from(bytes);
  if (elementBytes === 2) return swapped.swap16();
  return elementBytes === 4 ? swapped.swap32() : swapped.swap64();
}

/**
 * Encodes a few values (a pad, an attribute entry).
 *
 * @param where - what the values belong to, for messages
 * @throws FormatError `value_invalid` for a value that the type cannot hold exactly
 */
export function encodeNumbers(type: CdfType, values: readonly (number | bigint)[], where: string): Uint8Array {
  const { array, bytes, elementBytes, kind } = dataType(type);
  const perValue = bytes / elementBytes;
  if (values.length === 0 || values.length % perValue !== 0) {
    const expected = perValue === 1 ? 'at least one value' : 'pairs of seconds and picoseconds';
    throw invalid(where, expected, `${values.length} values`);
  }
  if (array === BigInt64Array) {
    return littleEndianBytes(
      BigInt64Array.from(values, (value) => toInt64(value, type, where)),
      elementBytes,
    );
  }
  const numbers = array as typeof Float64Array;
  const encoded = numbers.from(values, (value) => toNumber(value, where));
  if (kind !== 'float') {
    values.forEach((value, i) => {
      if (encoded[i] !== Number(value)) throw invalid(where, `a value of ${type}`, String(value));
    });
  }
  return littleEndianBytes(encoded, elementBytes);
}

function toInt64(value: number | bigint, type: CdfType, where: string): bigint {
  if (typeof value === 'number' && !Number.isSafeInteger(value)) {
    throw invalid(where, `a bigint or a safe integer for ${type}`, String(value));
  }
  const wide = BigInt(value);
  if (BigInt.asIntN(64, wide) !== wide) throw invalid(where, 'at most 64 bits', String(value));
  return wide;
}

function toNumber(value: number | bigint, where: string): number {
  if (typeof value === 'bigint' && !Number.isSafeInteger(Number(value))) {
    throw invalid(where, 'a value of at most 2^53', String(value));
  }
  return Number(value);
}

/** How texts fill their fixed number of bytes. */
export interface TextLayout {
  /** Bytes per text. */
  readonly elements: number;
  readonly padding: 'nul' | 'space';
  readonly overflow: 'refuse' | 'truncate';
}

/**
 * Encodes texts back to back, each in `elements` bytes of UTF-8.
 *
 * @throws FormatError `value_invalid` for a text that is too long, unless told to truncate
 */
export function encodeTexts(texts: readonly string[], layout: TextLayout, where: string): Uint8Array {
  const { elements, padding, overflow } = layout;
  const bytes = Buffer.alloc(texts.length * elements, padding === 'nul' ? 0 : 0x20);
  texts.forEach((text, i) => {
    const length = Buffer.byteLength(text);
    if (length > elements && overflow === 'refuse') {
      throw invalid(
        where,
        `text of at most ${elements} bytes`,
        `${length} bytes (${JSON.stringify(text.slice(0, 80))})`,
      );
    }
    bytes.write(text, i * elements, elements, 'utf8'); // never writes part of a character
  });
  return bytes;
}

export function invalid(where: string, expected: string, got: string): FormatError {
  return new FormatError('value_invalid', where, { expected, got });
}
