import { CLOSED_BREAKER, failPass, trip } from '../core/rate/breaker.ts';
import type { BreakerContext } from '../core/rate/breaker.ts';
import { checkRateConfig } from '../core/rate/config.ts';
import type { GivenRateConfig, RateConfig } from '../core/rate/config.ts';
import { LONGEST_COOLDOWN_MS, NO_COOLDOWN } from '../core/rate/cooldown.ts';
import { judge, resumeFrom } from '../core/rate/judge.ts';
import type { RequestOutcome } from '../core/rate/outcome.ts';
import { grantPermit, initialPace, nextPermitMs } from '../core/rate/pace.ts';
import { mustKeep, restore } from '../core/rate/restore.ts';
import type { RateState } from '../core/rate/restore.ts';
import type { PipelineError } from '../core/errors.ts';
import { systemClock } from './clock.ts';
import type { Clock } from './clock.ts';
import { Keeper } from './keeper.ts';
import { gateOfRun } from './of-run.ts';
import { createPermit, incidentId } from './outcome.ts';
import { ReceiptBook } from './receipt.ts';
import { refuse } from './refusal.ts';
import type { Gate, GateRun, GateSnapshot, GateStore, Permit } from './types.ts';
import { NOBODY, WaitingLine } from './waiting-line.ts';
import type { Asker } from './waiting-line.ts';

interface GateOptions {
  /** Checked and completed by `checkRateConfig`. */
  readonly config?: GivenRateConfig;
  readonly clock?: Clock;
  /** In [0, 1). */
  readonly random?: () => number;
  /** Keeps the state over restarts; without one it lives as long as the process. */
  readonly store?: GateStore;
}

/** @throws PipelineError `config_invalid` */
export function createGate(options: GateOptions = {}): Gate {
  return new SharedGate(
    checkRateConfig(options.config),
    options.clock ?? systemClock,
    options.random ?? Math.random,
    options.store ?? null,
  );
}

/** Waiters are served by `#pump`, which runs whenever something may have changed. */
class SharedGate implements Gate {
  readonly config: RateConfig;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #store: GateStore | null;
  readonly #keeper: Keeper | null;
  readonly #book = new ReceiptBook();
  readonly #queue = new WaitingLine(() => this.#pump());
  #state: RateState;
  #use: 'new' | 'open' | 'closed';
  #opening: Promise<void> | null = null;
  #inFlight = 0;
  #hasSucceeded = false;
  #stopTimer: (() => void) | null = null;

  constructor(config: RateConfig, clock: Clock, random: () => number, store: GateStore | null) {
    this.config = config;
    this.#clock = clock;
    this.#random = random;
    this.#store = store;
    this.#keeper = store && new Keeper(store, () => this.#pump());
    this.#use = store ? 'new' : 'open';
    this.#state = { pace: initialPace(config), cooldown: NO_COOLDOWN, breaker: CLOSED_BREAKER };
  }

  async open(): Promise<void> {
    if (this.#use === 'open') return;
    if (this.#use === 'closed') throw new Error('The gate is closed.');
    this.#opening ??= this.#takeUp().finally(() => {
      this.#opening = null;
    });
    await this.#opening;
  }

  async close(): Promise<void> {
    if (this.#use === 'closed') return;
    await this.#opening?.catch(() => undefined);
    const wasOpen = this.#use === 'open';
    this.#use = 'closed';
    this.#stopTimer?.();
    for (const waiter of this.#queue.dismiss()) waiter.reject(new Error('The gate is closed.'));
    if (wasOpen) await this.keep();
    await this.#store?.close();
  }

  keep(): Promise<void> {
    const nowMs = this.#clock.now();
    return this.#keeper?.keep({ ...this.#state, receipts: this.#book.receipts(nowMs) }, nowMs) ?? Promise.resolve();
  }

  forRun(run: GateRun): Gate {
    const asker = this.#queue.askerOf(run);
    return gateOfRun(this, {
      acquire: (signal) => this.#acquire(asker, signal),
      snapshot: () => this.#snapshot(run),
    });
  }

  acquire(signal?: AbortSignal): Promise<Permit> {
    return this.#acquire(NOBODY, signal);
  }

  #acquire(asker: Asker, signal?: AbortSignal): Promise<Permit> {
    return this.#queue.join(asker, signal, (waiter) => {
      // What could not be kept is tried again first: a pause that a restart would forget must not be followed by a request.
      if (this.#keeper?.problem) void this.keep();
      if (this.#use === 'open') this.#pump();
      else
        this.open().then(
          () => this.#pump(),
          (error: Error) => this.#queue.turnAway(waiter, error),
        );
    });
  }

  /** Takes the right to ask, and the kept state with it. */
  async #takeUp(): Promise<void> {
    const kept = await this.#store?.open();
    const nowMs = this.#clock.now();
    if (kept) {
      this.#state = restore(kept, nowMs, this.config);
      this.#book.takeUp(kept.state.receipts);
      const { cooldown, breaker } = this.#state;
      // Nobody has been asked about it yet.
      if (cooldown.untilMs - nowMs > LONGEST_COOLDOWN_MS) {
        const why = `${cooldown.why}; kept from an earlier run, until ${new Date(cooldown.untilMs).toISOString()}`;
        this.#state = { ...this.#state, breaker: trip(breaker, 'rate_limited_too_long', why, this.#breakerContext()) };
      }
    }
    this.#use = 'open';
    await this.keep();
  }

