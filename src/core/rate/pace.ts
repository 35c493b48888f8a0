/** The request rate: additive increase, multiplicative decrease (UDL-18), and permits that lie 1/rate apart (UDL-19). */
import type { RateConfig } from './config.ts';
import type { RequestOutcome } from './outcome.ts';

export interface Pace {
  /** Requests per second; always within the configuration's bounds. */
  readonly rate: number;
  /** When the last permit was given, POSIX milliseconds; null before the first. */
  readonly lastPermitMs: number | null;
}

/** The pace at the start. The first permit never waits. */
export function initialPace(config: RateConfig): Pace {
  return { rate: config.initialRate, lastPermitMs: null };
}

/** The pace after a request: up after a success, down after 429, 503, timeouts and lost connections, else unchanged. */
export function adaptPace(pace: Pace, outcome: RequestOutcome, config: RateConfig): Pace {
  if (outcome.kind === 'success') {
    return { ...pace, rate: Math.min(pace.rate + config.additiveIncrease, config.maxRate) };
  }
  if (outcome.kind === 'rate_limited' || (outcome.kind === 'failure' && outcome.penalty)) {
    return { ...pace, rate: Math.max(pace.rate * config.multiplicativeDecrease, config.minRate) };
  }
  return pace;
}

/** Earliest instant of the next permit, POSIX milliseconds. */
export function nextPermitMs(pace: Pace): number {
  return pace.lastPermitMs === null ? -Infinity : pace.lastPermitMs + 1_000 / pace.rate;
}

/**
 * The pace after a permit at `nowMs`. The time it really left counts, not the slot it had: a late timer then never lets
 * two requests come closer than 1/rate.
 */
export function grantPermit(pace: Pace, nowMs: number): Pace {
  return { ...pace, lastPermitMs: nowMs };
}
