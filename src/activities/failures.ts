/** The one place where errors become what the engine understands: type = kind, retryable or not, when, with what hint. */
import { fileURLToPath } from 'node:url';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { isPipelineError } from '../core/errors.ts';

/** Engine attempts that an error of unknown kind gets before it counts as final. */
const UNKNOWN_ERROR_ATTEMPTS = 5;

/** Errors of our own code: trying again cannot help. */
const BUGS = [TypeError, ReferenceError, SyntaxError, RangeError];

/** What file systems and SQLite say when no room is left. */
const DISK_FULL_CODES: readonly unknown[] = ['ENOSPC', 'EDQUOT', 'SQLITE_FULL'];

/**
 * Of a failure that is tried again the server keeps 4 KiB; a larger one it replaces by a sentence of its own, and nobody sees what
 * failed. So texts are cut, of the places in the code a few are told, and of causes the first one that says something else.
 */
const LONGEST_MESSAGE = 1_000;
const LONGEST_CAUSE = 300;
const MOST_FRAMES = 5;
const LONGEST_FRAME = 120;
const PROJECT = fileURLToPath(new URL('../../', import.meta.url));

/**
 * What the engine is told of an error, small enough for it and without paths of this machine.
 *
 * @param attempt - the engine's attempt at this activity, from 1
 */
export function toFailure(error: unknown, attempt: number): Error {
  if (error instanceof CancelledFailure || error instanceof ApplicationFailure) return error;
  const failure = translate(error, attempt);
  if (error instanceof Error) failure.stack = fewFrames(error);
  return failure;
}

function translate(error: unknown, attempt: number): ApplicationFailure {
  if (isPipelineError(error)) {
    const { kind, hint, context, retryAfterMs } = error;
    return ApplicationFailure.create({
      message: shortened(error.message, LONGEST_MESSAGE),
      type: kind,
      nonRetryable: error.retry !== 'later',
      details: [{ ...context, ...(hint === undefined ? {} : { hint }) }],
      ...(retryAfterMs === undefined ? {} : { nextRetryDelay: retryAfterMs }),
      ...(kind === 'rate_limited' ? { category: 'BENIGN' as const } : {}),
      ...causeOf(error),
    });
  }
  const cause = error instanceof Error ? error : new Error(String(error));
  if ('code' in cause && DISK_FULL_CODES.includes(cause.code)) {
    return ApplicationFailure.create({
      message: shortened(`No space left on the device: ${cause.message}`, LONGEST_MESSAGE),
      type: 'disk_full',
      nonRetryable: true,
      details: [{ hint: 'Free some space, then resume the range.' }],
    });
  }
  return ApplicationFailure.create({
    message: shortened(cause.message, LONGEST_MESSAGE),
    type: cause.name,
    nonRetryable: BUGS.some((bug) => cause instanceof bug) || attempt >= UNKNOWN_ERROR_ATTEMPTS,
    ...causeOf(cause),
  });
}

/** The first cause that says more than what is told already. */
function causeOf(error: Error): { cause?: Error } {
  for (let cause = error.cause; cause instanceof Error; cause = cause.cause) {
    if (error.message.includes(cause.message)) continue;
    const told = new Error(shortened(cause.message, LONGEST_CAUSE));
    told.name = cause.name;
    told.stack = fewFrames(cause);
    return { cause: told };
  }
  return {};
}

/** Where it was thrown, with paths from the project's folder. */
function fewFrames({ name, stack = '' }: Error): string {
  const frames = stack.split('\n').filter((line) => /^\s+at /.test(line));
  const told = frames.slice(0, MOST_FRAMES).map((frame) => shortened(withoutProject(frame), LONGEST_FRAME));
  return [name, ...told].join('\n');
}

function withoutProject(frame: string): string {
  return frame.replaceAll(`file://${PROJECT}`, '').replaceAll(PROJECT, '');
}

/** At most so many bytes of UTF-8. */
function shortened(text: string, longest: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= longest) return text;
  return `${bytes.toString('utf8', 0, longest - 3).replace(/\uFFFD+$/, '')}…`;
}
