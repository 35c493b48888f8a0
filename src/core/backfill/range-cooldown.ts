/** What a range knows of a long pause that the source asked for: shown to people, decides nothing. */
import type { RangeState } from './range-state.ts';

/** A pause of the source that running days wait for, with their places given back. */
export interface RangeCooldown {
  /** ISO 8601 UTC. */
  readonly until: string;
  /** One clause for people. */
  readonly why: string;
}

/** Argument of the signal `cooldown`. */
export interface CooldownNotice extends RangeCooldown {
  /** From now to `until`, milliseconds. */
  readonly waitMs: number;
}

const MAX_WHY = 300;
/** Timers beyond a month are mistakes. */
const LONGEST_WAIT_MS = 31 * 86_400_000;

/**
 * Takes a notice into the state.
 *
 * @param notice - of a message that anybody may send; malformed ones are ignored
 * @returns the cooldown that began, with the time to wait for its end; null when nothing changed
 */
export function beginCooldown(state: RangeState, notice: unknown): CooldownNotice | null {
  const { until, why, waitMs } = (notice ?? {}) as Record<keyof CooldownNotice, unknown>;
  if (typeof until !== 'string' || !/^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(until)) return null;
  if (typeof waitMs !== 'number' || !(waitMs > 0) || waitMs > LONGEST_WAIT_MS) return null;
  if (state.cooldown && state.cooldown.until >= until) return null;
  const reason = typeof why === 'string' ? why.slice(0, MAX_WHY) : 'no reason given';
  state.cooldown = { until, why: reason };
  return { until, why: reason, waitMs };
}

/** The end of the cooldown that was to end at `until`; a later one goes on. */
export function endCooldown(state: RangeState, until: string): void {
  if (state.cooldown?.until === until) state.cooldown = null;
}
