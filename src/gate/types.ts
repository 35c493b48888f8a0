import type { Incident } from '../core/rate/breaker.ts';
import type { RateConfig } from '../core/rate/config.ts';
import type { KeptRateState, RateState } from '../core/rate/restore.ts';
import type { PipelineError } from '../core/errors.ts';

/** Headers of an answer that may ask for a pause, verbatim. */
export interface PauseHeaders {
  readonly retryAfter: string | null;
  readonly date: string | null;
}

/** How a request ended, with its headers unread. */
export type ReleaseOutcome =
  | { readonly kind: 'success' | 'cancelled' }
  /** Nothing left: a pause began before the first byte. It counts for no request. */
  | { readonly kind: 'unsent' }
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
  /** After an incident was closed: the next request decides whether requests go on. */
  readonly probing: boolean;
  /** Whether the source has given a usable answer since the process began. */
  readonly hasSucceeded: boolean;
  readonly stats: GateStats;
}

/** The receipt of politeness. */
export interface GateStats {
  readonly requests: number;
  readonly rateLimited: number;
  /** Wall-clock seconds in which a request was held back or sent away by the pace or a cooldown. */
  readonly secondsWaited: number;
  /** Most permits given within any one second. */
  readonly worstSecond: number;
}

/** Whom requests are counted for. */
export interface GateRun {
  readonly runId: string;
  /** The workspace's name. */
  readonly workspace: string;
}

export interface RunReceipt extends GateRun, GateStats {
  /** Last permit, POSIX milliseconds. */
  readonly lastMs: number;
}

export interface Receipts {
  /** Since the gate was first used. */
  readonly total: GateStats;
  /** The latest runs, latest last. */
  readonly runs: readonly RunReceipt[];
}

/** What survives a restart; plain JSON. */
export interface GateState extends RateState {
  readonly receipts: Receipts;
}

export interface KeptGateState extends KeptRateState {
  readonly state: GateState;
}

/** Where the state lives between processes, and with it the sole right to send requests to the source. */
export interface GateStore {
  /** Named in what operators read. */
  readonly place: string;
  /**
   * Takes the right.
   *
   * @returns the state last kept, null when there is none
   * @throws PipelineError `gate_held` naming the holder, `config_invalid` when nothing can be kept there
   */
  open(): Promise<KeptGateState | null>;
  /**
   * Puts the state down for good; with a promise no permit is given before it settles.
   *
   * @param keptMs - now, by the clock of the state's times
   * @throws PipelineError `disk_full`, `storage_unavailable`; no permit is given until a later call succeeds
   */
  save(state: GateState, keptMs: number): void | Promise<void>;
  /** Gives the right back. Idempotent. */
  close(): Promise<void>;
}

export interface Gate {
  readonly config: RateConfig;
  /**
   * Takes the right to send requests and takes up the kept state; `acquire` does it too. Does nothing when it is done.
   *
   * @throws PipelineError as `GateStore.open` does
   */
  open(): Promise<void>;
  /** Keeps the state and gives the right back. Idempotent; who still waits is sent away. */
  close(): Promise<void>;
  /**
   * The same gate for one piece of a run, such as a pass over a day: permits are counted for the run as well, and who asked
   * for its piece earlier goes first.
   */
  forRun(run: GateRun): Gate;
  /** Keeps the receipts, so that others can read them when it settles. Never rejects. */
  keep(): Promise<void>;
  /**
   * Waits for the turn of one request: concurrency, pace, and cooldowns up to `config.waitInsideMs`.
   *
   * @throws PipelineError `source_unavailable` while a pass is closed, `rate_limited` for longer cooldowns (both with
   *   `retryAfterMs`), `source_aborted` or `auth_rejected` while an incident is open (its id is in `context.incident`)
   *   when the state cannot be kept: what `GateStore` throws
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
  /**
   * Closes the incident if `id` is the open one; then one request probes the source.
   *
   * @returns whether it was
   * @throws PipelineError `ledger_unavailable` when hosts share the gate and their database does not answer
   */
  closeIncident(id: string): Promise<boolean>;
}
