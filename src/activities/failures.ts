/** The one place where errors become what the engine understands: type = kind, retryable or not, when, with what hint. */
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { isPipelineError } from '../core/errors.ts';

/** Engine attempts that an error of unknown kind gets before it counts as final. */
const UNKNOWN_ERROR_ATTEMPTS = 5;

/** Errors of our own code: trying again cannot help. */
const BUGS = [TypeError, ReferenceError, SyntaxError, RangeError];

/** What file systems and SQLite say when no room is left. */
const DISK_FULL_CODES: readonly unknown[] = ['ENOSPC', 'EDQUOT', 'SQLITE_FULL'];

/**
 * @param attempt - the engine's attempt at this activity, from 1
 */
export function toFailure(error: unknown, attempt: number): Error {
  if (error instanceof CancelledFailure || error instanceof ApplicationFailure) return error;
  if (isPipelineError(error)) {
    const { kind, hint, context, retryAfterMs } = error;
    return ApplicationFailure.create({
      message: error.message,
      type: kind,
      nonRetryable: error.retry !== 'later',
      details: [{ ...context, ...(hint === undefined ? {} : { hint }) }],
      ...(retryAfterMs === undefined ? {} : { nextRetryDelay: retryAfterMs }),
      ...(kind === 'rate_limited' ? { category: 'BENIGN' as const } : {}),
      cause: error,
    });
  }
  const cause = error instanceof Error ? error : new Error(String(error));
  if ('code' in cause && DISK_FULL_CODES.includes(cause.code)) {
    return ApplicationFailure.create({
      message: `No space left on the device: ${cause.message}`,
      type: 'disk_full',
      nonRetryable: true,
      details: [{ hint: 'Free some space, then resume the range.' }],
      cause,
    });
  }
  return ApplicationFailure.create({
    message: cause.message,
    type: cause.name,
    nonRetryable: BUGS.some((bug) => cause instanceof bug) || attempt >= UNKNOWN_ERROR_ATTEMPTS,
    cause,
  });
}