  refusal(): PipelineError | null {
    return this.#keeper?.problem ?? refuse(this.#state, this.#clock.now(), this.#random(), this.config.waitInsideMs);
  }

  snapshot(): GateSnapshot {
    return this.#snapshot(null);
  }

  #snapshot(run: GateRun | null): GateSnapshot {
    const nowMs = this.#clock.now();
    const { pace, cooldown, breaker } = this.#state;
    return {
      rate: pace.rate,
      inFlight: this.#inFlight,
      waiting: this.#queue.length,
      cooldown: cooldown.untilMs > nowMs ? { untilMs: cooldown.untilMs, why: cooldown.why } : null,
      incident: breaker.incident,
      failedPasses: breaker.failedPasses,
      probing: breaker.probing,
      hasSucceeded: this.#hasSucceeded,
      stats: this.#book.stats(nowMs, run),
    };
  }

  failPass(): void {
    const breaker = failPass(this.#state.breaker, this.#breakerContext());
    if (breaker !== this.#state.breaker) this.#setState({ ...this.#state, breaker });
  }

  closeIncident(id: string): Promise<boolean> {
    const next = resumeFrom(this.#state, id, this.#clock.now());
    if (next) this.#setState(next);
    return Promise.resolve(next !== null);
  }

  /** Gives permits as long as rules allow, then arranges to be called again when time alone will allow the next. */
  #pump(): void {
    if (this.#use !== 'open') return;
    this.#stopTimer?.();
    this.#stopTimer = null;
    let heldBack = false;
    while (this.#queue.length > 0) {
      if (this.#keeper?.isBusy) break;
      const refusal = this.refusal();
      if (refusal) {
        this.#sendAll(refusal);
        break;
      }
      if (this.#inFlight >= (this.#state.breaker.probing ? 1 : this.config.maxConcurrentRequests)) break;
      const nowMs = this.#clock.now();
      const earliestMs = Math.max(nextPermitMs(this.#state.pace), this.#state.cooldown.untilMs);
      if (earliestMs > nowMs) {
        heldBack = true;
        this.#stopTimer = this.#clock.after(earliestMs - nowMs, () => this.#pump());
        break;
      }
      this.#grant(nowMs);
    }
    this.#book.heldBack(heldBack ? this.#queue.runs : [], this.#clock.now());
  }

  /** Sends all who wait away. Each gets an error of its own: stacks and causes must not be shared between days. */
  #sendAll(refusal: PipelineError): void {
    const nowMs = this.#clock.now();
    for (const { run, reject } of this.#queue.dismiss()) {
      if (refusal.kind === 'rate_limited') this.#book.sentAway(run, this.#state.cooldown.untilMs, nowMs);
      reject(this.refusal() ?? refusal);
    }
  }

  #grant(nowMs: number): void {
    const waiter = this.#queue.next();
    if (!waiter) return;
    this.#inFlight += 1;
    this.#book.permit(waiter.run, nowMs);
    this.#state = { ...this.#state, pace: grantPermit(this.#state.pace, nowMs) };
    if (this.#keeper?.isDue(nowMs)) void this.keep();
    waiter.grant(this.#permit(waiter.run, nowMs));
  }

  #permit(run: GateRun | null, startedMs: number): Permit {
    return createPermit({
      now: () => this.#clock.now(),
      on429: (outcome) => {
        this.#book.rateLimited(run, this.#clock.now());
        this.#apply(outcome, startedMs);
      },
      onUnsent: () => this.#book.unsent(run, startedMs, this.#clock.now()),
      onReleased: (outcome) => {
        this.#inFlight -= 1;
        if (outcome) this.#apply(outcome, startedMs);
        else this.#pump();
      },
    });
  }

  #apply(outcome: RequestOutcome, startedMs: number): void {
    this.#hasSucceeded ||= outcome.kind === 'success';
    this.#setState(judge(this.#state, outcome, { startedMs, ...this.#breakerContext() }, this.config));
  }

  #breakerContext(): Omit<BreakerContext, 'startedMs'> {
    const nowMs = this.#clock.now();
    const random = this.#random();
    return { nowMs, passWaitMs: this.config.passWaitMs, random, incidentId: incidentId(nowMs, random) };
  }

  #setState(state: RateState): void {
    const urgent = mustKeep(this.#state, state);
    this.#state = state;
    if (urgent) void this.keep();
    this.#pump();
  }
}
