/**
 * Which records a query selects, in serving order: the one place that knows gaps, blanks, copies, late and replayed
 * data. Rendering and counting are two sinks of the same walk.
 */
import type { BlankKind, DayPlan } from './day-plan.ts';
import { mix } from './hash.ts';
import type { ReplayedRecord } from './replay.ts';
import type { Series } from './series.ts';

/** What sets a record apart from the plain reading of its series at its instant. */
export interface RecordForm {
  /** 0, or 1 for the later copy of a reading. */
  readonly copy: number;
  readonly blank: BlankKind | undefined;
  /** It filled a gap afterwards. */
  readonly late: boolean;
}

export const PLAIN: RecordForm = { copy: 0, blank: undefined, late: false };

/** Takes records in order; returns false to end the walk. */
export interface RecordSink {
  synthetic(series: Series, ms: number, form: RecordForm): boolean;
  replayed(record: ReplayedRecord): boolean;
}

/** What one query sees of one day. */
export interface DayWalk {
  readonly seed: number;
  readonly cadenceMs: number;
  readonly plan: DayPlan;
  /** The series asked for, in serving order. */
  readonly series: readonly Series[];
  /** Whether records without sensor id are asked for: only when the query names no sensor. */
  readonly withBlanks: boolean;
  /** Half-open, POSIX milliseconds, within the day. */
  readonly fromMs: number;
  readonly toMs: number;
  /** Real records of the day that fit the filters, ascending. */
  readonly replayed: readonly ReplayedRecord[];
  /** Instants at which real records stand in place of synthetic ones. */
  readonly replayedInstants: ReadonlySet<number>;
  /** Whether synthetic records are served at all. */
  readonly synthetic: boolean;
}

/** Gives the sink the day's records in order. @returns false when the sink ended the walk */
export function walkDay(day: DayWalk, sink: RecordSink): boolean {
  const { plan, cadenceMs, fromMs, toMs } = day;
  const between = new Between(day, sink);
  if (day.synthetic) {
    const first = Math.max(0, Math.ceil((fromMs - plan.startMs) / cadenceMs));
    for (let step = first; step < plan.silent.length; step++) {
      const ms = plan.startMs + step * cadenceMs;
      if (ms >= toMs) break;
      if (!between.emitBefore(ms)) return false;
      if (!day.replayedInstants.has(ms) && !walkStep(day, step, ms, sink)) return false;
    }
  }
  return between.emitBefore(toMs);
}

/** Records that do not lie on the synthetic grid: off-grid readings and replayed ones, merged by time. */
class Between {
  readonly #day: DayWalk;
  readonly #sink: RecordSink;
  #offGrid: number;
  #replayed: number;

  constructor(day: DayWalk, sink: RecordSink) {
    this.#day = day;
    this.#sink = sink;
    this.#offGrid = firstFrom(day.plan.offGrid, day.fromMs);
    this.#replayed = firstFrom(day.replayed, day.fromMs);
  }

  /** Emits what lies before `ms`; a replayed record at the instant of an off-grid one goes first. */
  emitBefore(ms: number): boolean {
    const { plan, replayed } = this.#day;
    for (;;) {
      const reading = this.#day.synthetic ? plan.offGrid[this.#offGrid] : undefined;
      const record = replayed[this.#replayed];
      const readingMs = reading?.ms ?? Number.POSITIVE_INFINITY;
      const recordMs = record?.ms ?? Number.POSITIVE_INFINITY;
      if (Math.min(readingMs, recordMs) >= ms) return true;
      if (record !== undefined && recordMs <= readingMs) {
        this.#replayed++;
        if (!this.#sink.replayed(record)) return false;
      } else if (reading !== undefined) {
        this.#offGrid++;
        for (const series of this.#day.series) {
          if (series.pair === reading.pair && !this.#sink.synthetic(series, reading.ms, PLAIN)) return false;
        }
      }
    }
  }
}

/** Records of one grid instant. */
function walkStep(day: DayWalk, step: number, ms: number, sink: RecordSink): boolean {
  const { plan, series } = day;
  const silent = plan.silent[step]!;
  const late = plan.late[step]!;
  const blanks = plan.blanks.get(step);
  const duplicates = plan.duplicates.get(step);
  const usual = late === 0 && blanks === undefined && duplicates === undefined;
  for (const one of series) {
    if ((silent >>> one.sensor) & 1) continue;
    if (usual) {
      if (!sink.synthetic(one, ms, PLAIN)) return false;
      continue;
    }
    for (const form of formsOf(day, step, ms, one)) {
      if (form.blank !== undefined && !day.withBlanks) continue;
      if (!sink.synthetic(one, ms, form)) return false;
    }
  }
  return true;
}

/** The records of one reading at an unusual instant; a copy comes before or behind its original, by the seed. */
function formsOf(day: DayWalk, step: number, ms: number, series: Series): readonly RecordForm[] {
  const late = ((day.plan.late[step]! >>> series.sensor) & 1) === 1;
  const blank = day.plan.blanks.get(step)?.get(series.pair);
  const original = late || blank !== undefined ? { copy: 0, blank, late } : PLAIN;
  if (day.plan.duplicates.get(step)?.has(series.pair) !== true) return [original];
  const copy = { copy: 1, blank, late };
  return mix(day.seed, series.pair, ms / 1000, 0x0bde) % 2 === 0 ? [original, copy] : [copy, original];
}

/** Index of the first element at or after `ms` in a list ascending by time. */
function firstFrom(list: readonly { readonly ms: number }[], ms: number): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle]!.ms < ms) low = middle + 1;
    else high = middle;
  }
  return low;
}
