/** The state of the rules over a restart: what must be kept before the next permit, and what is made of a kept state. */
import type { Breaker } from './breaker.ts';
import { withinBounds } from './config.ts';
import type { RateConfig } from './config.ts';
import type { Cooldown } from './cooldown.ts';
import type { Pace } from './pace.ts';

/** Plain JSON; times in POSIX milliseconds of the clock of the process that made it. */
export interface RateState {
  readonly pace: Pace;
  readonly cooldown: Cooldown;
  readonly breaker: Breaker;
}

/** A state as it was kept, and when. */
export interface KeptRateState {
  readonly state: RateState;
  /** When it was kept, by the clock of its own times. */
  readonly keptMs: number;
  /** How long ago that was, at least 0, milliseconds. */
  readonly elapsedMs: number;
}

/** A process that is killed loses at most the permits of this many milliseconds; its pauses and incidents never. */
export const KEEP_EVERY_MS = 1_000;

/** Whether `next` holds a pause, a failed pass or an incident that the kept state lacks: a restart must not forget it. */
export function mustKeep(kept: RateState, next: RateState): boolean {
  const { cooldown, breaker } = next;
  return (
    cooldown.untilMs !== kept.cooldown.untilMs ||
    cooldown.inARow > kept.cooldown.inARow ||
    breaker.failedPasses !== kept.breaker.failedPasses ||
    breaker.closedUntilMs !== kept.breaker.closedUntilMs ||
    breaker.incident !== kept.breaker.incident ||
    breaker.probing !== kept.breaker.probing
  );
}

/**
 * A kept state in the time and within the numbers of this process.
 *
 * What is left of each pause counts, not its hour: a clock that was set back or stood still (sleep) makes no pause longer
 * than it was, nor shorter. The rate is the learnt one unless the operator gave another. Permits that were given after the
 * state was kept are allowed for by taking the last of them as late as it can have been.
 *
 * @param nowMs - by the clock of this process
 */
export function restore(kept: KeptRateState, nowMs: number, config: RateConfig): RateState {
  const { state, keptMs, elapsedMs } = kept;
  const shiftMs = nowMs - elapsedMs - keptMs;
  const { pace } = state;
  const latestPermitMs = Math.min(nowMs, keptMs + shiftMs + KEEP_EVERY_MS);
  return {
    ...shiftTimes(state, shiftMs),
    pace: {
      rate: config.startFrom === 'given' ? config.initialRate : withinBounds(pace.rate, config),
      lastPermitMs: latestPermitMs,
    },
  };
}

/** The same state by a clock that is `shiftMs` ahead. */
export function shiftTimes({ pace, cooldown, breaker }: RateState, shiftMs: number): RateState {
  // 0 is "never".
  const moved = (ms: number): number => (ms === 0 ? 0 : ms + shiftMs);
  return {
    pace: { ...pace, lastPermitMs: pace.lastPermitMs === null ? null : pace.lastPermitMs + shiftMs },
    cooldown: { ...cooldown, untilMs: moved(cooldown.untilMs), setMs: moved(cooldown.setMs) },
    breaker: {
      ...breaker,
      passEndedMs: moved(breaker.passEndedMs),
      closedUntilMs: moved(breaker.closedUntilMs),
      incident: breaker.incident && { ...breaker.incident, openedMs: moved(breaker.incident.openedMs) },
    },
  };
}
