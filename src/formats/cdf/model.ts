/**
 * What a caller says about a CDF: variables, attributes, options. Plain values, no behaviour.
 */
import type { CdfType } from './data-types.ts';

/** Text becomes one CDF_CHAR entry in UTF-8. Empty text is stored as one space, as ISTP asks. */
export type AttributeValue =
  | string
  | {
      readonly type: CdfType;
      /** At least one. Integers of 64 bits and TT2000 as bigint or safe integers; EPOCH16 as pairs; CHAR as bytes. */
      readonly values: readonly (number | bigint)[];
    };

/** A variable of the file: one array per record, or one array for all records. */
export interface CdfVariable {
  /** Printable ASCII, 1 to 255 bytes, unique in the file. */
  readonly name: string;
  readonly type: CdfType;
  /** CHAR and UCHAR only, and needed there: bytes per text, at least 1. */
  readonly elements?: number;
  /** Sizes of the dimensions inside one record, slowest first; none for a scalar per record. Each at least 1. */
  readonly dims?: readonly number[];
  /** `false`: the variable holds exactly one record, valid for all (an axis, labels). */
  readonly recordVarying: boolean;
  /**
   * How many records will come, if that is known beforehand: 0 or more; `close` refuses any other number. Changes no
   * byte. If every variable that varies with records says it and none is compressed, all offsets are known before the
   * first value comes: values go straight to their place, and are written once instead of twice.
   */
  readonly records?: number;
  /** 0, the default, stores the values as they are. */
  readonly gzipLevel?: 0 | 1 | 2 | 3 | 4 | 5 | 6;
  /** What readers show for records that were never written. Default: the format's value for the type. */
  readonly pad?: number | bigint | string | readonly [seconds: number, picoseconds: number];
  /** What follows a text shorter than `elements`. Readers strip NULs and keep spaces. Default `nul`. */
  readonly charPadding?: 'nul' | 'space';
  /** What becomes of a text longer than `elements`. `truncate` cuts between UTF-8 characters. Default `refuse`. */
  readonly charOverflow?: 'refuse' | 'truncate';
  /** For a time axis: the writer refuses a value that is not greater than the one before. */
  readonly monotonic?: 'strict';
  /** In any order; the order in the file is that of the schema's `variableAttributeOrder`. */
  readonly attributes?: readonly (readonly [name: string, value: AttributeValue])[];
}

/** All that a file says beside its values; given once, before the first value. */
export interface CdfSchema {
  /** In file order. Several values become entries 0, 1, 2 …; none makes an attribute without entries. */
  readonly globalAttributes?: readonly (readonly [name: string, values: readonly AttributeValue[]])[];
  /** In file order; by custom the time axis comes first. */
  readonly variables: readonly CdfVariable[];
  /** Order in which variable attributes are created. Those not named follow in order of first use. */
  readonly variableAttributeOrder?: readonly string[];
  /** Free text in the file's first record, at most 256 bytes. */
  readonly copyright?: string;
}

/** How a file is stored; its meaning does not depend on it. */
export interface CdfWriteOptions {
  /** Append the MD5 that libcdf verifies on every open. Default `true`. */
  readonly checksum?: boolean;
  /** Raw bytes per compressed block, at least; a block holds whole records. Default 262,144. */
  readonly blockBytes?: number;
}

/** Values of whole records in row-major order, in the array kind of the variable's type (see `DATA_TYPES`). */
export type CdfValues =
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | Float32Array
  | Float64Array
  | readonly string[];

/** A finished file. */
export interface CdfWriteResult {
  readonly sizeBytes: number;
  /** Of the finished file, in lower-case hexadecimal. */
  readonly sha256: string;
}
