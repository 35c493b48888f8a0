/**
 * When asking on would be rude (design §2, SAFE-4): five failures in a row, counted at completion over all slices and
 * days, end a *pass*; so do fewer of them when a caller has nothing left to ask for (`failPass`). Six passes without one
 * success trip the breaker, a refusal of the credentials trips it at once.
 *
 * A trip is an incident with an id. Closing it lets one probe through; its outcome decides. Any success resets everything.
 * 429 counts for nothing here: it has its own pause (`cooldown.ts`).
 */
import type { RequestOutcome } from './outcome.ts';

export type IncidentReason = 'source_failing' | 'auth_rejected' | 'rate_limited_too_long';

export interface Incident {
  readonly id: string;
  readonly reason: IncidentReason;
  /** POSIX milliseconds. */
  readonly openedMs: number;
  /** One clause for people. */
  readonly why: string;
}

export interface Breaker {
  readonly failuresInARow: number;
  /** Passes that ended in failures since the last success. */
  readonly failedPasses: number;
  /** When the latest pass ended, 0 for never yet; failures of requests from before it are part of it. */
  readonly passEndedMs: number;
  /** No request may start before; POSIX milliseconds. */
  readonly closedUntilMs: number;
  readonly incident: Incident | null;
  /** After an incident was closed: one request at a time until one succeeds. */
  readonly probing: boolean;
}

export const FAILURES_END_PASS = 5;
export const PASSES_TRIP = 6;
const LONGEST_PASS_WAIT_MS = 300_000;

export const CLOSED_BREAKER: Breaker = {
  failuresInARow: 0,
  failedPasses: 0,
  passEndedMs: 0,
  closedUntilMs: 0,
  incident: null,
  probing: false,
};

/** What surrounds an outcome: times in POSIX milliseconds, and the sources of chance. */
export interface BreakerContext {
  /** When the request had its permit. */
  readonly startedMs: number;
  readonly nowMs: number;
  /** Wait after the first failed pass, milliseconds. */
  readonly passWaitMs: number;
  /** In [0, 1). */
  readonly random: number;
  /** Id of the incident, should this outcome open one. */
  readonly incidentId: string;
}

export function adaptBreaker(breaker: Breaker, outcome: RequestOutcome, context: BreakerContext): Breaker {
  if (outcome.kind === 'success') {
    // An answer to a request from before the incident does not close it: that is the operator's to do.
    return breaker.incident ? breaker : CLOSED_BREAKER;
  }
  if (outcome.kind === 'auth_rejected') {
    return trip(breaker, 'auth_rejected', `the source refused the credentials with ${outcome.status}`, context);
  }
  return outcome.kind === 'failure' ? countFailure(breaker, context) : breaker;
}

/** Opens an incident; one that is open already stays as it is. */
export function trip(
  breaker: Breaker,
  reason: IncidentReason,
  why: string,
  context: Pick<BreakerContext, 'nowMs' | 'incidentId'>,
): Breaker {
  if (breaker.incident) return breaker;
  return { ...CLOSED_BREAKER, incident: { id: context.incidentId, reason, openedMs: context.nowMs, why } };
}

/** Closes the incident if `id` still is the current one (compare and set); the next request is a probe. */
export function closeIncident(breaker: Breaker, id: string): Breaker {
  return breaker.incident?.id === id ? { ...CLOSED_BREAKER, probing: true } : breaker;
}

/** `firstMs` doubling with each failure in a row (1 = the first), at most five minutes, up to 20 % less so that waiters spread. */
export function backoffMs(firstMs: number, failures: number, random: number): number {
  return Math.min(firstMs * 2 ** (failures - 1), LONGEST_PASS_WAIT_MS) * (0.8 + 0.2 * random);
}

function countFailure(breaker: Breaker, context: BreakerContext): Breaker {
  if (breaker.incident) return breaker;
  if (breaker.probing) return trip(breaker, 'source_failing', 'the probe failed', context);
  if (context.startedMs <= breaker.passEndedMs) return breaker;
  const failuresInARow = breaker.failuresInARow + 1;
  const counted = { ...breaker, failuresInARow };
  return failuresInARow < FAILURES_END_PASS ? counted : failPass(counted, context);
}

/**
 * Ends the pass, whatever its length, when it has failures and no success; otherwise nothing changes. For callers whose own
 * pass, with fewer requests than end one, has failed as a whole: four slices of a day would else count for nothing.
 */
export function failPass(breaker: Breaker, context: Omit<BreakerContext, 'startedMs'>): Breaker {
  if (breaker.incident || breaker.failuresInARow === 0) return breaker;
  const failedPasses = breaker.failedPasses + 1;
  if (failedPasses >= PASSES_TRIP) {
    const why = `${failedPasses} passes in a row ended in failures without one success between`;
    return trip(breaker, 'source_failing', why, context);
  }
  const waitMs = backoffMs(context.passWaitMs, failedPasses, context.random);
  return {
    ...breaker,
    failuresInARow: 0,
    failedPasses,
    passEndedMs: context.nowMs,
    closedUntilMs: context.nowMs + waitMs,
  };
}
