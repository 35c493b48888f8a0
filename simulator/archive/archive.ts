/**
 * The archive behind the simulator: selects, counts and renders records for a query. It knows nothing of HTTP.
 */
import type { RecordCounts } from '../../src/core/records/counts.ts';
import { DAY_MS, dayOfMs, dayStartMs, parseDay } from '../../src/core/time/day.ts';
import type { Day } from '../../src/core/time/day.ts';
import { BodyWriter } from './body-writer.ts';
import { planDay, silentCells } from './day-plan.ts';
import type { DayPlan } from './day-plan.ts';
import { resolveArchiveOptions } from './options.ts';
import type { ArchiveOptions, ArchiveSettings } from './options.ts';
import { readReplay } from './replay.ts';
import type { ReplayedRecord } from './replay.ts';
import { createSeries } from './series.ts';
import type { Series } from './series.ts';
import { walkDay } from './walk.ts';
import type { RecordForm, RecordSink } from './walk.ts';

/** Filters as they stand in the query; undefined selects all. */
export interface RecordFilter {
  readonly idSensor?: string | undefined;
  readonly descriptor?: string | undefined;
  readonly source?: string | undefined;
  readonly dataMode?: string | undefined;
}

/** Records with `fromMs ≤ obTime < toMs`, POSIX milliseconds. */
export interface RecordQuery extends RecordFilter {
  readonly fromMs: number;
  readonly toMs: number;
}

export interface Page {
  /** Records left out at the start, and most records returned. */
  readonly skip: number;
  readonly limit: number;
}

const WHOLE: Page = { skip: 0, limit: Number.POSITIVE_INFINITY };
/** Plans kept, about 140 kB each at the full cadence. */
const PLANS_KEPT = 64;

export class Archive {
  readonly #settings: ArchiveSettings;
  readonly #series: readonly Series[];
  readonly #replay: ReadonlyMap<Day, readonly ReplayedRecord[]>;
  readonly #writer: BodyWriter;
  readonly #plans = new Map<Day, DayPlan>();
  /** Filled silent cells by day. */
  readonly #late = new Map<Day, number>();
  #revision = 0;

  /** @throws PipelineError `config_invalid` for options that cannot be used */
  constructor(options: ArchiveOptions = {}) {
    this.#settings = resolveArchiveOptions(options);
    this.#series = createSeries(this.#settings);
    this.#replay = readReplay(this.#settings.replay?.files ?? []);
    this.#writer = new BodyWriter(this.#settings.seed);
  }

  /** Changes whenever answers may change: part of any cache key. */
  get revision(): number {
    return this.#revision;
  }

  /** Number of records a query selects. */
  count(query: RecordQuery): number {
    let records = 0;
    const increment = (): boolean => {
      records++;
      return true;
    };
    this.#walk(query, { synthetic: increment, replayed: increment });
    return records;
  }

  /** The selected records as a compact JSON array, ascending by obTime; the caller owns the buffer. */
  render(query: RecordQuery, page: Page = WHOLE): Buffer {
    this.#writer.start(page.skip, page.limit);
    if (page.limit > 0) this.#walk(query, this.#writer);
    return this.#writer.take();
  }

