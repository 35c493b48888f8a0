import { checkConcurrency } from '../../../src/core/backfill/concurrency.ts';
import { describe, expect, test } from 'vitest';
import { failureList, progressOf, resultOf, stateName } from '../../../src/core/backfill/range-progress.ts';
import * as range from '../../../src/core/backfill/range-state.ts';
import type { RangeInput, RangeState, Step } from '../../../src/core/backfill/range-state.ts';
import type { DayFailure, PlanResult, RangeStateName } from '../../../src/core/backfill/types.ts';
import { ERROR_KINDS } from '../../../src/core/errors.ts';
import type { ErrorKind } from '../../../src/core/errors.ts';
import { daysBetween, parseDay } from '../../../src/core/time/day.ts';
import type { Day } from '../../../src/core/time/day.ts';

const FIRST = parseDay('2025-09-01');
const SECOND = parseDay('2025-09-02');
const LAST = parseDay('2025-09-30');

function input(changes: Partial<RangeInput> = {}, limitDays: number | null = null): RangeInput {
  return {
    workspace: 'test',
    runId: 'run-1',
    product: 'reach-101/quicklook',
    first: FIRST,
    last: LAST,
    options: {
      mode: 'run',
      retryFailed: false,
      uploadTo: null,
      profile: 'parity',
      sliceMode: 'half-open',
      limitDays,
    },
    concurrency: 2,
    maxDaysPerRun: 250,
    searchAttributes: true,
    ...changes,
  };
}

function state(changes: Partial<RangeState> = {}): RangeState {
  return { ...range.initialState(input()), nextDay: null, ...changes };
}

const plannedDay = (day: Day) => ({ day, stages: ['download'] as const, reason: 'not downloaded yet' });
const failed = (kind: DayFailure['kind'] = 'slice_exhausted', more: Partial<DayFailure> = {}): DayFailure => ({
  stage: 'download',
  kind,
  message: `it was ${kind}`,
  ...more,
});
const TOTALS = range.initialState(input()).totals;
const NO_SKIPS = { existing: 0, noData: 0, failed: 0, noInput: 0 };
const plan = (days: readonly Day[], more: Partial<PlanResult> = {}): PlanResult => ({
  days: days.map(plannedDay),
  skipped: NO_SKIPS,
  limited: false,
  ...more,
});

describe('nextStep: what a range does next', () => {
  const queue = [plannedDay(SECOND)];
  const pause = { by: 'operator', reason: 'lunch' } as const;
  const open = { nextDay: FIRST, queue, recheck: [FIRST], retry: [SECOND], incidentToClose: 'i-1' };
  const WAIT: Step = { do: 'wait' };

  test.for<[string, Partial<RangeState>, { running?: number; mustContinue?: boolean }, Step]>([
    ['finishing and drained: returns, whatever is left', { ...open, pause, finishing: true }, {}, { do: 'return' }],
    ['finishing with days under way: waits for them', { finishing: true }, { running: 1 }, WAIT],
    ['finishing goes before cutting the history', { finishing: true }, { mustContinue: true }, { do: 'return' }],
    ['a long history and drained: continues as new', open, { mustContinue: true }, { do: 'continue_as_new' }],
    ['a long history with days under way: drains first', open, { running: 2, mustContinue: true }, WAIT],
    [
      'a long history is cut although the range is paused',
      { pause },
      { mustContinue: true },
      { do: 'continue_as_new' },
    ],
    ['paused: waits, whatever there is to do', { ...open, pause }, {}, WAIT],
    ['an incident is closed before anything starts', open, {}, { do: 'close_incident', incident: 'i-1' }],
    [
      'days to retry are planned although they failed, before the rest',
      { ...open, incidentToClose: null },
      {},
      { do: 'plan_days', days: [SECOND], retryFailed: true },
    ],
    [
      'days put back are planned as they are',
      { ...open, incidentToClose: null, retry: [] },
      { running: 2 },
      { do: 'plan_days', days: [FIRST], retryFailed: false },
    ],
    [
      'a free place starts the first day of the queue',
      { nextDay: FIRST, queue },
      { running: 1 },
      { do: 'start', planned: queue[0]! },
    ],
    ['no free place: waits', { nextDay: FIRST, queue }, { running: 2 }, WAIT],
    ['more days under way than now allowed: waits', { queue, concurrency: 1 }, { running: 2 }, WAIT],
    [
      'an empty queue: plans the next days, while others run',
      { nextDay: SECOND },
      { running: 2 },
      { do: 'plan_chunk', first: SECOND, last: LAST },
    ],
    [
      'TEL-25: a limit that is spent: days behind it that need nothing are still found',
      { nextDay: SECOND, limitLeft: 0 },
      {},
      { do: 'plan_chunk', first: SECOND, last: LAST },
    ],
    ['days under way and nothing else: waits', {}, { running: 1 }, WAIT],
    ['days that another range is doing: waits', { elsewhere: [FIRST] }, {}, WAIT],
    [
      'only failed days left: waits for the operator',
      { failed: { [FIRST]: failed() } },
      {},
      { do: 'wait_for_operator' },
    ],
    ['failed days beyond those kept wait too', { failedOverflow: 1 }, {}, { do: 'wait_for_operator' }],
    ['nothing left: returns', {}, {}, { do: 'return' }],
  ])('%s', ([, changes, { running = 0, mustContinue = false }, expected]) => {
    expect(range.nextStep(state(changes), input(), running, mustContinue)).toEqual(expected);
  });

  test('a plan covers at most 366 days and ends with the range', () => {
    const last = parseDay('2027-01-15');
    const first = range.nextStep(state({ nextDay: FIRST }), input({ last }), 0, false);
    expect(first).toEqual({ do: 'plan_chunk', first: FIRST, last: '2026-09-01' });
    expect(daysBetween(FIRST, parseDay('2026-09-01'))).toHaveLength(range.PLAN_CHUNK_DAYS);
    const second = range.nextStep(state({ nextDay: parseDay('2026-09-02') }), input({ last }), 0, false);
    expect(second).toEqual({ do: 'plan_chunk', first: '2026-09-02', last });
  });
});

