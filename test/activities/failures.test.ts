import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { describe, expect, test } from 'vitest';
import { toFailure } from '../../src/activities/failures.ts';
import { ERROR_KINDS, PipelineError } from '../../src/core/errors.ts';
import type { ErrorKind } from '../../src/core/errors.ts';

const translated = (error: unknown, attempt = 1): ApplicationFailure => toFailure(error, attempt) as ApplicationFailure;

function withCode(code: string): Error {
  return Object.assign(new Error(`${code}: write failed`), { code });
}

describe('what the engine is told', () => {
  test.for(Object.keys(ERROR_KINDS) as ErrorKind[])('%s: type, retryable or not, when, hint and incident', (kind) => {
    const error = new PipelineError(kind, 'What happened.', {
      hint: 'What to do.',
      context: { incident: 'i-1', slices: 3 },
      retryAfterMs: 1_500,
    });
    const failure = translated(error);
    expect(failure).toBeInstanceOf(ApplicationFailure);
    expect(failure).toMatchObject({
      message: 'What happened.',
      type: kind,
      nonRetryable: ERROR_KINDS[kind] !== 'later',
      nextRetryDelay: 1_500,
      details: [{ hint: 'What to do.', incident: 'i-1', slices: 3 }],
      cause: error,
    });
  });

  test('an error without hint and time makes none up', () => {
    const failure = translated(new PipelineError('storage_unavailable', 'Away.'));
    expect(failure.details).toEqual([{}]);
    expect(failure.nextRetryDelay).toBeUndefined();
  });

  test('being asked to slow down is everyday life, not an alarm', () => {
    expect(translated(new PipelineError('rate_limited', 'Slow.')).category).toBe('BENIGN');
    expect(translated(new PipelineError('source_unavailable', 'Away.')).category).not.toBe('BENIGN');
  });

  test.for(['ENOSPC', 'EDQUOT', 'SQLITE_FULL'])('%s stops the run as disk_full, with what to do', (code) => {
    const failure = translated(withCode(code));
    expect(failure).toMatchObject({ type: 'disk_full', nonRetryable: true });
    expect(failure.message).toContain(code);
    expect(failure.details).toEqual([{ hint: expect.stringContaining('Free some space') as string }]);
  });

  test.for([new TypeError('x'), new ReferenceError('x'), new SyntaxError('x'), new RangeError('x')])(
    '%s is a bug: trying again cannot help',
    (error) => {
      expect(translated(error)).toMatchObject({ type: error.name, nonRetryable: true });
    },
  );

  test.for([
    [1, false],
    [4, false],
    [5, true],
    [6, true],
  ] as const)('an error of unknown kind at attempt %i is final: %s', ([attempt, final]) => {
    expect(translated(withCode('EIO'), attempt)).toMatchObject({ type: 'Error', nonRetryable: final });
    expect(translated('a text', attempt)).toMatchObject({ message: 'a text', nonRetryable: final });
  });

  test('cancellation and failures of the engine pass as they are', () => {
    const cancelled = new CancelledFailure('stop');
    const failure = ApplicationFailure.create({ message: 'as it is', nonRetryable: true });
    expect(toFailure(cancelled, 9)).toBe(cancelled);
    expect(toFailure(failure, 9)).toBe(failure);
  });
});
