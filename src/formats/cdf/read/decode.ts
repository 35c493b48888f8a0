/**
 * From a file's bytes to JavaScript values.
 */
import { endianness } from 'node:os';
import { DATA_TYPES, dataType } from '../data-types.ts';
import type { CdfType } from '../data-types.ts';
import type { CdfValues } from '../model.ts';

const HOST_IS_LITTLE = endianness() === 'LE';

const TYPE_BY_CODE = new Map<number, CdfType>(
  Object.entries(DATA_TYPES).map(([name, { code }]) => [code, name as CdfType]),
);

export function typeOfCode(code: number): CdfType | undefined {
  return TYPE_BY_CODE.get(code);
}

/** Makes bytes of the file native, in place. */
export function toNativeOrder(bytes: Buffer, type: CdfType, isLittle: boolean): void {
  if (isLittle === HOST_IS_LITTLE) return;
  const { elementBytes } = dataType(type);
  if (elementBytes === 2) bytes.swap16();
  else if (elementBytes === 4) bytes.swap32();
  else if (elementBytes === 8) bytes.swap64();
}

/**
 * Views native bytes as values.
 *
 * @param bytes - at the start of an ArrayBuffer of their own
 * @param elements - bytes per text
 */
export function toValues(bytes: Buffer, type: CdfType, elements: number): CdfValues {
  const { kind, array, elementBytes } = dataType(type);
  if (kind === 'text') {
    return Array.from({ length: bytes.length / elements }, (_, i) =>
      toText(bytes.subarray(i * elements, (i + 1) * elements)),
    );
  }
  return new array(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.length / elementBytes);
}

/** A few values: an attribute entry or a pad. */
export function decodeFew(bytes: Buffer, type: CdfType, isLittle: boolean): string | (number | bigint)[] {
  if (dataType(type).kind === 'text') return toText(bytes);
  const own = Buffer.from(new Uint8Array(bytes).buffer);
  toNativeOrder(own, type, isLittle);
  return [...(toValues(own, type, 1) as Iterable<number | bigint>)];
}

/** UTF-8 without the NULs that fill it up. */
function toText(bytes: Buffer): string {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  return bytes.toString('utf8', 0, end);
}

/**
 * Turns records whose first dimension varies fastest (column majority) into records whose last one does.
 *
 * @param bytes - whole records; changed in place
 * @param itemBytes - bytes per value, or per text
 */
export function toRowMajor(bytes: Buffer, dims: readonly number[], itemBytes: number): void {
  if (dims.length < 2) return;
  const order = columnPositions(dims);
  const recordBytes = order.length * itemBytes;
  const record = Buffer.allocUnsafeSlow(recordBytes);
  for (let start = 0; start < bytes.length; start += recordBytes) {
    bytes.copy(record, 0, start, start + recordBytes);
    for (let i = 0; i < order.length; i++) {
      const from = order[i]! * itemBytes;
      const to = start + i * itemBytes;
      for (let b = 0; b < itemBytes; b++) bytes[to + b] = record[from + b]!;
    }
  }
}

/** For each value in row-major order, its position in column-major order. */
function columnPositions(dims: readonly number[]): Int32Array {
  const strides = dims.map((_, d) => dims.slice(0, d).reduce((product, size) => product * size, 1));
  const positions = new Int32Array(dims.reduce((product, size) => product * size, 1));
  const index = dims.map(() => 0);
  for (let i = 0; i < positions.length; i++) {
    positions[i] = index.reduce((sum, at, d) => sum + at * strides[d]!, 0);
    for (let d = dims.length - 1; d >= 0 && ++index[d]! === dims[d]; d--) index[d] = 0;
  }
  return positions;
}
