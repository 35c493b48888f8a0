import { WorkflowFailedError } from '@temporalio/client';
import { describe, expect, test } from 'vitest';
import { engageRange, holdOtherRanges } from '../../../src/cli/support/engage.ts';
import type { Engagement } from '../../../src/cli/support/engage.ts';
import type { RangeProgress } from '../../../src/core/backfill/range-progress.ts';
import { PipelineError } from '../../../src/core/errors.ts';
import { INPUT, RANGE_ID, fakeSession } from './fake-session.ts';
import { DAY, progress } from './views.ts';

const OTHERS = { ...INPUT.options, retryFailed: true };
const BY_OPERATOR = { by: 'operator', reason: 'lunch' } as const;
const BY_SOURCE = { by: 'source', kind: 'source_aborted', reason: 'It failed.' } as const;
const BY_WORKER = { by: 'worker', kind: 'disk_full', reason: 'Full.' } as const;
const ONLY_FAILED = { state: 'NeedsAttention', failedDays: 2, recentFailures: [] } as const;
const BEGIN_ANEW = ['start refused', 'finish', 'wait for its end', 'start'];

interface Case {
  readonly name: string;
  readonly owned: boolean;
  readonly open?: Partial<RangeProgress>;
  readonly attach?: boolean;
  readonly how: Engagement['how'];
  readonly runId: string;
  readonly calls: readonly string[];
}

const NEW = { how: 'started', runId: INPUT.runId } as const;
const OPEN = { runId: 'the-open-run' } as const;
const REFUSED = ['start refused'];

const CASES: readonly Case[] = [
  { name: 'no range is open: a new one', owned: false, ...NEW, calls: ['start'] },
  {
    name: 'its holder died: the unfinished range goes on under its run id',
    owned: true,
    open: {},
    ...OPEN,
    how: 'continued',
    calls: REFUSED,
  },
  {
    name: "its holder died in an operator's pause: the same command goes on",
    owned: true,
    open: { state: 'Paused', pause: BY_OPERATOR },
    ...OPEN,
    how: 'resumed',
    calls: [...REFUSED, 'resume'],
  },
  {
    name: 'its holder died and its command was another one: its days are put down, then anew',
    owned: true,
    open: { options: OTHERS, running: [DAY] },
    ...NEW,
    calls: ['start refused', 'cancel', 'wait for its end', 'start'],
  },
  {
    name: 'the source stopped it, its holder ended, and this command is another one: what was typed is what happens',
    owned: true,
    open: { state: 'NeedsAttention', pause: BY_SOURCE, options: OTHERS },
    ...NEW,
    calls: ['start refused', 'cancel', 'wait for its end', 'start'],
  },
  {
    name: 'its holder died and this command wants more days at once: the same range goes on with them',
    owned: true,
    open: { concurrency: 1 },
    ...OPEN,
    how: 'continued',
    calls: [...REFUSED, 'concurrency 2'],
  },
  ...[true, false].flatMap((owned): Case[] => [
    {
      name: `only failed days are left (owned: ${owned}): it is finished, then a fresh range`,
      owned,
      open: ONLY_FAILED,
      ...NEW,
      calls: BEGIN_ANEW,
    },
    {
      name: `the source stopped it (owned: ${owned}): the same command resumes it`,
      owned,
      open: { state: 'NeedsAttention', pause: BY_SOURCE },
      ...OPEN,
      how: 'resumed',
      calls: [...REFUSED, 'resume'],
    },
    {
      name: `a full disk stopped it (owned: ${owned}): the same command resumes it`,
      owned,
      open: { state: 'NeedsAttention', pause: BY_WORKER },
      ...OPEN,
      how: 'resumed',
      calls: [...REFUSED, 'resume'],
    },
  ]),
  {
    name: "another's range at work, with --attach: it is followed",
    owned: false,
    open: { running: [DAY] },
    attach: true,
    ...OPEN,
    how: 'attached',
    calls: REFUSED,
  },
];

describe('the same command again (design §2)', () => {
  test.for(CASES)('$name', async ({ owned, open, attach = false, how, runId, calls: expected }) => {
    const { session, calls } = fakeSession({ owned, ...(open && { open: [progress(open)] }) });
    const engaged = await engageRange(session, INPUT, attach);
    expect(engaged).toMatchObject({ how, runId, handle: { workflowId: RANGE_ID } });
    expect(calls).toEqual(expected);
  });

  test.for<[string, Partial<RangeProgress>]>([
    ['days under way', { running: [DAY], settledDays: 7 }],
    ['days in the queue beside failed ones', { ...ONLY_FAILED, queued: 1, settledDays: 7 }],
    ["an operator's pause", { state: 'Paused', pause: BY_OPERATOR, settledDays: 7 }],
  ])("another's range with %s: refused, with how to follow it, and left alone", async ([, open]) => {
    const { session, calls } = fakeSession({ owned: false, open: [progress(open)] });
    const error = await engageRange(session, INPUT, false).catch((refusal: unknown) => refusal);
    expect(error).toBeInstanceOf(PipelineError);
    expect(error).toMatchObject({ kind: 'config_invalid' });
    const { message, hint } = error as PipelineError;
    expect(message).toBe(`The range ${RANGE_ID} is running already: 7 of 30 days settled.`);
    expect(hint).toContain(`reachback watch ${RANGE_ID}`);
    expect(hint).toContain('--attach');
    expect(calls).toEqual(REFUSED);
  });

  test('the refusal says when the running command had other options', async () => {
    const { session } = fakeSession({ owned: false, open: [progress({ options: OTHERS })] });
    await expect(engageRange(session, INPUT, false)).rejects.toThrow(/other options than yours/);
  });

  test("another's range that the source stopped is not resumed by a command with other options", async () => {
    const open = [progress({ state: 'NeedsAttention', pause: BY_SOURCE, options: OTHERS })];
    const { session, calls } = fakeSession({ owned: false, open });
    await expect(engageRange(session, INPUT, false)).rejects.toThrow(/other options than yours/);
    expect(calls).toEqual(REFUSED);
  });

  test('a range that ended badly while we waited for it is over all the same', async () => {
    const ends = async (): Promise<never> => {
      throw new WorkflowFailedError('cancelled', undefined, 'NON_RETRYABLE_FAILURE');
    };
    const { session, calls } = fakeSession({ owned: true, open: [progress({ options: OTHERS })], ends });
    expect(await engageRange(session, INPUT, false)).toMatchObject({ how: 'started' });
    expect(calls.at(-1)).toBe('start');
  });

  test('a server that goes away meanwhile is an error', async () => {
    const ends = async (): Promise<never> => {
      throw new Error('connection lost');
    };
    const { session } = fakeSession({ owned: true, open: [progress({ options: OTHERS })], ends });
    await expect(engageRange(session, INPUT, false)).rejects.toThrow('connection lost');
  });
});

test('ranges of earlier, interrupted commands start no new day until their own command comes', async () => {
  const { session, calls } = fakeSession({ openRanges: ['backfill/a', RANGE_ID, 'backfill/b'] });
  expect(await holdOtherRanges(session, 'test', RANGE_ID)).toEqual(['backfill/a', 'backfill/b']);
  expect(calls).toEqual(['pause backfill/a: waits for its own command', 'pause backfill/b: waits for its own command']);
});
