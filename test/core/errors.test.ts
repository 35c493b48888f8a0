import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ERROR_KINDS, PipelineError, isPipelineError } from '../../src/core/errors.ts';
import type { ErrorKind } from '../../src/core/errors.ts';

const KINDS = Object.keys(ERROR_KINDS) as ErrorKind[];

/** Rows of "Who retries": kinds in the first cell, then what the engine, the day and the range do. */
const DOCUMENTED = readFileSync(new URL('../../docs/architecture.md', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| `'))
  .map((line) => line.split('|').map((cell) => cell.trim()))
  .filter((cells) => cells.length === 6)
  .flatMap(([, kinds = '', engine = '', day = '', range = '']) =>
    [...kinds.matchAll(/`(\w+)`/g)].map(([, kind = '']) => ({ kind, engine, day, range })),
  )
  .filter(({ kind }) => Object.hasOwn(ERROR_KINDS, kind));

describe('error kinds', () => {
  test.for(KINDS)('%s stands once in the table of docs/architecture.md, with what the engine does', (kind) => {
    const rows = DOCUMENTED.filter((row) => row.kind === kind);
    expect(rows).toHaveLength(1);
    const [row] = rows;
    const advice = ERROR_KINDS[kind];
    expect(row?.engine.startsWith('tries again')).toBe(advice === 'later');
    expect(row?.range.startsWith('pauses')).toBe(advice === 'stop_run');
  });

  test('an error carries kind, message, hint, facts and the time of the next try', () => {
    const cause = new Error('below');
    const error = new PipelineError('rate_limited', 'Too many.', {
      hint: 'Wait.',
      context: { status: 429 },
      retryAfterMs: 30_000,
      cause,
    });
    expect(error).toMatchObject({
      name: 'PipelineError',
      kind: 'rate_limited',
      message: 'Too many.',
      hint: 'Wait.',
      context: { status: 429 },
      retryAfterMs: 30_000,
      retry: 'later',
      cause,
    });
    expect(error).toBeInstanceOf(Error);
  });

  test('without options nothing is made up', () => {
    const error = new PipelineError('invariant_broken', 'No.');
    expect([error.hint, error.context, error.retryAfterMs]).toEqual([undefined, {}, undefined]);
    expect('cause' in error).toBe(false);
  });

  test('isPipelineError tells by kind', () => {
    const error = new PipelineError('disk_full', 'Full.');
    expect(isPipelineError(error)).toBe(true);
    expect(isPipelineError(error, 'disk_full')).toBe(true);
    expect(isPipelineError(error, 'path_owned')).toBe(false);
    expect(isPipelineError(new Error('Full.'))).toBe(false);
    expect(isPipelineError({ kind: 'disk_full' })).toBe(false);
  });
});