describe('what comes back changes the state', () => {
  test('a plan: days with work queue up, days without are counted by their reason, the next plan follows on', () => {
    const of = range.initialState(input());
    const skipped = { existing: 3, noData: 2, failed: 1, noInput: 4 };
    range.applyChunkPlan(
      of,
      input(),
      { first: FIRST, last: parseDay('2025-09-12') },
      plan([FIRST, SECOND], { skipped }),
    );
    expect(of.queue.map(({ day }) => day)).toEqual([FIRST, SECOND]);
    expect(of.totals.skipped).toEqual(skipped);
    expect(of.nextDay).toBe('2025-09-13');
    range.applyChunkPlan(of, input(), { first: FIRST, last: LAST }, plan([], { skipped }));
    expect(of.totals.skipped).toEqual({ existing: 6, noData: 4, failed: 2, noInput: 8 });
    expect(of.nextDay).toBeNull();
  });

  test('newest first: the chunks go back in time, and the first day of the range ends them', () => {
    const first = parseDay('2024-08-01');
    const newest = input({ first, options: { ...input().options, newestFirst: true } });
    const of = range.initialState(newest);
    expect(of.nextDay).toBe(LAST);
    const step = range.nextStep(of, newest, 0, false);
    expect(step).toEqual({ do: 'plan_chunk', first: '2024-09-30', last: LAST });
    if (step.do !== 'plan_chunk') return;
    range.applyChunkPlan(of, newest, step, plan([]));
    expect(progressOf(newest, of, []).unsettledDays).toBe(60);
    const second = range.nextStep(of, newest, 0, false);
    expect(second).toEqual({ do: 'plan_chunk', first, last: '2024-09-29' });
    if (second.do !== 'plan_chunk') return;
    range.applyChunkPlan(of, newest, second, plan([SECOND, FIRST]));
    expect(of.nextDay).toBeNull();
    range.applyDayPlan(of, newest, [LAST], plan([LAST]));
    expect(of.queue.map(({ day }) => day)).toEqual([LAST, SECOND, FIRST]);
  });

  test.for<[string, Partial<RangeState>, number, Step['do']]>([
    ['alone before anything is done', {}, 1, 'wait'],
    ['a day without data has measured nothing', { totals: { ...TOTALS, noData: 3 } }, 1, 'wait'],
    ['with others once a day is done', { totals: { ...TOTALS, done: 1 } }, 1, 'start'],
    ['or has failed', { failed: { [FIRST]: failed() } }, 1, 'start'],
  ])('SAFE-14: measureFirst: a day starts %s', ([, changes, running, expected]) => {
    const of = state({ queue: [plannedDay(SECOND)], ...changes });
    expect(range.nextStep(of, input({ measureFirst: true }), running, false).do).toBe(expected);
    expect(range.nextStep(of, input(), running, false).do).toBe('start');
  });

  test('a plan cut short by the limit is the last one (TEL-25)', () => {
    const of = range.initialState(input({}, 1));
    range.applyChunkPlan(of, input(), { first: FIRST, last: SECOND }, plan([FIRST], { limited: true }));
    expect([of.nextDay, of.limitLeft]).toEqual([null, 0]);
  });

  test('TEL-D7: a day that is planned again is not counted against the limit again', () => {
    const of = range.initialState(input({}, 3));
    range.applyChunkPlan(of, input(), { first: FIRST, last: SECOND }, plan([FIRST]));
    of.queue = [];
    range.applyDayFailed(of, FIRST, failed('source_aborted'));
    range.applyDayPlan(of, input(), [FIRST], plan([FIRST]));
    expect(of.limitLeft).toBe(2);
  });

  test('days planned again take their place by date; those that need nothing are settled', () => {
    const of = state({
      queue: [plannedDay(LAST)],
      retry: [FIRST, SECOND],
      failed: { [FIRST]: failed(), [SECOND]: failed() },
    });
    range.applyDayPlan(of, input(), [FIRST, SECOND], plan([SECOND], { skipped: { ...NO_SKIPS, existing: 1 } }));
    expect(of.queue.map(({ day }) => day)).toEqual([SECOND, LAST]);
    expect(of).toMatchObject({ retry: [], failed: {}, totals: { skipped: { existing: 1 } } });
  });

  test('a day asked for while a plan is under way stays asked for', () => {
    const of = state({ retry: [FIRST, SECOND], failed: { [FIRST]: failed(), [SECOND]: failed() } });
    range.applyDayPlan(of, input(), [FIRST], plan([FIRST]));
    expect(of.retry).toEqual([SECOND]);
  });

  test('finished days add up, by stage and by outcome', () => {
    const of = state();
    const stagesDone = ['download', 'count'] as const;
    range.applyDayDone(of, {
      day: FIRST,
      outcome: 'done',
      seconds: 3,
      stagesDone,
      records: 10,
      requests: 4,
      downloadBytes: 100,
    });
    range.applyDayDone(of, { day: SECOND, outcome: 'no_data', seconds: 1, stagesDone: ['download'], requests: 4 });
    range.applyDayFailed(of, LAST, failed('input_invalid', { stage: 'build', stagesDone }));
    expect(of.totals).toEqual({
      done: 1,
      noData: 1,
      skipped: NO_SKIPS,
      stages: { download: 3, count: 2, build: 0, upload: 0 },
      records: 10,
      downloadBytes: 100,
      productBytes: 0,
      requests: 8,
      busySeconds: 4,
    });
  });

  const KINDS = Object.keys(ERROR_KINDS) as ErrorKind[];

  test.for(KINDS.filter((kind) => ERROR_KINDS[kind] === 'stop_run'))(
    'SAFE-4: %s stops the run; the day stays open',
    (kind) => {
      const of = state();
      range.applyDayFailed(of, FIRST, failed(kind, { hint: 'do this', incident: 'i-7' }));
      expect(of.failed).toEqual({});
      expect(of.recheck).toEqual([FIRST]);
      const by = kind === 'disk_full' || kind === 'gate_held' ? 'worker' : 'source';
      expect(of.pause).toEqual({ by, kind, reason: `it was ${kind}`, hint: 'do this', incident: 'i-7' });
    },
  );

  test.for(KINDS.filter((kind) => ERROR_KINDS[kind] !== 'stop_run'))('%s ends the day; the range goes on', (kind) => {
    const of = state();
    range.applyDayFailed(of, FIRST, failed(kind, { hint: 'do this' }));
    expect(of).toMatchObject({ recheck: [], pause: null, failed: { [FIRST]: { kind, hint: 'do this' } } });
  });

  test.for(['unknown', 'cancelled'] as const)('a day that ended %s is a failed day, not a stopped run', (kind) => {
    const of = state();
    range.applyDayFailed(of, FIRST, failed(kind));
    expect(of).toMatchObject({ pause: null, recheck: [], failed: { [FIRST]: { kind } } });
  });

  test('the first reason to stop stands; later days of the same stop are put back too', () => {
    const of = state();
    range.applyDayFailed(of, FIRST, failed('source_aborted', { incident: 'i-1' }));
    range.applyDayFailed(of, SECOND, failed('auth_rejected', { incident: 'i-2' }));
    expect(of.pause).toMatchObject({ kind: 'source_aborted', incident: 'i-1' });
    expect(of.recheck).toEqual([FIRST, SECOND]);
  });

  test('500 failures are kept by name, the latest with all they say, more are counted', () => {
    const of = state();
    const days = daysBetween(parseDay('2020-01-01'), parseDay('2021-12-31'));
    for (const day of days)
      range.applyDayFailed(of, day, failed('slice_exhausted', { message: 'm'.repeat(300), hint: 'h' }));
    expect(Object.keys(of.failed)).toEqual(days.slice(0, 500));
    expect(of.failedOverflow).toBe(days.length - 500);
    expect(range.failedCount(of)).toBe(days.length);
    const kept = failureList(of, range.MAX_FAILURES_KEPT);
    expect(kept.slice(-50).every(({ message, hint }) => message.length === 300 && hint === 'h')).toBe(true);
    expect(kept[0]).toEqual({
      day: days[0],
      stage: 'download',
      kind: 'slice_exhausted',
      message: `${'m'.repeat(100)}…`,
    });
  });
});

