import type { Breaker, Incident } from '../core/rate/breaker.ts';
import type { RateConfig } from '../core/rate/config.ts';
import type { Cooldown } from '../core/rate/cooldown.ts';
import type { Pace } from '../core/rate/pace.ts';
import type { PipelineError } from '../core/errors.ts';

/** Headers of an answer that may ask for a pause, verbatim. */
export interface PauseHeaders {
  readonly retryAfter: string | null;
  readonly date: string | null;
}

/** How a request ended, with its headers unread. */
export type ReleaseOutcome =
  | { readonly kind: 'success' | 'cancelled' }
  | { readonly kind: 'rate_limited'; readonly headers: PauseHeaders }
  | { readonly kind: 'auth_rejected'; readonly status: number }
  | {
      readonly kind: 'failure';
      /** 503, timeout or no connection: slows the pace. */
      readonly penalty: boolean;
      readonly headers: PauseHeaders | null;
    };

/** The right to send one request now. Must be released, once; later calls do nothing. */
export interface Permit {
  /** To be called as soon as the header of a 429 is read, before its body: no request starts after it. */
  report429(headers: PauseHeaders): void;
  release(outcome: ReleaseOutcome): void;
}

/** What a person wants to know about the gate. Times are POSIX milliseconds. */
export interface GateSnapshot {
  /** Requests per second allowed now. */
  readonly rate: number;
  readonly inFlight: number;
  /** Requests that wait for a permit. */
  readonly waiting: number;
  readonly cooldown: { readonly untilMs: number; readonly why: string } | null;
  /** The open incident: requests are refused until it is closed. */
  readonly incident: Incident | null;
  /** Passes that ended in failures since the last success. */
  readonly failedPasses: number;
  /** Whether the source has given a usable answer since the process began. */
  readonly hasSucceeded: boolean;
  readonly stats: GateStats;
}

/** The receipt of politeness since the process began. */
export interface GateStats {
  readonly requests: number;
  readonly rateLimited: number;
  /** Wall-clock seconds in which a request was held back by the pace or a cooldown. */
  readonly secondsWaited: number;
  /** Most permits given within any one second. */
  readonly worstSecond: number;
}

/** What would have to survive a restart; plain JSON. */
export interface GateState {
  readonly pace: Pace;
  readonly cooldown: Cooldown;
  readonly breaker: Breaker;
}

/** Where the state lives between processes. Both are synchronous: a permit is not given before its state is kept. */
export interface GateStore {
  load(): GateState | null;
  save(state: GateState): void;
}

export interface Gate {
  readonly config: RateConfig;
  /**
   * Waits for the turn of one request: concurrency, pace, and cooldowns of up to two minutes.
   *
   * @throws PipelineError `source_unavailable` while a pass is closed, `rate_limited` for longer cooldowns (both with
   *   `retryAfterMs`), `source_aborted` or `auth_rejected` while an incident is open (its id is in `context.incident`)
   * @throws the signal's reason when it is aborted first
   */
  acquire(signal?: AbortSignal): Promise<Permit>;
  /** Why a request would be refused now, null when it would not. */
  refusal(): PipelineError | null;
  snapshot(): GateSnapshot;
  /**
   * To be called when a caller's pass ended with failures alone and nothing of what it needs was ever answered: counts as a
   * failed pass even when it was short. Nothing happens when the failures were counted as a pass already.
   */
  failPass(): void;
  /** Closes the incident if `id` is the open one; then one request probes the source. @returns whether it was */
  closeIncident(id: string): boolean;
}
