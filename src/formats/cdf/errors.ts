/**
 * The one error of this library. Match on `kind`, which is stable; messages are for people.
 */
export type FormatErrorKind =
  /** A schema that cannot become a CDF: names, types, dimensions, attributes. */
  | 'schema_invalid'
  /** Values handed to the writer do not fit their variable: type, count, range, text length. */
  | 'value_invalid'
  /** A time axis that repeats or goes back, and that was declared strict. */
  | 'time_disordered'
  /** A time that is not well-formed text or lies outside the years this library converts. */
  | 'time_invalid'
  /** More records or bytes than the format can number. */
  | 'too_large'
  /** A call that the writer's state does not allow. */
  | 'writer_misused'
  /** The file is not a CDF of version 3. */
  | 'not_cdf'
  /** The file ends before something it announces. */
  | 'truncated'
  /** The file contradicts the format or itself. */
  | 'corrupted'
  /** The whole-file checksum is not that of the content. */
  | 'checksum_mismatch'
  /** Legal, but not read by this library. */
  | 'unsupported'
  /** A promise of this library's own code does not hold: a bug. */
  | 'layout_broken';

export interface FormatErrorDetails {
  /** Position in the file, in bytes from its start. */
  readonly offset?: number | undefined;
  readonly expected?: string | undefined;
  readonly got?: string | undefined;
  readonly cause?: unknown;
}

/** What is wrong, where in the file or schema, what was expected and what came. */
export class FormatError extends Error {
  override readonly name = 'FormatError';
  readonly kind: FormatErrorKind;
  readonly offset: number | undefined;
  readonly expected: string | undefined;
  readonly got: string | undefined;

  constructor(kind: FormatErrorKind, what: string, details: FormatErrorDetails = {}) {
    super(describe(what, details), details.cause === undefined ? undefined : { cause: details.cause });
    this.kind = kind;
    this.offset = details.offset;
    this.expected = details.expected;
    this.got = details.got;
  }
}

function describe(what: string, { offset, expected, got }: FormatErrorDetails): string {
  const where = offset === undefined ? what : `${what} (at byte ${offset})`;
  const details = [expected !== undefined && `expected ${expected}`, got !== undefined && `got ${got}`].filter(Boolean);
  return details.length === 0 ? where : `${where}: ${details.join(', ')}`;
}