  /** What a complete, half-open download of `day` holds; the same definitions as the pipeline's own count. */
  expectedDay(day: string, filter: RecordFilter = {}): RecordCounts {
    const tally = new Tally(filter.descriptor ?? this.#settings.descriptors[0]);
    const fromMs = dayStartMs(parseDay(day));
    this.#walk({ ...filter, fromMs, toMs: fromMs + DAY_MS }, tally);
    return tally.counts();
  }

  /**
   * Late data: fills the first `instants` silent (sensor, instant) cells of a day's gaps, both dosimeters each.
   *
   * @param instants - default all that are left
   * @returns how many cells were filled
   */
  deliverLate(day: string, instants = Number.POSITIVE_INFINITY): number {
    const key = parseDay(day);
    const filled = Math.min(instants, silentCells(this.#planOf(key)));
    this.#late.set(key, (this.#late.get(key) ?? 0) + filled);
    this.#plans.delete(key);
    this.#revision++;
    return filled;
  }

  /** Takes late data away again. */
  reset(): void {
    if (this.#late.size === 0) return;
    for (const day of this.#late.keys()) this.#plans.delete(day);
    this.#late.clear();
    this.#revision++;
  }

  #walk(query: RecordQuery, sink: RecordSink): void {
    if (!isKnownOrigin(query)) return;
    const series = this.#series.filter(
      (one) =>
        (query.idSensor === undefined || one.sensorId === query.idSensor) &&
        (query.descriptor === undefined || one.descriptor === query.descriptor),
    );
    for (let startMs = floorToDay(query.fromMs); startMs < query.toMs; startMs += DAY_MS) {
      const day = dayOfMs(startMs);
      if (!this.#settings.hasData(day)) continue;
      const sample = this.#replay.get(day) ?? [];
      const more = walkDay(
        {
          seed: this.#settings.seed,
          cadenceMs: this.#settings.cadenceMs,
          plan: this.#planOf(day),
          series,
          withBlanks: query.idSensor === undefined,
          fromMs: Math.max(query.fromMs, startMs),
          toMs: Math.min(query.toMs, startMs + DAY_MS),
          replayed: sample.filter((record) => fits(record, query)),
          replayedInstants: new Set(sample.map((record) => record.ms)),
          synthetic: sample.length === 0 || this.#settings.replay?.rest !== 'empty',
        },
        sink,
      );
      if (!more) return;
    }
  }

  #planOf(day: Day): DayPlan {
    const known = this.#plans.get(day);
    if (known) return known;
    const { seed, cadenceMs, irregularities } = this.#settings;
    const plan = planDay(seed, day, cadenceMs, irregularities, this.#late.get(day));
    const oldest = this.#plans.keys().next();
    if (this.#plans.size >= PLANS_KEPT && oldest.done !== true) this.#plans.delete(oldest.value);
    this.#plans.set(day, plan);
    return plan;
  }
}

/** The sink that counts as `RecordCounts` defines it; descriptors hold the same readings, so one's are counted. */
class Tally implements RecordSink {
  readonly #descriptor: string | undefined;
  #records = 0;
  #readings = 0;
  readonly #replayed = new Set<string>();
  readonly #bySensor = new Map<string, number>();

  constructor(descriptor: string | undefined) {
    this.#descriptor = descriptor;
  }

  synthetic(series: Series, _ms: number, form: RecordForm): boolean {
    this.#add(series.sensorId);
    if (form.copy === 0 && series.descriptor === this.#descriptor) this.#readings++;
    return true;
  }

  replayed(record: ReplayedRecord): boolean {
    this.#add(record.sensor);
    this.#replayed.add(`${record.sensor}|${record.description}|${record.ms}`);
    return true;
  }

  counts(): RecordCounts {
    return {
      records: this.#records,
      distinctReadings: this.#readings + this.#replayed.size,
      recordsPerSensor: Object.fromEntries([...this.#bySensor].toSorted(([a], [b]) => (a < b ? -1 : 1))),
    };
  }

  #add(sensor: string): void {
    this.#records++;
    this.#bySensor.set(sensor, (this.#bySensor.get(sensor) ?? 0) + 1);
  }
}

/** Everything here comes from one source in one mode. */
function isKnownOrigin(query: RecordFilter): boolean {
  return (query.source ?? 'Aerospace') === 'Aerospace' && (query.dataMode ?? 'REAL') === 'REAL';
}

function fits(record: ReplayedRecord, query: RecordFilter): boolean {
  return (
    (query.idSensor === undefined || record.idSensor === query.idSensor) &&
    (query.descriptor === undefined || record.descriptor === query.descriptor)
  );
}

function floorToDay(ms: number): number {
  return Math.floor(ms / DAY_MS) * DAY_MS;
}
