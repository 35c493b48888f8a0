/**
 * A range driven as `src/workflows/backfill-range.ts` drives it: one step at a time; days end and messages come between
 * steps. Holds at every moment what a range promises, whatever comes.
 */
import { MAX_CONCURRENCY } from '../../../src/core/backfill/concurrency.ts';
import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import * as range from '../../../src/core/backfill/range-state.ts';
import { progressOf } from '../../../src/core/backfill/range-progress.ts';
import type { RangeInput, RangeState, Step } from '../../../src/core/backfill/range-state.ts';
import type { DayFailure, PlannedDay, PlanResult } from '../../../src/core/backfill/types.ts';
import { ERROR_KINDS } from '../../../src/core/errors.ts';
import type { ErrorKind } from '../../../src/core/errors.ts';
import { addDays, daysBetween, parseDay } from '../../../src/core/time/day.ts';
import type { Day } from '../../../src/core/time/day.ts';

const FIRST = parseDay('2020-01-01');

export type Ending = 'done' | 'no_data' | 'elsewhere' | ErrorKind | 'unknown' | 'cancelled';

const MESSAGES = ['pause', 'resume', 'retry all', 'retry one', 'more', 'fewer', 'recheck', 'mustContinue'] as const;
export type Message = (typeof MESSAGES)[number];

export interface About {
  readonly days: number;
  /** Every day of a month whose number this divides needs nothing. */
  readonly skipEvery: number;
  readonly limitDays: number | null;
  readonly newestFirst?: boolean;
  readonly measureFirst?: boolean;
  readonly concurrency: number;
}

const endings = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom<Ending>('done', 'no_data') },
  { weight: 1, arbitrary: fc.constant<Ending>('elsewhere') },
  {
    weight: 2,
    arbitrary: fc.constantFrom<Ending>(...(Object.keys(ERROR_KINDS) as ErrorKind[]), 'unknown', 'cancelled'),
  },
);

/** What happens between two steps: a day under way ends, or a message comes. */
const happening = fc.oneof(
  { weight: 3, arbitrary: fc.record({ which: fc.nat(31), ending: endings }) },
  { weight: 1, arbitrary: fc.record({ message: fc.constantFrom(...MESSAGES) }) },
);

export const happenings = fc.array(happening, { maxLength: 150 });

export const ranges = fc.record({
  days: fc.integer({ min: 1, max: 900 }),
  skipEvery: fc.integer({ min: 2, max: 9 }),
  concurrency: fc.integer({ min: 1, max: 5 }),
  newestFirst: fc.boolean(),
  measureFirst: fc.boolean(),
});

/** The engine and the ledger in small: who is under way, what is done, what each step asked for. */
export class Drive {
  readonly input: RangeInput;
  state: RangeState;
  readonly running: Day[] = [];
  /** Days that a plan has given work to. */
  readonly given = new Set<Day>();
  readonly #done = new Set<Day>();
  readonly #skipEvery: number;
  returned = false;
  mustContinue = false;

  constructor({ days, skipEvery, limitDays, newestFirst, measureFirst, concurrency }: About) {
    this.#skipEvery = skipEvery;
    this.input = {
      workspace: 'test',
      runId: 'run-1',
      product: 'reach-all/quicklook',
      first: FIRST,
      last: addDays(FIRST, days - 1),
      options: {
        mode: 'run',
        retryFailed: false,
        uploadTo: null,
        profile: 'parity',
        sliceMode: 'half-open',
        limitDays,
        ...(newestFirst === true && { newestFirst }),
      },
      ...(measureFirst === true && { measureFirst }),
      concurrency,
      maxDaysPerRun: 250,
      searchAttributes: true,
    };
    this.state = range.initialState(this.input);
  }

  /** In the order in which they are to be done. */
  get days(): readonly Day[] {
    return this.#inOrder(daysBetween(FIRST, this.input.last));
  }

  /** Those of them that the first plans find work for, were there no limit. */
  get daysWithWork(): Day[] {
    return this.days.filter((day) => !this.#needsNothing(day));
  }

  #inOrder(days: readonly Day[]): readonly Day[] {
    return this.input.options.newestFirst === true ? days.toReversed() : days;
  }

  /** Takes steps until one waits. */
  settle(checked = true): Step['do'] {
    for (;;) {
      if (checked) this.#check();
      const step = this.#next();
      switch (step.do) {
        case 'wait':
        case 'wait_for_operator':
          return step.do;
        case 'return':
          this.returned = true;
          return step.do;
        default:
          this.#take(step);
      }
    }
  }

  apply(events: typeof happenings extends fc.Arbitrary<infer T> ? T : never): void {
    for (const event of events) {
      this.settle();
      if ('message' in event) this.send(event.message);
      else if (this.running.length > 0) this.end(event.which, event.ending);
    }
    this.settle();
  }

  /** From now on every day succeeds, and an operator wants the range to end. */
  succeed(): void {
    for (let round = 0; !this.returned; round += 1) {
      assert.ok(round < 10_000, 'the range never ends');
      const stopped = this.settle();
      if (this.running.length > 0) this.end(0, 'done');
      else if (stopped === 'wait_for_operator') this.send('retry all');
      else for (const message of ['resume', 'recheck'] as const) this.send(message);
    }
  }

