/**
 * The one error of this library. Match on `kind`, which is stable; messages are for people.
 */
export type ZarrErrorKind =
  /** Another writer has changed the store since it was read. Nothing was committed; open it again. */
  | 'conflict'
  /** There is something at the place, but no group that this library wrote. */
  | 'not_zarr'
  /** The store's metadata differ from the schema it is opened with; `differences` says in what. */
  | 'schema_differs'
  /** A schema that cannot become a store. */
  | 'schema_invalid'
  /** Values or a period that do not fit the schema. */
  | 'value_invalid'
  /** Bytes that are not what the format or their checksum says. */
  | 'corrupted'
  /** The place cannot do what is needed, such as a file system without hard links. */
  | 'unsupported';

export interface ZarrErrorDetails {
  readonly differences?: readonly string[];
  readonly cause?: unknown;
}

export class ZarrError extends Error {
  override readonly name = 'ZarrError';
  readonly kind: ZarrErrorKind;
  readonly differences: readonly string[];

  constructor(kind: ZarrErrorKind, message: string, details: ZarrErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.kind = kind;
    this.differences = details.differences ?? [];
  }
}
