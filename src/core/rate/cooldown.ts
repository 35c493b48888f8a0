/**
 * The pause that all requests share after 429 (SAFE-2), or after another failure whose answer named a time (UDL-D4).
 *
 * `Retry-After` wins over our own 30 s that double up to 10 min. When ten pauses in a row ended in the next 429, the
 * server's times have proved too short: from then on the longer of the two counts.
 */
import type { RequestOutcome } from './outcome.ts';

export interface Cooldown {
  /** No request may start before; POSIX milliseconds, 0 for never yet. */
  readonly untilMs: number;
  /** When the current pause was set; a 429 to a request from before it belongs to the same pause. */
  readonly setMs: number;
  /** Pauses in a row without a success between them. */
  readonly inARow: number;
  /** One clause for people; empty when there was none. */
  readonly why: string;
}

const OWN_FIRST_MS = 30_000;
const OWN_LONGEST_MS = 600_000;
/** "429 is never retried at once", whatever a header of 0 says. */
const SHORTEST_MS = 1_000;
const TRUSTED_PAUSES = 10;

/** A pause above this stops the run: an operator should know (design §3). */
export const LONGEST_COOLDOWN_MS = 6 * 3_600_000;
/** A source that answered nothing but 429 through this many pauses stops the run as well. */
export const MOST_COOLDOWNS_IN_A_ROW = 30;

export const NO_COOLDOWN: Cooldown = { untilMs: 0, setMs: 0, inARow: 0, why: '' };

/**
 * The pause after a request.
 *
 * @param startedMs - when that request had its permit
 * @param nowMs - when its header was read
 */
export function adaptCooldown(cooldown: Cooldown, outcome: RequestOutcome, startedMs: number, nowMs: number): Cooldown {
  if (outcome.kind === 'success') return cooldown.inARow === 0 ? cooldown : { ...cooldown, inARow: 0 };
  if (outcome.kind === 'rate_limited') {
    const samePause = cooldown.inARow > 0 && startedMs <= cooldown.setMs;
    const inARow = samePause ? cooldown.inARow : cooldown.inARow + 1;
    const ownMs = Math.min(OWN_FIRST_MS * 2 ** (inARow - 1), OWN_LONGEST_MS);
    const { retryAfterMs } = outcome;
    const waitMs =
      retryAfterMs !== null && inARow > TRUSTED_PAUSES ? Math.max(retryAfterMs, ownMs) : (retryAfterMs ?? ownMs);
    const why =
      retryAfterMs === null
        ? 'the source answered 429'
        : `the source answered 429 with Retry-After ${seconds(retryAfterMs)}`;
    return extend({ ...cooldown, inARow }, samePause ? cooldown.setMs : nowMs, nowMs + waitMs, nowMs, why);
  }
  if (outcome.kind === 'failure' && outcome.retryAfterMs !== null) {
    const why = `the source failed and asked for a pause of ${seconds(outcome.retryAfterMs)}`;
    return extend(cooldown, cooldown.setMs, nowMs + outcome.retryAfterMs, nowMs, why);
  }
  return cooldown;
}

/** Whether the pause, as it was set, is one that an operator is asked about. */
export function isTooLong({ untilMs, setMs }: Cooldown): boolean {
  return untilMs - setMs > LONGEST_COOLDOWN_MS;
}

/** The pause ended by an operator. How often the source has asked in a row is not forgotten. */
export function endCooldown(cooldown: Cooldown, nowMs: number): Cooldown {
  return { ...cooldown, untilMs: Math.min(cooldown.untilMs, nowMs) };
}

/** A pause never gets shorter by a second answer. */
function extend(cooldown: Cooldown, setMs: number, untilMs: number, nowMs: number, why: string): Cooldown {
  const atLeast = Math.max(untilMs, nowMs + SHORTEST_MS);
  return atLeast > cooldown.untilMs ? { ...cooldown, setMs, untilMs: atLeast, why } : { ...cooldown, setMs };
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1_000)} s`;
}
