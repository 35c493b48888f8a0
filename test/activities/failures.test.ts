import { fileURLToPath } from 'node:url';
import {
  ApplicationFailure,
  CancelledFailure,
  DefaultFailureConverter,
  defaultPayloadConverter,
} from '@temporalio/common';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { toFailure } from '../../src/activities/failures.ts';
import { ERROR_KINDS, PipelineError } from '../../src/core/errors.ts';
import type { ErrorKind } from '../../src/core/errors.ts';

const PROJECT = fileURLToPath(new URL('../../', import.meta.url));
const converter = new DefaultFailureConverter();

/** Thrown so many calls down. */
function deeply(depth: number, message: string): Error {
  return depth === 0 ? new Error(message) : deeply(depth - 1, message);
}

/** Bytes of all texts and payloads, in UTF-8. */
function encodedBytes(failure: object): number {
  return Object.values(failure).reduce((sum: number, value: unknown) => {
    if (typeof value === 'string') return sum + Buffer.byteLength(value);
    if (value instanceof Uint8Array) return sum + value.length;
    return typeof value === 'object' && value !== null ? sum + encodedBytes(value) : sum;
  }, 0);
}

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
    });
    expect(failure.cause).toBeUndefined();
  });

  test('of causes the first that says something else, and places in the code without the folder of this machine', () => {
    const socket = new Error('connect ECONNREFUSED 127.0.0.1:1');
    const first = new PipelineError('source_unavailable', '3 slices are missing', { cause: socket });
    const told = new PipelineError('source_unavailable', '3 slices are missing', { cause: first });
    const failure = translated(told);
    expect(failure.cause).toMatchObject({ name: 'Error', message: socket.message });
    for (const stack of [failure.stack, failure.cause?.stack]) {
      expect(stack).toContain('test/activities/failures.test.ts');
      expect(stack).not.toContain(PROJECT);
    }
  });

  test('a failure that is tried again is never replaced by the server for its size', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 5_000, size: 'max' });
    const texts = fc.tuple(text, text, text, fc.string({ maxLength: 300 }));
    fc.assert(
      fc.property(texts, ([message, cause, root, hint]) => {
        const inner = new PipelineError('source_unavailable', cause, { cause: deeply(40, root) });
        const error = new PipelineError('source_unavailable', message, { cause: inner, hint });
        expect(encodedBytes(converter.errorToFailure(translated(error), defaultPayloadConverter))).toBeLessThan(4_096);
      }),
    );
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
