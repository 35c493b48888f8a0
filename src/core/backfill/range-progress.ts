/** What a range tells of itself: its state by name, its progress, its result. Read from the state; nothing here changes it. */
import type { ProductSlug } from '../product.ts';
import { countDays } from '../time/day.ts';
import type { Day } from '../time/day.ts';
import type { ZarrResult } from '../zarr.ts';
import type { RangeCooldown } from './range-cooldown.ts';
import { MAX_FAILURES_KEPT, failedCount, isNewestFirst } from './range-state.ts';
import type { RangeInput, RangePause, RangeState, RangeTotals } from './range-state.ts';
import type { DayFailure, RangeStateName, RunMode, RunOptions } from './types.ts';

/** Answer of the query `progress`. */
export interface RangeProgress {
  readonly runId: string;
  readonly product: ProductSlug;
  readonly first: Day;
  readonly last: Day;
  readonly options: RunOptions;
  readonly state: RangeStateName;
  /** Days of `first..last`. */
  readonly totalDays: number;
  /** Days that are settled one way or another: done, no data, skipped, failed. */
  readonly settledDays: number;
  /** Days still to be planned or done; days that `limitDays` cut off are neither settled nor unsettled. */
  readonly unsettledDays: number;
  readonly totals: RangeTotals;
  readonly running: readonly Day[];
  /** Days that wait for their start or for being planned again. */
  readonly queued: number;
  readonly elsewhere: readonly Day[];
  readonly failedDays: number;
  /** The latest failures, at most ten, by day. */
  readonly recentFailures: readonly (DayFailure & { readonly day: Day })[];
  readonly pause: RangePause | null;
  /** What running days wait for; null when nothing holds them up for long. */
  readonly cooldown: RangeCooldown | null;
  readonly concurrency: number;
}

/** Result of `backfillRange`. */
export interface RangeResult {
  readonly mode: RunMode;
  readonly runId: string;
  readonly product: ProductSlug;
  readonly first: Day;
  readonly last: Day;
  readonly totals: RangeTotals;
  readonly failedDays: number;
  /** At most `MAX_FAILURES_KEPT`. */
  readonly failures: readonly (DayFailure & { readonly day: Day })[];
  /** Set when the range was finished while the source had stopped it: what is left was not attempted. */
  readonly stopped: RangePause | null;
  /** Days of the range that were neither attempted nor found done. */
  readonly notAttempted: number;
  /** What became of the Zarr store, when one was named. */
  readonly zarr?: ZarrResult;
}

/** Days of the range that have not come to an end: not planned (unless the limit is spent), queued, waiting or running. */
function unsettledDays(state: RangeState, input: RangeInput, running: number): number {
  return unplannedDays(state, input) + state.queue.length + state.recheck.length + state.elsewhere.length + running;
}

function unplannedDays({ nextDay, limitLeft }: RangeState, input: RangeInput): number {
  if (!nextDay || limitLeft === 0) return 0;
  return isNewestFirst(input) ? countDays(input.first, nextDay) : countDays(nextDay, input.last);
}

/** Days that came to an end, whichever. */
function settledDays(state: RangeState): number {
  const { done, noData, skipped } = state.totals;
  return done + noData + skipped.existing + skipped.noData + skipped.failed + skipped.noInput + failedCount(state);
}

export function stateName(state: RangeState, running: number): RangeStateName {
  if (state.finishing) return 'Finishing';
  if (state.pause) return state.pause.by === 'operator' ? 'Paused' : 'NeedsAttention';
  if (running > 0 && state.cooldown) return 'Cooldown';
  if (running > 0 || state.queue.length > 0 || state.elsewhere.length > 0) return 'Running';
  if (state.nextDay && state.limitLeft !== 0) return 'Planning';
  return failedCount(state) > 0 ? 'NeedsAttention' : 'Running';
}

export function failureList(state: RangeState, most: number): (DayFailure & { day: Day })[] {
  return Object.entries(state.failed)
    .slice(-most)
    .map(([day, failure]) => ({ ...failure, day: day as Day }));
}

export function progressOf(input: RangeInput, state: RangeState, running: readonly Day[]): RangeProgress {
  return {
    runId: input.runId,
    product: input.product,
    first: input.first,
    last: input.last,
    options: input.options,
    state: stateName(state, running.length),
    totalDays: countDays(input.first, input.last),
    settledDays: settledDays(state),
    unsettledDays: unsettledDays(state, input, running.length),
    totals: state.totals,
    running,
    queued: state.queue.length + state.retry.length + state.recheck.length,
    elsewhere: state.elsewhere,
    failedDays: failedCount(state),
    recentFailures: failureList(state, 10),
    pause: state.pause,
    cooldown: state.cooldown ?? null,
    concurrency: state.concurrency,
  };
}

export function resultOf(input: RangeInput, state: RangeState): RangeResult {
  return {
    mode: input.options.mode,
    runId: input.runId,
    product: input.product,
    first: input.first,
    last: input.last,
    totals: state.totals,
    failedDays: failedCount(state),
    failures: failureList(state, MAX_FAILURES_KEPT),
    stopped: state.pause,
    notAttempted: unsettledDays(state, input, 0),
  };
}
