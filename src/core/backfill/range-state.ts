/**
 * The state of a range and what follows from it. The workflow holds one `RangeState`, lets messages and finished days
 * change it through the functions here, and asks `nextStep` what to do; nothing here waits, reads a clock or calls out.
 */
import { ERROR_KINDS } from '../errors.ts';
import type { ErrorKind } from '../errors.ts';
import type { ProductSlug } from '../product.ts';
import type { CheckState } from '../records/source-check.ts';
import { addDays } from '../time/day.ts';
import type { Day } from '../time/day.ts';
import type { RangeCooldown } from './range-cooldown.ts';
import type { DayFailure, DayResult, PlannedDay, PlanResult, RunOptions, SkipCounts, Stage } from './types.ts';

/** Failed days kept by name; more are counted only, so that the state stays small. */
export const MAX_FAILURES_KEPT = 500;

/** Latest failures kept with all they say; the ledger keeps every message whole. */
const WHOLE_FAILURES_KEPT = 50;
const SHORT_MESSAGE = 100;
const MAX_REASON = 300;

/** Days planned in one activity. */
export const PLAN_CHUNK_DAYS = 366;

/** Input of `backfillRange`; `carried` is set by continue-as-new alone. */
export interface RangeInput {
  readonly workspace: string;
  readonly runId: string;
  readonly product: ProductSlug;
  readonly first: Day;
  readonly last: Day;
  readonly options: RunOptions;
  /** Days under way at once. */
  readonly concurrency: number;
  /** Days started before the history is cut by continue-as-new. */
  readonly maxDaysPerRun: number;
  /** Whether the server knows the custom search attributes. */
  readonly searchAttributes: boolean;
  /** No second day starts before one is done: what it took says what the rest will take (SAFE-14). Absent for no. */
  readonly measureFirst?: boolean;
  /** Nobody waits for it: failed days do not hold it open. Absent for no. */
  readonly unattended?: boolean;
  readonly carried?: RangeState;
}

export interface RangeTotals {
  /** Days that this run finished with a product of every stage asked for. */
  readonly done: number;
  /** Days for which the source answered with nothing in this run. */
  readonly noData: number;
  readonly skipped: SkipCounts;
  /** Days of which this run brought the stage to an end, also of days that failed later. */
  readonly stages: Readonly<Record<Stage, number>>;
  readonly records: number;
  readonly downloadBytes: number;
  readonly productBytes: number;
  readonly requests: number;
  /** Days that this run compared with the source's own count, by how they stand; absent until there is one. */
  readonly checks?: Readonly<Partial<Record<CheckState, number>>>;
  /** Stage seconds of finished days, for the estimate of what is left. */
  readonly busySeconds: number;
}

/** Why no new day starts. */
export interface RangePause {
  readonly by: 'operator' | 'source' | 'worker';
  readonly kind?: ErrorKind;
  readonly reason: string;
  readonly hint?: string;
  readonly incident?: string;
}

export interface RangeState {
  /** The day that the next plan begins with: the first, newest first the last, that none has covered; null when all are planned. */
  nextDay: Day | null;
  /** Planned days that have not started, in order. */
  queue: PlannedDay[];
  /** Days to plan again although they failed. */
  retry: Day[];
  /** Days to plan again as they are: another range did them, or the source stopped us. */
  recheck: Day[];
  /** Days that another range is doing right now. */
  elsewhere: Day[];
  failed: Record<Day, DayFailure>;
  /** Failed days beyond `MAX_FAILURES_KEPT`. */
  failedOverflow: number;
  pause: RangePause | null;
  /** Incident of the gate to close before the next start; set by `resume`. */
  incidentToClose: string | null;
  /** A long pause of the source that running days wait for; absent in states of earlier versions. */
  cooldown?: RangeCooldown | null;
  /** The incident that the latest `resume` answered, and the days that were under way then and may still report it. */
  answered?: { incident: string; days: Day[] };
  finishing: boolean;
  concurrency: number;
  /** Days that may still get work under `--limit-days`; null for no limit. */
  limitLeft: number | null;
  totals: RangeTotals;
  /** Runs so far, this one included (continue-as-new starts another). */
  runs: number;
}

/** Days `first..last`, both included. */
interface DaySpan {
  readonly first: Day;
  readonly last: Day;
}

/** What the workflow should do now. */
export type Step =
  | { readonly do: 'close_incident'; readonly incident: string }
  | { readonly do: 'plan_days'; readonly days: readonly Day[]; readonly retryFailed: boolean }
  | ({ readonly do: 'plan_chunk' } & DaySpan)
  | { readonly do: 'start'; readonly planned: PlannedDay }
  | { readonly do: 'wait' }
  | { readonly do: 'wait_for_operator' }
  | { readonly do: 'continue_as_new' }
  | { readonly do: 'return' };

const NO_SKIPS: SkipCounts = { existing: 0, noData: 0, failed: 0, noInput: 0 };

