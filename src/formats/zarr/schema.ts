/**
 * What a caller says about a store: one group of arrays, some of which grow along their first dimension by whole periods.
 * Plain values, no behaviour.
 */
export type DataType = 'float64' | 'int32' | 'string';

export type ChunkValues = Float64Array | Int32Array | readonly string[];

export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };

export interface ArraySchema {
  /** Letters, digits and underscores. */
  readonly name: string;
  readonly type: DataType;
  /** Names of the dimensions, slowest first. */
  readonly dimensions: readonly string[];
  /** Size along each dimension; of a growing array the first is the number of entries in one period. */
  readonly shape: readonly number[];
  /** `periods`: the first dimension holds as many periods as the store does. */
  readonly grows: 'no' | 'periods';
  /** What one object holds. Along the growing dimension: a period, or, for `generated` arrays, whole periods. */
  readonly chunk: readonly number[];
  /** Splits the object into parts that are read one by one (sharding); divides `chunk`. */
  readonly innerChunk?: readonly number[];
  /** `zstd`: level 1 with a checksum. `blosc`: byte shuffle before zstd, for axes with constant steps. */
  readonly compression: 'zstd' | 'blosc';
  /** What cells without a chunk read as. */
  readonly fill: number | string;
  readonly attributes: Readonly<Record<string, Json>>;
  /**
   * Values of the object at this place along the first dimension, for arrays that follow from the schema (axes). They are
   * written by the library, always whole, also beyond the present end. Absent: periods are written by the caller.
   */
  readonly generated?: (index: number) => ChunkValues;
}

export interface GroupSchema {
  readonly attributes: Readonly<Record<string, Json>>;
  readonly arrays: readonly ArraySchema[];
  /** How a period is called in the attribute `updating`, and back. */
  readonly periodName: (period: number) => string;
  readonly periodOf: (name: string) => number;
}
