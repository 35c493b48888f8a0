/**
 * What a CDF says about itself, as values: header, variables, attributes. No data.
 */
import type { CdfType } from '../data-types.ts';

/** One value of an attribute. */
export interface AttributeEntry {
  /** Entry number of a global attribute; number of the variable otherwise. */
  readonly num: number;
  readonly type: CdfType;
  /** Text of CHAR and UCHAR without trailing NULs; numbers of other types (EPOCH16 as pairs). */
  readonly value: string | readonly (number | bigint)[];
}

/** An attribute of the file. */
export interface GlobalAttribute {
  readonly name: string;
  /** Ascending by number; numbers may have gaps. */
  readonly entries: readonly AttributeEntry[];
}

export type Compression = 'none' | 'gzip' | 'rle' | 'huffman' | 'adaptive_huffman';

/** A variable, without its values. */
export interface VariableDescription {
  readonly name: string;
  /** rVariables are an older form whose dimensions are common to the file. */
  readonly kind: 'r' | 'z';
  readonly num: number;
  readonly type: CdfType;
  /** Bytes per text; 1 for numbers. */
  readonly elements: number;
  /** Sizes of the dimensions that vary, slowest first. Those that do not vary take no space and are left out. */
  readonly dims: readonly number[];
  readonly recordVarying: boolean;
  /** Records written, 0 or more. */
  readonly records: number;
  readonly compression: Compression;
  /** Of GZIP; informative. */
  readonly gzipLevel: number | undefined;
  /** Whether records may be missing, and what they read as. */
  readonly sparse: 'no' | 'pad' | 'previous';
  /** `undefined` if the file does not say. */
  readonly pad: string | readonly (number | bigint)[] | undefined;
  readonly attributes: ReadonlyMap<string, AttributeEntry>;
}

/** The file as a whole. */
export interface CdfDescription {
  /** Version, release and increment of the library that wrote the file, e.g. `3.9.0`. */
  readonly version: string;
  /** Code of the byte order and floating-point form, e.g. 6 for little-endian IEEE; values are given natively. */
  readonly encoding: number;
  /** How arrays lie in the file; values are given row-major. */
  readonly majority: 'row' | 'column';
  readonly hasChecksum: boolean;
  /** The file is compressed as a whole. */
  readonly isCompressed: boolean;
  readonly copyright: string;
  /** yyyymmdd of the newest leap second the writer knew; 0 or less if it does not say. */
  readonly leapSecondLastUpdated: number;
}
