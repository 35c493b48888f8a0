/** What the end of a request does to pace, pauses and breaker together. */
import { adaptBreaker, closeIncident, trip } from './breaker.ts';
import type { BreakerContext } from './breaker.ts';
import type { RateConfig } from './config.ts';
import { LONGEST_COOLDOWN_MS, MOST_COOLDOWNS_IN_A_ROW, adaptCooldown, endCooldown, isTooLong } from './cooldown.ts';
import type { RequestOutcome } from './outcome.ts';
import { adaptPace } from './pace.ts';
import type { RateState } from './restore.ts';

/** The state after a request. Pauses that no operator would expect open an incident. */
export function judge(
  state: RateState,
  outcome: RequestOutcome,
  context: BreakerContext,
  config: RateConfig,
): RateState {
  const { startedMs, nowMs } = context;
  const pace = adaptPace(state.pace, outcome, config);
  const cooldown = adaptCooldown(state.cooldown, outcome, startedMs, nowMs);
  const breaker = adaptBreaker(state.breaker, outcome, context);
  const tooLong = cooldown.untilMs - nowMs > LONGEST_COOLDOWN_MS || cooldown.inARow >= MOST_COOLDOWNS_IN_A_ROW;
  if (!tooLong || (outcome.kind !== 'rate_limited' && outcome.kind !== 'failure')) return { pace, cooldown, breaker };
  const why = `${cooldown.why}; pause ${cooldown.inARow} in a row, until ${new Date(cooldown.untilMs).toISOString()}`;
  return { pace, cooldown, breaker: trip(breaker, 'rate_limited_too_long', why, context) };
}

/** The state once an operator has closed the incident `id`, with one probe to decide; null when that is not the open one. */
export function resumeFrom(state: RateState, id: string, nowMs: number): RateState | null {
  const { cooldown, breaker } = state;
  const closed = closeIncident(breaker, id);
  if (closed === breaker) return null;
  // A pause that an operator was asked about ends with the answer: the probe says whether the source still wants it.
  const isAnswered = breaker.incident?.reason === 'rate_limited_too_long' && isTooLong(cooldown);
  return { ...state, cooldown: isAnswered ? endCooldown(cooldown, nowMs) : cooldown, breaker: closed };
}
