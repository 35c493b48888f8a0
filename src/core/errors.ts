/**
 * The errors of the pipeline: one class, a closed list of kinds, and for each kind what the caller should do.
 *
 * Match on `kind`, never on class: only text survives the way from an activity to a workflow and to the client.
 * "No data for that day" is a result, not an error.
 */

/** What the caller should do: give up, try later, or stop the whole run. */
export type RetryAdvice = 'never' | 'later' | 'stop_run';

export const ERROR_KINDS = {
  /** Arguments, environment or files contradict what the command needs. */
  config_invalid: 'never',
  /** A path belongs to another product of this workspace (UDL-27, CDF-D1). */
  path_owned: 'never',
  /** The source refused the credentials (401, 403). */
  auth_rejected: 'stop_run',
  /** The source failed so often in a row that asking on would be rude (design §2). */
  source_aborted: 'stop_run',
  /** Another process on this machine holds the gate of the same source and credentials (design §3). */
  gate_held: 'stop_run',
  /** No room left on the device. */
  disk_full: 'stop_run',
  /** The source asked for a pause (429). */
  rate_limited: 'later',
  /** Slices are missing after a pass; the next pass asks for them alone. */
  source_unavailable: 'later',
  /** One slice failed more often than allowed; the day is given up. */
  slice_exhausted: 'never',
  /** An input file is missing or not usable as a whole. */
  input_invalid: 'never',
  /** More rows were unusable than the threshold allows (CDF-D10). */
  quarantine_exceeded: 'never',
  /** A file does not hold what the ledger or its manifest says. */
  checksum_mismatch: 'never',
  /** The destination of a product did not answer or refused. */
  storage_unavailable: 'later',
  /** Another writer has taken over a Zarr store; nothing of this one was committed. */
  store_conflict: 'later',
  /** The ledger's database did not answer. */
  ledger_unavailable: 'later',
  /** A promise of our own code does not hold: a bug. */
  invariant_broken: 'never',
} as const satisfies Record<string, RetryAdvice>;

export type ErrorKind = keyof typeof ERROR_KINDS;

/** Facts beside the message; never secrets, never more than about 1 kB. */
export type ErrorContext = Readonly<Record<string, string | number | boolean | undefined>>;

export interface PipelineErrorOptions {
  /** What the operator should do or run next. */
  readonly hint?: string;
  readonly context?: ErrorContext;
  /** Earliest sensible time of the next try, in milliseconds from now. */
  readonly retryAfterMs?: number;
  readonly cause?: unknown;
}

export class PipelineError extends Error {
  override readonly name = 'PipelineError';
  readonly kind: ErrorKind;
  readonly hint: string | undefined;
  readonly context: ErrorContext;
  readonly retryAfterMs: number | undefined;

  constructor(kind: ErrorKind, message: string, options: PipelineErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.kind = kind;
    this.hint = options.hint;
    this.context = options.context ?? {};
    this.retryAfterMs = options.retryAfterMs;
  }

  get retry(): RetryAdvice {
    return ERROR_KINDS[this.kind];
  }
}

/** Whether `error` is a `PipelineError`, of `kind` when one is given. */
export function isPipelineError(error: unknown, kind?: ErrorKind): error is PipelineError {
  return error instanceof PipelineError && (kind === undefined || error.kind === kind);
}