export function initialState(input: RangeInput): RangeState {
  return {
    nextDay: isNewestFirst(input) ? input.last : input.first,
    queue: [],
    retry: [],
    recheck: [],
    elsewhere: [],
    failed: {},
    failedOverflow: 0,
    pause: null,
    incidentToClose: null,
    finishing: false,
    concurrency: input.concurrency,
    limitLeft: input.options.limitDays,
    totals: {
      done: 0,
      noData: 0,
      skipped: NO_SKIPS,
      stages: { download: 0, count: 0, build: 0, upload: 0 },
      records: 0,
      downloadBytes: 0,
      productBytes: 0,
      requests: 0,
      busySeconds: 0,
    },
    runs: 1,
  };
}

/**
 * The next step of a range.
 *
 * @param running - days under way
 * @param mustContinue - whether the history is long enough to be cut
 * @param plansOn - asked when the limit is spent: whether days behind it that need nothing are still found and counted, as a plan
 *   of all days at once finds them (TEL-25)
 */
export function nextStep(
  state: RangeState,
  input: RangeInput,
  running: number,
  mustContinue: boolean,
  plansOn: () => boolean = () => true,
): Step {
  const drained = running === 0;
  if (state.finishing) return drained ? { do: 'return' } : { do: 'wait' };
  if (mustContinue) return drained ? { do: 'continue_as_new' } : { do: 'wait' };
  if (state.pause) return { do: 'wait' };
  if (state.incidentToClose !== null) return { do: 'close_incident', incident: state.incidentToClose };
  if (state.retry.length > 0) return { do: 'plan_days', days: state.retry, retryFailed: true };
  if (state.recheck.length > 0) return { do: 'plan_days', days: state.recheck, retryFailed: false };
  const planned = state.queue[0];
  if (planned) return running < daysAtOnce(state, input) ? { do: 'start', planned } : { do: 'wait' };
  if (state.nextDay && (state.limitLeft !== 0 || plansOn()))
    return { do: 'plan_chunk', ...chunkFrom(state.nextDay, input) };
  if (!drained || state.elsewhere.length > 0) return { do: 'wait' };
  return failedCount(state) > 0 ? { do: 'wait_for_operator' } : { do: 'return' };
}

export function isNewestFirst({ options }: Pick<RangeInput, 'options'>): boolean {
  return options.newestFirst === true;
}

function daysAtOnce(state: RangeState, { measureFirst }: RangeInput): number {
  const isMeasured = state.totals.done > 0 || failedCount(state) > 0;
  return measureFirst === true && !isMeasured ? 1 : state.concurrency;
}

/** Days from `from` on, in the order of the range. */
function chunkFrom(from: Day, input: RangeInput): DaySpan {
  if (isNewestFirst(input)) {
    const first = addDays(from, 1 - PLAN_CHUNK_DAYS);
    return { first: first > input.first ? first : input.first, last: from };
  }
  const last = addDays(from, PLAN_CHUNK_DAYS - 1);
  return { first: from, last: last < input.last ? last : input.last };
}

/** Takes a plan for the days of `chunk` into the state. */
export function applyChunkPlan(state: RangeState, input: RangeInput, chunk: DaySpan, plan: PlanResult): void {
  enqueue(state, plan);
  if (state.limitLeft !== null) state.limitLeft = Math.max(0, state.limitLeft - plan.days.length);
  const next = isNewestFirst(input) ? addDays(chunk.first, -1) : addDays(chunk.last, 1);
  state.nextDay = plan.limited || next < input.first || next > input.last ? null : next;
}

/**
 * Takes a plan for single days into the state; days without work are settled by it. They have had work before: the limit
 * counted them then.
 */
export function applyDayPlan(state: RangeState, input: RangeInput, days: readonly Day[], plan: PlanResult): void {
  const planned = new Set(days);
  state.retry = state.retry.filter((day) => !planned.has(day));
  state.recheck = state.recheck.filter((day) => !planned.has(day));
  for (const day of days) delete state.failed[day];
  enqueue(state, plan);
  const up = isNewestFirst(input) ? -1 : 1;
  state.queue.sort((a, b) => (a.day < b.day ? -up : a.day > b.day ? up : 0));
}

function enqueue(state: RangeState, plan: PlanResult): void {
  state.queue.push(...plan.days);
  const { skipped } = state.totals;
  state.totals = {
    ...state.totals,
    skipped: {
      existing: skipped.existing + plan.skipped.existing,
      noData: skipped.noData + plan.skipped.noData,
      failed: skipped.failed + plan.skipped.failed,
      noInput: skipped.noInput + plan.skipped.noInput,
    },
  };
}

export function applyDayDone(state: RangeState, result: DayResult): void {
  const { totals } = state;
  state.totals = {
    ...totals,
    done: totals.done + (result.outcome === 'done' ? 1 : 0),
    ...(result.outcome === 'unchanged' && {
      skipped: { ...totals.skipped, existing: totals.skipped.existing + 1 },
    }),
    noData: totals.noData + (result.outcome === 'no_data' ? 1 : 0),
    stages: countStages(totals.stages, result.stagesDone),
    records: totals.records + (result.records ?? 0),
    downloadBytes: totals.downloadBytes + (result.downloadBytes ?? 0),
    productBytes: totals.productBytes + (result.productBytes ?? 0),
    requests: totals.requests + (result.requests ?? 0),
    ...(result.check && { checks: { ...totals.checks, [result.check]: (totals.checks?.[result.check] ?? 0) + 1 } }),
    busySeconds: totals.busySeconds + result.seconds,
  };
}

