/** Why the gate gives no permit, as errors that tell the engine and the operator what to do. */
import { PipelineError } from '../core/errors.ts';
import type { Incident } from '../core/rate/breaker.ts';
import type { RateState } from '../core/rate/restore.ts';

/**
 * @param random - in [0, 1); spreads the returns of those who were sent away
 * @param waitInsideMs - longer cooldowns give the activity's slot back instead of waiting in it
 * @returns null when a permit may be waited for
 */
export function refuse(
  { breaker, cooldown }: RateState,
  nowMs: number,
  random: number,
  waitInsideMs: number,
): PipelineError | null {
  if (breaker.incident) return incidentError(breaker.incident);
  if (breaker.closedUntilMs > nowMs) {
    const retryAfterMs = Math.ceil(breaker.closedUntilMs - nowMs);
    return new PipelineError(
      'source_unavailable',
      `The source failed several times in a row; the next try is in ${seconds(retryAfterMs)} (failed pass ${breaker.failedPasses}).`,
      { retryAfterMs, hint: 'Nothing to do: finished slices are kept and only missing ones are asked for.' },
    );
  }
  const waitMs = cooldown.untilMs - nowMs;
  if (waitMs > waitInsideMs) {
    return new PipelineError(
      'rate_limited',
      `The source asks for a pause of ${seconds(waitMs)}, until ${new Date(cooldown.untilMs).toISOString()}: ${cooldown.why}.`,
      {
        retryAfterMs: Math.ceil(waitMs + 5_000 * random),
        hint: 'Nothing to do: the download goes on by itself after the pause.',
        context: { until: new Date(cooldown.untilMs).toISOString(), why: cooldown.why },
      },
    );
  }
  return null;
}

function incidentError({ id, reason, why, openedMs }: Incident): PipelineError {
  const since = new Date(openedMs).toISOString();
  const context = { incident: id, reason };
  if (reason === 'auth_rejected') {
    return new PipelineError('auth_rejected', `No further request is sent: ${why} at ${since}.`, {
      context,
      hint: 'Check the token in BASICAUTH and the account behind it, then resume the run.',
    });
  }
  return new PipelineError('source_aborted', `No further request is sent since ${since}: ${why}.`, {
    context,
    hint: 'Check the source; when it is well again, resume the run: one request probes it first.',
  });
}

function seconds(ms: number): string {
  return `${Math.ceil(ms / 1_000)} s`;
}