describe('messages', () => {
  test('resume closes the incident that stopped the run, once', () => {
    const of = state();
    range.applyDayFailed(of, FIRST, failed('source_aborted', { incident: 'i-1' }));
    range.resume(of);
    expect(of).toMatchObject({ pause: null, incidentToClose: 'i-1' });
    range.resume(of);
    expect(of.incidentToClose).toBe('i-1');
  });

  test("SAFE-4: a stop beside an operator's pause takes its place: one resume ends both and closes the incident", () => {
    const of = state();
    range.pause(of, 'lunch');
    const stop = failed('source_aborted', { incident: 'i-1' });
    expect(range.needsNoSecondResume(of, FIRST, stop)).toBe(true);
    range.applyDayFailed(of, FIRST, stop, true);
    expect(of.pause).toMatchObject({ by: 'source', incident: 'i-1' });
    range.resume(of);
    expect(of).toMatchObject({ pause: null, incidentToClose: 'i-1', recheck: [FIRST] });
  });

  test('a day that was under way at resume and reports the same incident late pauses nothing; a later one does', () => {
    const of = state();
    const stop = failed('source_aborted', { incident: 'i-1' });
    range.applyDayFailed(of, FIRST, stop);
    range.resume(of, [SECOND]);
    expect(range.needsNoSecondResume(of, SECOND, stop)).toBe(true);
    range.applyDayFailed(of, SECOND, stop, true);
    expect(of).toMatchObject({ pause: null, recheck: [FIRST, SECOND] });
    for (const [day, incident] of [
      [FIRST, 'i-1'],
      [SECOND, 'i-2'],
    ] as const) {
      const again = state();
      range.applyDayFailed(again, FIRST, stop);
      range.resume(again, [SECOND]);
      range.applyDayFailed(again, day, failed('source_aborted', { incident }), true);
      expect(again.pause).toMatchObject({ by: 'source', incident });
    }
  });

  test('what is no stop needs no resume', () => {
    const of = state();
    range.pause(of, 'lunch');
    expect(range.needsNoSecondResume(of, FIRST, failed('slice_exhausted'))).toBe(false);
  });

  test("a pause of the operator does not hide the source's, nor the reverse", () => {
    const of = state();
    range.pause(of, 'first');
    range.pause(of, 'second');
    expect(of.pause).toEqual({ by: 'operator', reason: 'first' });
  });

  test.for<[string, unknown, string]>([
    ['a text', 'maintenance', 'maintenance'],
    ['nothing', undefined, 'no reason given'],
    ['an empty text', ' ', 'no reason given'],
    ['something else', { why: 1 }, 'no reason given'],
    ['a novel', 'x'.repeat(1000), 'x'.repeat(300)],
  ])('pause with %s as its reason', ([, reason, expected]) => {
    const of = state();
    range.pause(of, reason);
    expect(of.pause?.reason).toBe(expected);
  });

  test.for<[string, unknown, readonly string[]]>([
    ['nothing', undefined, [FIRST, SECOND]],
    ['null', null, [FIRST, SECOND]],
    ['an empty list', [], [FIRST, SECOND]],
    ['a list', [SECOND], [SECOND]],
    ['one day as a text', SECOND, [SECOND]],
    ['a day that did not fail', [LAST], []],
    ['what is no day', ['constructor', 7, null, '2025-9-1'], []],
    ['an object', { days: [FIRST] }, []],
  ])('retryFailedDays with %s harms nothing', ([, days, expected]) => {
    const of = state({ failed: { [SECOND]: failed(), [FIRST]: failed() } });
    range.retryFailed(of, days);
    range.retryFailed(of, days);
    expect(of.retry).toEqual(expected);
  });

  test.for([1, 2, 32])('setConcurrency(%s) is accepted', (value) => {
    expect(() => checkConcurrency(value)).not.toThrow();
  });

  test.for([0, 33, -1, 1.5, '2', undefined, null, Number.NaN])(
    'setConcurrency(%s) is refused, naming the value',
    (value) => {
      const message = `concurrency ${String(value)}: expected a whole number of days from 1 to 32`;
      expect(() => checkConcurrency(value)).toThrow(new RangeError(message));
    },
  );

  test('days done elsewhere are looked at again, each once, in order', () => {
    const of = state({ elsewhere: [SECOND, FIRST], recheck: [FIRST, LAST] });
    range.recheckElsewhere(of);
    expect(of).toMatchObject({ elsewhere: [], recheck: [FIRST, SECOND, LAST] });
  });
});