function countStages(counts: RangeTotals['stages'], done: readonly Stage[]): RangeTotals['stages'] {
  const next = { ...counts };
  for (const stage of done) next[stage] += 1;
  return next;
}

/** Whether a failure says nothing about its day but stops the whole run. */
export function stopsRun({ kind }: DayFailure): boolean {
  return kind !== 'cancelled' && kind !== 'unknown' && ERROR_KINDS[kind] === 'stop_run';
}

/**
 * Whether one `resume` must be enough for what this failure says (see `applyDayFailed`): it stops a range that an operator
 * has paused, or was under way when an operator answered the same incident.
 */
export function needsNoSecondResume({ pause, answered }: RangeState, day: Day, failure: DayFailure): boolean {
  return stopsRun(failure) && (pause?.by === 'operator' || isAnswered(answered, day, failure));
}

function isAnswered(answered: RangeState['answered'], day: Day, { incident }: DayFailure): boolean {
  return answered !== undefined && answered.incident === incident && answered.days.includes(day);
}

/**
 * A day that ended badly: given up, or, when the error stops the run, put back and the range paused.
 *
 * @param oneResume - the stop's pause takes the place of an operator's, so that one `resume` ends both, and a stop that was
 *   answered while the day was under way pauses nothing; false replays ranges of earlier versions
 */
export function applyDayFailed(state: RangeState, day: Day, failure: DayFailure, oneResume = false): void {
  const { kind } = failure;
  state.totals = {
    ...state.totals,
    stages: countStages(state.totals.stages, failure.stagesDone ?? []),
    requests: state.totals.requests + (failure.requests ?? 0),
  };
  if (!stopsRun(failure)) {
    keepFailure(state, day, failure);
    return;
  }
  state.recheck.push(day);
  if (oneResume && isAnswered(state.answered, day, failure)) return;
  if (state.pause && !(oneResume && state.pause.by === 'operator')) return;
  state.pause = {
    by: kind === 'disk_full' || kind === 'gate_held' ? 'worker' : 'source',
    ...(kind === 'cancelled' || kind === 'unknown' ? {} : { kind }),
    reason: failure.message,
    ...(failure.hint === undefined ? {} : { hint: failure.hint }),
    ...(failure.incident === undefined ? {} : { incident: failure.incident }),
  };
}

function keepFailure(state: RangeState, day: Day, failure: DayFailure): void {
  if (!Object.hasOwn(state.failed, day) && Object.keys(state.failed).length >= MAX_FAILURES_KEPT) {
    state.failedOverflow += 1;
    return;
  }
  state.failed[day] = failure;
  const older = Object.keys(state.failed).at(-1 - WHOLE_FAILURES_KEPT) as Day | undefined;
  const former = older && state.failed[older];
  if (older && former) state.failed[older] = shortened(former);
}

function shortened({ stage, kind, message }: DayFailure): DayFailure {
  return { stage, kind, message: message.length > SHORT_MESSAGE ? `${message.slice(0, SHORT_MESSAGE)}…` : message };
}

/** @param reason - of a message that anybody may send: anything but a text is no reason */
export function pause(state: RangeState, reason: unknown): void {
  const given = typeof reason === 'string' ? reason.trim().slice(0, MAX_REASON) : '';
  state.pause ??= { by: 'operator', reason: given === '' ? 'no reason given' : given };
}

/** @param running - days under way */
export function resume(state: RangeState, running: readonly Day[] = []): void {
  const incident = state.pause?.incident;
  if (incident !== undefined) state.answered = { incident, days: [...running] };
  state.incidentToClose = incident ?? state.incidentToClose;
  state.pause = null;
}

/**
 * Asks for failed days again; unknown days are ignored, so that a mistyped signal harms nothing.
 *
 * @param days - of a message that anybody may send: a list, one day, or nothing for all
 */
export function retryFailed(state: RangeState, days: unknown): void {
  const named: unknown[] = Array.isArray(days) ? days : days === undefined || days === null ? [] : [days];
  const failed = Object.keys(state.failed) as Day[];
  const wanted = named.length > 0 ? failed.filter((day) => named.includes(day)) : failed;
  state.retry = [...new Set([...state.retry, ...wanted])].toSorted();
}

/** Days done elsewhere may be looked at again. */
export function recheckElsewhere(state: RangeState): void {
  state.recheck = [...new Set([...state.recheck, ...state.elsewhere])].toSorted();
  state.elsewhere = [];
}

export function failedCount(state: RangeState): number {
  return Object.keys(state.failed).length + state.failedOverflow;
}
