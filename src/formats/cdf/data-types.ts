/**
 * The data types of CDF: code in the file, size, the JavaScript array that holds them, default pad and ISTP fill.
 *
 * Source: CDF Internal Format Description, "Data Types" and "Pad Values"; fill values from the ISTP guidelines.
 */

/** How the bytes of one element are to be understood. */
export type ElementKind = 'int' | 'uint' | 'float' | 'text';

interface DataType {
  readonly code: number;
  /** Of one value; an EPOCH16 is two doubles. */
  readonly bytes: number;
  /** Of the unit that a foreign byte order would swap. */
  readonly elementBytes: 1 | 2 | 4 | 8;
  readonly kind: ElementKind;
  /** Array that holds the values; text also comes as strings. */
  readonly array: ArrayConstructor;
  readonly pad: readonly (number | bigint)[];
  readonly fill: readonly (number | bigint)[];
}

type ArrayConstructor =
  | typeof Int8Array
  | typeof Int16Array
  | typeof Int32Array
  | typeof BigInt64Array
  | typeof Uint8Array
  | typeof Uint16Array
  | typeof Uint32Array
  | typeof Float32Array
  | typeof Float64Array;

const INT64_MIN = -(2n ** 63n);
const SPACE = 0x20;

function signed(code: number, bytes: 1 | 2 | 4, array: ArrayConstructor): DataType {
  const lowest = -(2 ** (bytes * 8 - 1));
  return { code, bytes, elementBytes: bytes, kind: 'int', array, pad: [lowest + 1], fill: [lowest] };
}

function unsigned(code: number, bytes: 1 | 2 | 4, array: ArrayConstructor): DataType {
  const highest = 2 ** (bytes * 8) - 1;
  return { code, bytes, elementBytes: bytes, kind: 'uint', array, pad: [highest - 1], fill: [highest] };
}

function int64(code: number): DataType {
  return {
    code,
    bytes: 8,
    elementBytes: 8,
    kind: 'int',
    array: BigInt64Array,
    pad: [INT64_MIN + 1n],
    fill: [INT64_MIN],
  };
}

function float(code: number, bytes: 4 | 8, pad = -1e30): DataType {
  const array = bytes === 4 ? Float32Array : Float64Array;
  return { code, bytes, elementBytes: bytes, kind: 'float', array, pad: [pad], fill: [-1e31] };
}

function text(code: number): DataType {
  return { code, bytes: 1, elementBytes: 1, kind: 'text', array: Uint8Array, pad: [SPACE], fill: [SPACE] };
}

/**
 * All data types by name. `array` is the kind of array that `CdfWriter.append` takes and readers give; `bytes` is the size
 * of one value in the file; `pad` stands for records never written, `fill` for values that are missing.
 */
export const DATA_TYPES = {
  CDF_INT1: signed(1, 1, Int8Array),
  CDF_INT2: signed(2, 2, Int16Array),
  CDF_INT4: signed(4, 4, Int32Array),
  CDF_INT8: int64(8),
  CDF_UINT1: unsigned(11, 1, Uint8Array),
  CDF_UINT2: unsigned(12, 2, Uint16Array),
  CDF_UINT4: unsigned(14, 4, Uint32Array),
  CDF_BYTE: signed(41, 1, Int8Array),
  CDF_REAL4: float(21, 4),
  CDF_FLOAT: float(44, 4),
  CDF_REAL8: float(22, 8),
  CDF_DOUBLE: float(45, 8),
  CDF_EPOCH: float(31, 8, 0),
  CDF_EPOCH16: { ...float(32, 8), bytes: 16, pad: [0, 0], fill: [-1e31, -1e31] },
  CDF_TIME_TT2000: int64(33),
  CDF_CHAR: text(51),
  CDF_UCHAR: text(52),
} as const satisfies Record<string, DataType>;

/** Name of a data type. CDF_REAL4 and CDF_FLOAT, CDF_REAL8 and CDF_DOUBLE, CDF_BYTE and CDF_INT1 store the same bytes. */
export type CdfType = keyof typeof DATA_TYPES;

/** The table's row for a type, with its common shape. */
export function dataType(type: CdfType): DataType {
  return DATA_TYPES[type];
}