describe('what people see', () => {
  test.for<[RangeStateName, string, Partial<RangeState>, number]>([
    ['Planning', 'at the start', { nextDay: FIRST }, 0],
    ['Running', 'with days under way', { nextDay: FIRST }, 1],
    ['Running', 'with days in the queue', { queue: [plannedDay(FIRST)] }, 0],
    ['Running', 'while another range is doing its days', { elsewhere: [FIRST] }, 0],
    ['Running', 'at the very end', {}, 0],
    ['Paused', "in the operator's pause", { pause: { by: 'operator', reason: '' } }, 1],
    ['NeedsAttention', 'when the source stopped it', { pause: { by: 'source', reason: '' } }, 0],
    ['NeedsAttention', 'when the disk is full', { pause: { by: 'worker', reason: '' } }, 0],
    ['NeedsAttention', 'with only failed days left', { failed: { [FIRST]: failed() } }, 0],
    ['Running', 'with failed days while others run', { failed: { [FIRST]: failed() } }, 1],
    [
      'NeedsAttention',
      'with failed days and a limit that is spent',
      { nextDay: SECOND, limitLeft: 0, failedOverflow: 1 },
      0,
    ],
    ['Finishing', 'when asked to finish, paused or not', { finishing: true, pause: { by: 'operator', reason: '' } }, 1],
  ])('%s %s', ([name, , changes, running]) => {
    expect(stateName(state(changes), running)).toBe(name);
  });

  test('progress counts what is settled and what is not; days asked for again are queued', () => {
    const of = state({
      nextDay: parseDay('2025-09-11'),
      failed: { [FIRST]: failed() },
      retry: [FIRST],
      recheck: [SECOND],
    });
    of.totals = { ...of.totals, done: 4, noData: 1, skipped: { ...NO_SKIPS, existing: 2 } };
    const progress = progressOf(input(), of, [parseDay('2025-09-03')]);
    expect(progress).toMatchObject({ totalDays: 30, settledDays: 8, unsettledDays: 22, queued: 2, failedDays: 1 });
    expect(progress.recentFailures).toEqual([{ day: FIRST, ...failed() }]);
  });

  test('days beyond the limit are neither settled nor left to do (TEL-25)', () => {
    const of = range.initialState(input({}, 2));
    range.applyChunkPlan(of, input(), { first: FIRST, last: LAST }, plan([FIRST, SECOND], { limited: true }));
    expect(progressOf(input(), of, [])).toMatchObject({ totalDays: 30, settledDays: 0, unsettledDays: 2 });
    const exactly = range.initialState(input({}, 2));
    range.applyChunkPlan(exactly, input(), { first: FIRST, last: SECOND }, plan([FIRST, SECOND]));
    expect(progressOf(input(), exactly, []).unsettledDays).toBe(2);
  });

  test('the result names what was not attempted and who stopped the run', () => {
    const of = state({ nextDay: parseDay('2025-09-21'), queue: [plannedDay(SECOND)], elsewhere: [FIRST] });
    range.applyDayFailed(of, LAST, failed('source_aborted'));
    expect(resultOf(input(), of)).toMatchObject({
      mode: 'run',
      runId: 'run-1',
      notAttempted: 13,
      failedDays: 0,
      failures: [],
      stopped: { by: 'source', kind: 'source_aborted' },
    });
  });
});
