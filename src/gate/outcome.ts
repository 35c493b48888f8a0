/** A permit's life, and what its end says to the rules. */
import type { RequestOutcome } from '../core/rate/outcome.ts';
import { parseRetryAfter } from '../core/rate/retry-after.ts';
import type { PauseHeaders, Permit, ReleaseOutcome } from './types.ts';

export interface PermitHooks {
  /** POSIX milliseconds. */
  readonly now: () => number;
  /** The header of a 429 was read: at most once, before `onReleased`. */
  readonly on429: (outcome: RequestOutcome) => void;
  /** Nothing has left; called before `onReleased`. */
  readonly onUnsent: () => void;
  /** The request has ended. @param outcome - null when it was told of as a 429 already */
  readonly onReleased: (outcome: RequestOutcome | null) => void;
}

export function createPermit({ now, on429, onUnsent, onReleased }: PermitHooks): Permit {
  let reported = false;
  let released = false;
  const report429 = (headers: PauseHeaders): void => {
    if (reported || released) return;
    reported = true;
    on429({ kind: 'rate_limited', retryAfterMs: retryAfterMs(headers, now()) });
  };
  return {
    report429,
    release: (outcome) => {
      if (released) return;
      if (outcome.kind === 'rate_limited') report429(outcome.headers);
      if (outcome.kind === 'unsent') onUnsent();
      released = true;
      onReleased(reported ? null : readHeaders(outcome, now()));
    },
  };
}

function readHeaders(outcome: ReleaseOutcome, nowMs: number): RequestOutcome {
  if (outcome.kind === 'rate_limited') {
    return { kind: 'rate_limited', retryAfterMs: retryAfterMs(outcome.headers, nowMs) };
  }
  if (outcome.kind === 'failure') {
    const asked = outcome.headers === null ? null : retryAfterMs(outcome.headers, nowMs);
    return { kind: 'failure', penalty: outcome.penalty, retryAfterMs: asked };
  }
  if (outcome.kind === 'unsent') return { kind: 'cancelled' };
  return outcome.kind === 'auth_rejected' ? outcome : { kind: outcome.kind };
}

function retryAfterMs({ retryAfter, date }: PauseHeaders, nowMs: number): number | null {
  return parseRetryAfter(retryAfter, date, nowMs);
}

/** `20250901T120000-3fa2`: when, and four hexadecimal digits against a second one in the same second. */
export function incidentId(nowMs: number, random: number): string {
  const stamp = new Date(nowMs).toISOString().slice(0, 19).replaceAll(/[-:]/g, '');
  return `${stamp}-${Math.floor(random * 0x10000)
    .toString(16)
    .padStart(4, '0')}`;
}
