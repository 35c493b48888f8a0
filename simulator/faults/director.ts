/**
 * Decides for each request whether and how it goes wrong. Deterministic for a plan and the requests seen.
 */
import { fractionOf, textKey } from '../archive/hash.ts';
import { NO_FAULTS } from './plan.ts';
import type { CheckedPlan, Fault, RetryAfterForm, Rule } from './plan.ts';

export type Endpoint = 'data' | 'count' | 'queryhelp';

/** What a rule may look at. */
export interface FaultSubject {
  readonly endpoint: Endpoint;
  /** Exact text of the asked range and filters; its repetitions are attempts. */
  readonly sliceText: string;
  readonly day: string | undefined;
  /** Index of the slice in its day and number of slices of its length, when the range lies in one day. */
  readonly slice: { readonly index: number; readonly count: number } | undefined;
  readonly idSensor: string | undefined;
}

export interface Decision {
  readonly latencyMs: number;
  /** How the answer goes wrong; never `storm` (it becomes `rate_limit`) or `latency`. */
  readonly fault: Fault | undefined;
}

interface Storm {
  readonly untilMs: number;
  readonly form: RetryAfterForm;
}

export class FaultDirector {
  #plan: CheckedPlan = NO_FAULTS;
  #fired: number[] = [];
  readonly #seen = new Map<Endpoint, number>();
  readonly #attempts = new Map<number, number>();
  #storm: Storm | undefined;

  /** Starts a plan anew: counts of requests, attempts and firings begin at zero, a running storm ends. */
  setPlan(plan: CheckedPlan): void {
    this.#plan = plan;
    this.#fired = plan.rules.map(() => 0);
    this.#seen.clear();
    this.#attempts.clear();
    this.#storm = undefined;
  }

  /** How often each rule has fired, in plan order. */
  get fired(): readonly number[] {
    return [...this.#fired];
  }

  /** The 429 of a running storm, if there is one; asked before anything else about a request. @param now - ms */
  stormFault(now: number): Fault | undefined {
    if (this.#storm === undefined || now >= this.#storm.untilMs) return undefined;
    const { untilMs, form } = this.#storm;
    // To the microsecond: a storm of 15 s must not begin with the 15.000000000000002 s that become 16.
    return { kind: 'rate_limit', retryAfterS: Math.round((untilMs - now) * 1000) / 1e6, form };
  }

  /** @param now - the meter's clock, ms */
  decide(subject: FaultSubject, now: number): Decision {
    if (this.#plan.rules.length === 0) return { latencyMs: 0, fault: undefined };
    const nth = (this.#seen.get(subject.endpoint) ?? 0) + 1;
    this.#seen.set(subject.endpoint, nth);
    const key = textKey(`${subject.endpoint} ${subject.sliceText}`);
    const attempt = (this.#attempts.get(key) ?? 0) + 1;
    this.#attempts.set(key, attempt);

    let latencyMs = 0;
    for (const [index, rule] of this.#plan.rules.entries()) {
      if (!this.#fits(rule, index, subject, nth, attempt)) continue;
      this.#fired[index]!++;
      if (rule.fault.kind === 'latency') {
        latencyMs += rule.fault.ms;
        continue;
      }
      return { latencyMs, fault: this.#begin(rule.fault, now) };
    }
    return { latencyMs, fault: undefined };
  }

  #fits(rule: Rule, index: number, subject: FaultSubject, nth: number, attempt: number): boolean {
    const { match, fault } = rule;
    if (this.#fired[index]! >= (rule.times ?? (fault.kind === 'storm' ? 1 : Number.POSITIVE_INFINITY))) return false;
    if (match.endpoint !== 'any' && match.endpoint !== subject.endpoint) return false;
    if (match.nth !== undefined && !asList(match.nth).includes(nth)) return false;
    if (match.slice !== undefined && !isSlice(asList(match.slice), subject.slice)) return false;
    if (match.day !== undefined && match.day !== subject.day) return false;
    if (match.idSensor !== undefined && match.idSensor !== subject.idSensor) return false;
    if (match.firstAttempts !== undefined && attempt > match.firstAttempts) return false;
    if (match.fraction === undefined) return true;
    const slice = textKey(subject.sliceText);
    return fractionOf(this.#plan.seed, index, slice, attempt + Math.floor(slice / 0x1_0000_0000)) < match.fraction;
  }

  #begin(fault: Fault, now: number): Fault | undefined {
    if (fault.kind !== 'storm') return fault;
    this.#storm = { untilMs: now + fault.seconds * 1000, form: fault.form };
    return this.stormFault(now);
  }
}

function asList(value: number | readonly number[]): readonly number[] {
  return typeof value === 'number' ? [value] : value;
}

function isSlice(wanted: readonly number[], slice: FaultSubject['slice']): boolean {
  return slice !== undefined && wanted.some((index) => (index < 0 ? index + slice.count : index) === slice.index);
}