  end(which: number, how: Ending): void {
    const { state } = this;
    const [day] = this.running.splice(which % this.running.length, 1);
    if (day === undefined) return;
    const before = { failed: range.failedCount(state), pause: state.pause };
    if (how === 'elsewhere') state.elsewhere.push(day);
    else if (how === 'done' || how === 'no_data') {
      this.#done.add(day);
      range.applyDayDone(state, { day, outcome: how, seconds: 1, stagesDone: ['download'] });
    } else {
      const words = { message: 'x'.repeat(300), hint: 'h'.repeat(200), incident: 'i-1' };
      const failure: DayFailure = { stage: 'count', kind: how, stagesDone: ['download'], ...words };
      const oneResume = range.needsNoSecondResume(state, day, failure);
      const late = oneResume && state.pause === null;
      range.applyDayFailed(state, day, failure, oneResume);
      const stops = how !== 'unknown' && how !== 'cancelled' && ERROR_KINDS[how] === 'stop_run';
      assert.equal(range.failedCount(state), before.failed + (stops ? 0 : 1), `days failed after ${how}`);
      assert.equal(state.recheck.includes(day), stops, `${how} puts the day back`);
      if (stops && !late) assert.ok(state.pause && state.pause.by !== 'operator', `${how} pauses the range`);
      else assert.equal(state.pause, before.pause, `${how} pauses nothing`);
    }
  }

  send(what: Message): void {
    const { state } = this;
    switch (what) {
      case 'pause':
        return range.pause(state, 'because');
      case 'resume':
        return range.resume(state, this.running);
      case 'retry all':
        return range.retryFailed(state, undefined);
      case 'retry one':
        return range.retryFailed(state, Object.keys(state.failed).slice(0, 1));
      case 'more':
        state.concurrency = Math.min(MAX_CONCURRENCY, state.concurrency + 1);
        return;
      case 'fewer':
        state.concurrency = Math.max(1, state.concurrency - 1);
        return;
      case 'recheck':
        return range.recheckElsewhere(state);
      case 'mustContinue':
        this.mustContinue = true;
    }
  }

  #next(): Step {
    return range.nextStep(this.state, this.input, this.running.length, this.mustContinue);
  }

  #take(step: Exclude<Step, { do: 'wait' | 'wait_for_operator' | 'return' }>): void {
    const { state } = this;
    switch (step.do) {
      case 'close_incident':
        state.incidentToClose = null;
        return;
      case 'continue_as_new':
        assert.deepEqual(this.running, [], 'drained before a new history');
        this.state = JSON.parse(JSON.stringify({ ...state, runs: state.runs + 1 })) as RangeState;
        range.recheckElsewhere(this.state);
        this.mustContinue = false;
        return;
      case 'plan_chunk': {
        const plan = this.#plan(daysBetween(step.first, step.last), state.limitLeft);
        range.applyChunkPlan(state, this.input, step, plan);
        return;
      }
      case 'plan_days':
        range.applyDayPlan(state, this.input, step.days, this.#plan(step.days, null));
        return;
      case 'start':
        this.#start(step.planned);
    }
  }

  #start({ day }: PlannedDay): void {
    this.state.queue.shift();
    assert.equal(this.state.pause, null, 'no day starts in a pause');
    assert.ok(!this.running.includes(day), `${day} started twice at once`);
    assert.ok(!this.#done.has(day), `${day} started although it is done`);
    const isMeasured = this.state.totals.done > 0 || range.failedCount(this.state) > 0;
    assert.ok(
      this.input.measureFirst !== true || isMeasured || this.running.length === 0,
      'the first day is not alone',
    );
    this.running.push(day);
    assert.ok(this.running.length <= this.state.concurrency, 'more days at once than allowed');
  }

  #needsNothing(day: Day): boolean {
    return Number(day.slice(8)) % this.#skipEvery === 0;
  }

  #plan(asked: readonly Day[], limit: number | null): PlanResult {
    const days: PlannedDay[] = [];
    let existing = 0;
    for (const day of this.#inOrder(asked)) {
      if (this.#done.has(day) || (!this.given.has(day) && this.#needsNothing(day))) {
        existing += 1;
        this.#done.add(day);
      } else if (days.length === limit) {
        return { days, skipped: { existing, noData: 0, failed: 0, noInput: 0 }, limited: true };
      } else {
        this.given.add(day);
        days.push({ day, stages: ['download', 'count', 'build', 'upload'], reason: 'not downloaded yet' });
      }
    }
    return { days, skipped: { existing, noData: 0, failed: 0, noInput: 0 }, limited: false };
  }

  /** What holds at any moment. */
  #check(): void {
    const { state } = this;
    const { totalDays, settledDays, unsettledDays } = progressOf(this.input, state, this.running);
    const lost = totalDays - settledDays - unsettledDays;
    assert.ok(state.limitLeft === null ? lost === 0 : lost >= 0, `${lost} days are nowhere`);
    const places = [
      ...state.queue.map(({ day }) => day),
      ...state.recheck,
      ...state.elsewhere,
      ...this.running,
      ...Object.keys(state.failed),
    ];
    assert.equal(new Set(places).size, places.length, 'a day is in two places');
    assert.ok(
      state.retry.every((day) => Object.hasOwn(state.failed, day)),
      'only failed days are retried',
    );
    assert.ok(Object.keys(state.failed).length <= range.MAX_FAILURES_KEPT, 'too many failures kept');
    const { limitDays } = this.input.options;
    assert.ok(limitDays === null || this.given.size <= limitDays, 'more days than the limit');
  }
}
