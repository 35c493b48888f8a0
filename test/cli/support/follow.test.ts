import { ServiceError, WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { followRange } from '../../../src/cli/support/follow.ts';
import type { RangeView } from '../../../src/cli/support/follow.ts';
import type { RangeHandle } from '../../../src/client.ts';
import type { RangeProgress } from '../../../src/core/backfill/range-progress.ts';
import { RANGE_ID, fakeSession } from './fake-session.ts';
import type { Script } from './fake-session.ts';
import { DAY, progress, result } from './views.ts';

const HANDLE = { workflowId: RANGE_ID } as RangeHandle;
const NEVER = { ends: () => new Promise<never>(() => undefined) };
const ONLY_FAILED = { state: 'NeedsAttention', failedDays: 1 } as const;

interface Following {
  readonly leave?: AbortSignal;
  readonly decides?: boolean;
  readonly show?: (view: RangeView) => void;
}

function follow(
  script: Script,
  { leave = new AbortController().signal, decides, show = () => undefined }: Following = {},
) {
  const { session } = fakeSession(script);
  return followRange(session, 'test', HANDLE, show, leave, decides);
}

describe('a range is followed to where there is something to decide', () => {
  test('its end, with its result', async () => {
    expect(await follow({ open: [progress()] })).toEqual({ end: 'finished', result: result() });
  });

  test('only failed days are left', async () => {
    expect(await follow({ ...NEVER, open: [progress(ONLY_FAILED)] })).toMatchObject({ end: 'only_failed' });
  });

  test('not while failed days that were asked for again are being planned', async () => {
    const open = [progress({ ...ONLY_FAILED, queued: 1 }), progress({ ...ONLY_FAILED, settledDays: 30 })];
    const seen: number[] = [];
    const end = await follow({ ...NEVER, open }, { show: ({ progress: view }) => void seen.push(view.queued) });
    expect(end).toMatchObject({ end: 'only_failed', progress: { settledDays: 30 } });
    expect(seen).toEqual([1, 0]);
  });

  test.for(['source', 'worker'] as const)('stopped by the %s, once its days have drained', async (by) => {
    const stopped = { state: 'NeedsAttention', pause: { by, reason: 'r' } } as const;
    const open = [progress({ ...stopped, running: [DAY] }), progress(stopped)];
    expect(await follow({ ...NEVER, open })).toMatchObject({
      end: 'stopped',
      progress: { running: [], pause: { by } },
    });
  });

  test("an operator's pause is waited out", async () => {
    const open = [progress({ state: 'Paused', pause: { by: 'operator', reason: 'r' } }), progress(ONLY_FAILED)];
    expect(await follow({ ...NEVER, open })).toMatchObject({ end: 'only_failed' });
  });

  test('somebody who only watches decides nothing', async () => {
    const leaving = new AbortController();
    const states: RangeProgress['state'][] = [];
    const show = ({ progress: { state } }: RangeView): void => {
      states.push(state);
      if (states.length === 2) leaving.abort();
    };
    const following = { leave: leaving.signal, decides: false, show };
    expect(await follow({ ...NEVER, open: [progress(ONLY_FAILED)] }, following)).toEqual({ end: 'left' });
    expect(states).toEqual(['NeedsAttention', 'NeedsAttention']);
  });

  test('leaving, also before the first look', async () => {
    expect(await follow({ ...NEVER, open: [progress()] }, { leave: AbortSignal.abort() })).toEqual({ end: 'left' });
  });

  test('a server that goes away a second time, long after the first, is waited for as long', async () => {
    const [minutes, clock] = [60_000, vi.spyOn(performance, 'now')];
    onTestFinished(() => clock.mockRestore());
    let now = 0;
    clock.mockImplementation(() => now);
    let seen: (() => void) | null = null;
    let asked = 0;
    const ends = async () => {
      asked += 1;
      if (asked === 3) return result();
      now += 20 * minutes;
      // It answered all that time.
      await new Promise<void>((resolve) => (seen = resolve));
      throw new ServiceError('away');
    };
    expect(await follow({ ends, open: [progress()] }, { show: () => seen?.() })).toMatchObject({ end: 'finished' });
    expect(asked).toBe(3);
  });

  test('a server lost for good is an error', async () => {
    const lost = Promise.reject(new Error('the server was lost'));
    lost.catch(() => undefined);
    await expect(follow({ ...NEVER, open: [progress()], lost })).rejects.toThrow('the server was lost');
  });
});

describe('a range that ended without a result', () => {
  test.for([
    ['config_invalid', 'config_invalid'],
    ['path_owned', 'path_owned'],
    ['checksum_mismatch', 'invariant_broken'],
    ['TypeError', 'invariant_broken'],
  ] as const)('because of %s is told as %s, with its words and hint', async ([type, kind]) => {
    const cause = ApplicationFailure.create({
      message: 'The path is taken.',
      type,
      details: [{ hint: 'Take another.' }],
    });
    const ends = async (): Promise<never> => {
      throw new WorkflowFailedError('failed', new Error('around it', { cause }), 'NON_RETRYABLE_FAILURE');
    };
    await expect(follow({ ends, open: [progress()] })).rejects.toMatchObject({
      kind,
      message: `The range ${RANGE_ID} ended without a result: The path is taken.`,
      hint: 'Take another.',
    });
  });

  test('in our words, not in those of a library below them', async () => {
    const cause = ApplicationFailure.create({
      message: 'There is no such bucket.',
      type: 'config_invalid',
      cause: ApplicationFailure.create({ message: 'NotFound', type: 'S3ServiceException' }),
    });
    const ends = async (): Promise<never> => {
      throw new WorkflowFailedError('failed', cause, 'NON_RETRYABLE_FAILURE');
    };
    await expect(follow({ ends, open: [progress()] })).rejects.toMatchObject({
      kind: 'config_invalid',
      message: `The range ${RANGE_ID} ended without a result: There is no such bucket.`,
    });
  });

  test('without a hint of its own it says where to look', async () => {
    const ends = async (): Promise<never> => {
      throw new WorkflowFailedError('cancelled', undefined, 'NON_RETRYABLE_FAILURE');
    };
    await expect(follow({ ends, open: [progress()] })).rejects.toMatchObject({
      kind: 'invariant_broken',
      hint: expect.stringContaining('same command') as string,
    });
  });
});
