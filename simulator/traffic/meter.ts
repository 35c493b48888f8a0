/**
 * Counts what clients do: rates, cooldowns kept or broken, slices asked for twice. All times are milliseconds of this
 * process's performance clock, given by the caller.
 */
import { textKey } from '../archive/hash.ts';

/** One request, from its headers' arrival to its end. */
export interface RequestRecord {
  /** From 1, in order of arrival since start or reset. */
  readonly number: number;
  /** Arrival, performance clock of the simulator's process, ms. */
  readonly atMs: number;
  readonly endpoint: 'data' | 'count' | 'queryhelp' | 'other';
  /** Path and query as received, at most 500 characters. */
  readonly target: string;
  /** Text of the asked obTime range, percent-decoded. */
  readonly range: string | undefined;
  readonly idSensor: string | undefined;
  readonly descriptor: string | undefined;
  /** Whether it began inside a cooldown that had been announced. */
  readonly inCooldown: boolean;
  /** Undefined until headers were sent, and for ever when none were. */
  status: number | undefined;
  /** Kind of the injected fault. */
  fault: string | undefined;
  /** Whether the right answer was handed over to its last byte. */
  completed: boolean;
  /** Bytes of body handed over. */
  bodyBytes: number;
  /** Arrival to end, ms; undefined while under way. */
  durationMs: number | undefined;
}

export interface TrafficStats {
  /** Requests to the source's paths; the control paths do not count. */
  readonly requests: number;
  readonly byEndpoint: Readonly<Record<string, number>>;
  /** By HTTP status; `none` are those that ended without one. */
  readonly byStatus: Readonly<Record<string, number>>;
  /** Most requests that began within any span of 1,000 ms, the later end excluded. */
  readonly peakPerSecond: number;
  readonly concurrentPeak: number;
  readonly inFlight: number;
  /** Requests begun after a 429 with `Retry-After` went out (plus the grace) and before it had run out. */
  readonly begunInCooldown: number;
  /** Latest such request after its cooldown's announcement, ms; 0 when none. */
  readonly latestInCooldownMs: number;
  /** Different slices (exact range and filters) answered completely. */
  readonly slicesAnswered: number;
  /** Of those, slices answered completely more than once. */
  readonly slicesRepeated: number;
  /** Complete answers beyond each slice's first. */
  readonly repeatedAnswers: number;
  readonly bodyBytes: number;
}

/** Slices told apart before counting repeats stops; ten years of full days are 1.05 million. */
const MOST_SLICES = 2_000_000;
const SPAN_MS = 1_000;

export class TrafficMeter {
  readonly #graceMs: number;
  readonly #logLength: number;
  #log: RequestRecord[] = [];
  #requests = 0;
  #byEndpoint = new Map<string, number>();
  #byStatus = new Map<string, number>();
  #recent = new RecentSpan();
  #inFlight = 0;
  #concurrentPeak = 0;
  #cooldown = { announcedMs: 0, untilMs: 0 };
  #begunInCooldown = 0;
  #latestInCooldownMs = 0;
  #answers = new Map<number, number>();
  #repeated = 0;
  #repeatedAnswers = 0;
  #bodyBytes = 0;

  /**
   * @param graceMs - how long after an announcement requests already on the wire are not held against the client
   * @param logLength - requests kept in the log
   */
  constructor(graceMs: number, logLength: number) {
    this.#graceMs = graceMs;
    this.#logLength = logLength;
  }

  /** A request has arrived. The record is filled in by `end`. */
  begin(
    now: number,
    request: Pick<RequestRecord, 'endpoint' | 'target' | 'range' | 'idSensor' | 'descriptor'>,
  ): RequestRecord {
    const { announcedMs, untilMs } = this.#cooldown;
    const inCooldown = now < untilMs && now > announcedMs + this.#graceMs;
    if (inCooldown) {
      this.#begunInCooldown++;
      this.#latestInCooldownMs = Math.max(this.#latestInCooldownMs, now - announcedMs);
    }
    this.#requests++;
    this.#recent.add(now);
    increment(this.#byEndpoint, request.endpoint);
    this.#inFlight++;
    this.#concurrentPeak = Math.max(this.#concurrentPeak, this.#inFlight);
    const record: RequestRecord = {
      number: this.#requests,
      atMs: now,
      ...request,
      target: request.target.slice(0, 500),
      inCooldown,
      status: undefined,
      fault: undefined,
      completed: false,
      bodyBytes: 0,
      durationMs: undefined,
    };
    this.#keep(record);
    return record;
  }

  /** A 429 with `Retry-After` goes out. Further ones within the same cooldown prolong it, never restart its grace. */
  announceCooldown(now: number, durationMs: number): void {
    const { announcedMs, untilMs } = this.#cooldown;
    this.#cooldown = {
      announcedMs: now < untilMs ? announcedMs : now,
      untilMs: Math.max(untilMs, now + durationMs),
    };
  }

  /**
   * A request has ended.
   *
   * @param sliceText - exact range and filters of a data request; undefined for other requests
   */
  end(
    record: RequestRecord,
    now: number,
    outcome: { status: number | undefined; completed: boolean; bodyBytes: number; sliceText: string | undefined },
  ): void {
    record.status = outcome.status;
    record.completed = outcome.completed;
    record.bodyBytes = outcome.bodyBytes;
    record.durationMs = now - record.atMs;
    this.#inFlight--;
    this.#bodyBytes += outcome.bodyBytes;
    increment(this.#byStatus, outcome.status === undefined ? 'none' : String(outcome.status));
    if (outcome.completed && outcome.sliceText !== undefined) this.#answered(outcome.sliceText);
  }

  stats(): TrafficStats {
    return {
      requests: this.#requests,
      byEndpoint: Object.fromEntries(this.#byEndpoint),
      byStatus: Object.fromEntries(this.#byStatus),
      peakPerSecond: this.#recent.peak,
      concurrentPeak: this.#concurrentPeak,
      inFlight: this.#inFlight,
      begunInCooldown: this.#begunInCooldown,
      latestInCooldownMs: this.#latestInCooldownMs,
      slicesAnswered: this.#answers.size,
      slicesRepeated: this.#repeated,
      repeatedAnswers: this.#repeatedAnswers,
      bodyBytes: this.#bodyBytes,
    };
  }

  /** The latest requests, oldest first. */
  log(): readonly RequestRecord[] {
    const records = this.#log.slice(-this.#logLength);
    return records.map((record) => ({ ...record }));
  }

  #answered(sliceText: string): void {
    const key = textKey(sliceText);
    const times = this.#answers.get(key) ?? 0;
    if (times === 0 && this.#answers.size >= MOST_SLICES) return;
    this.#answers.set(key, times + 1);
    if (times === 1) this.#repeated++;
    if (times >= 1) this.#repeatedAnswers++;
  }

  /** Drops old records in bulk, so that keeping one costs nothing noticeable. */
  #keep(record: RequestRecord): void {
    this.#log.push(record);
    if (this.#log.length > 2 * this.#logLength + 100) this.#log = this.#log.slice(-this.#logLength);
  }
}

/** Exact maximum of events in a sliding span; memory is bounded by that maximum. */
class RecentSpan {
  #times: number[] = [];
  #first = 0;
  peak = 0;

  add(now: number): void {
    this.#times.push(now);
    while (this.#times[this.#first]! <= now - SPAN_MS) this.#first++;
    this.peak = Math.max(this.peak, this.#times.length - this.#first);
    if (this.#first > 1_000 && this.#first * 2 > this.#times.length) {
      this.#times = this.#times.slice(this.#first);
      this.#first = 0;
    }
  }
}

function increment(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
