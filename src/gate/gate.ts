import { CLOSED_BREAKER, adaptBreaker, closeIncident, failPass, trip } from '../core/rate/breaker.ts';
import type { BreakerContext } from '../core/rate/breaker.ts';
import { checkRateConfig } from '../core/rate/config.ts';
import type { GivenRateConfig, RateConfig } from '../core/rate/config.ts';
import {
  LONGEST_COOLDOWN_MS,
  MOST_COOLDOWNS_IN_A_ROW,
  NO_COOLDOWN,
  adaptCooldown,
  endCooldown,
  isTooLong,
} from '../core/rate/cooldown.ts';
import type { RequestOutcome } from '../core/rate/outcome.ts';
import { adaptPace, grantPermit, initialPace, nextPermitMs } from '../core/rate/pace.ts';
import { mustKeep, restore } from '../core/rate/restore.ts';
import type { RateState } from '../core/rate/restore.ts';
import { parseRetryAfter } from '../core/rate/retry-after.ts';
import type { PipelineError } from '../core/errors.ts';
import { systemClock } from './clock.ts';
import type { Clock } from './clock.ts';
import { Keeper } from './keeper.ts';
import { ReceiptBook } from './receipt.ts';
import { refuse } from './refusal.ts';
import type { Gate, GateRun, GateSnapshot, GateStore, PauseHeaders, Permit, ReleaseOutcome } from './types.ts';

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

interface Waiter {
  readonly run: GateRun | null;
  /** Of whom it waits for; a lower one goes first. */
  readonly place: number;
  readonly grant: (permit: Permit) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Waiters are served by `#pump`, which runs whenever something may have changed: by place, at one place first come, first
 * served. Two days that took turns would be complete at the same time, and nothing would be left to fetch while they are built.
 */
class SharedGate implements Gate {
  readonly config: RateConfig;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #store: GateStore | null;
  readonly #keeper: Keeper | null;
  readonly #book = new ReceiptBook();
  readonly #queue: Waiter[] = [];
  #state: RateState;
  #use: 'new' | 'open' | 'closed';
  #opening: Promise<void> | null = null;
  #inFlight = 0;
  #places = 0;
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
    for (const waiter of this.#queue.splice(0)) waiter.reject(new Error('The gate is closed.'));
    if (wasOpen) this.keep();
    await this.#store?.close();
  }

  keep(): void {
    const nowMs = this.#clock.now();
    this.#keeper?.keep({ ...this.#state, receipts: this.#book.receipts(nowMs) }, nowMs);
  }

  forRun(run: GateRun): Gate {
    const place = (this.#places += 1);
    return {
      config: this.config,
      acquire: (signal) => this.#acquire(run, place, signal),
      snapshot: () => this.#snapshot(run),
      open: () => this.open(),
      close: () => this.close(),
      forRun: (other) => this.forRun(other),
      keep: () => this.keep(),
      refusal: () => this.refusal(),
      failPass: () => this.failPass(),
      closeIncident: (id) => this.closeIncident(id),
    };
  }

  acquire(signal?: AbortSignal): Promise<Permit> {
    return this.#acquire(null, 0, signal);
  }

  #acquire(run: GateRun | null, place: number, signal?: AbortSignal): Promise<Permit> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason as Error);
        return;
      }
      const settle = (): void => signal?.removeEventListener('abort', onAbort);
      const waiter: Waiter = {
        run,
        place,
        grant: (permit) => {
          settle();
          resolve(permit);
        },
        reject: (error) => {
          settle();
          reject(error);
        },
      };
      const onAbort = (): void => {
        this.#queue.splice(this.#queue.indexOf(waiter), 1);
        reject(signal?.reason as Error);
        this.#pump();
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      const behind = this.#queue.findLastIndex((other) => other.place <= place);
      this.#queue.splice(behind + 1, 0, waiter);
      // What could not be kept is tried again first: a pause that a restart would forget must not be followed by a request.
      if (this.#keeper?.problem) this.keep();
      if (this.#use === 'open') this.#pump();
      else
        this.open().then(
          () => this.#pump(),
          (error: Error) => this.#turnAway(waiter, error),
        );
    });
  }

  #turnAway(waiter: Waiter, error: Error): void {
    const index = this.#queue.indexOf(waiter);
    if (index === -1) return;
    this.#queue.splice(index, 1);
    waiter.reject(error);
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
    this.keep();
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

  closeIncident(id: string): boolean {
    const { cooldown, breaker: former } = this.#state;
    const breaker = closeIncident(former, id);
    const closed = breaker !== former;
    // A pause that an operator was asked about ends with the answer: the probe says whether the source still wants it.
    const isAnswered = former.incident?.reason === 'rate_limited_too_long' && isTooLong(cooldown);
    const next = isAnswered ? endCooldown(cooldown, this.#clock.now()) : cooldown;
    if (closed) this.#setState({ ...this.#state, cooldown: next, breaker });
    return closed;
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
    this.#book.heldBack(heldBack ? [...new Set(this.#queue.map(({ run }) => run))] : [], this.#clock.now());
  }

  /** Sends all who wait away. Each gets an error of its own: stacks and causes must not be shared between days. */
  #sendAll(refusal: PipelineError): void {
    const nowMs = this.#clock.now();
    for (const { run, reject } of this.#queue.splice(0)) {
      if (refusal.kind === 'rate_limited') this.#book.sentAway(run, this.#state.cooldown.untilMs, nowMs);
      reject(this.refusal() ?? refusal);
    }
  }

  #grant(nowMs: number): void {
    const waiter = this.#queue.shift();
    if (!waiter) return;
    this.#inFlight += 1;
    this.#book.permit(waiter.run, nowMs);
    this.#state = { ...this.#state, pace: grantPermit(this.#state.pace, nowMs) };
    if (this.#keeper?.isDue(nowMs)) this.keep();
    waiter.grant(this.#permit(waiter.run, nowMs));
  }

  #permit(run: GateRun | null, startedMs: number): Permit {
    let reported = false;
    let released = false;
    const report429 = (headers: PauseHeaders): void => {
      if (reported || released) return;
      reported = true;
      this.#book.rateLimited(run, this.#clock.now());
      this.#apply({ kind: 'rate_limited', retryAfterMs: this.#retryAfterMs(headers) }, startedMs);
    };
    return {
      report429,
      release: (outcome) => {
        if (released) return;
        if (outcome.kind === 'rate_limited') report429(outcome.headers);
        if (outcome.kind === 'unsent') this.#book.unsent(run, startedMs, this.#clock.now());
        released = true;
        this.#inFlight -= 1;
        if (reported) this.#pump();
        else this.#apply(this.#readHeaders(outcome), startedMs);
      },
    };
  }

  #readHeaders(outcome: ReleaseOutcome): RequestOutcome {
    if (outcome.kind === 'rate_limited') {
      return { kind: 'rate_limited', retryAfterMs: this.#retryAfterMs(outcome.headers) };
    }
    if (outcome.kind === 'failure') {
      const retryAfterMs = outcome.headers === null ? null : this.#retryAfterMs(outcome.headers);
      return { kind: 'failure', penalty: outcome.penalty, retryAfterMs };
    }
    if (outcome.kind === 'unsent') return { kind: 'cancelled' };
    return outcome.kind === 'auth_rejected' ? outcome : { kind: outcome.kind };
  }

  #retryAfterMs({ retryAfter, date }: PauseHeaders): number | null {
    return parseRetryAfter(retryAfter, date, this.#clock.now());
  }

  #apply(outcome: RequestOutcome, startedMs: number): void {
    const context: BreakerContext = { startedMs, ...this.#breakerContext() };
    const { nowMs } = context;
    this.#hasSucceeded ||= outcome.kind === 'success';
    const pace = adaptPace(this.#state.pace, outcome, this.config);
    const cooldown = adaptCooldown(this.#state.cooldown, outcome, startedMs, nowMs);
    let breaker = adaptBreaker(this.#state.breaker, outcome, context);
    const tooLong = cooldown.untilMs - nowMs > LONGEST_COOLDOWN_MS || cooldown.inARow >= MOST_COOLDOWNS_IN_A_ROW;
    if (tooLong && (outcome.kind === 'rate_limited' || outcome.kind === 'failure')) {
      const why = `${cooldown.why}; pause ${cooldown.inARow} in a row, until ${new Date(cooldown.untilMs).toISOString()}`;
      breaker = trip(breaker, 'rate_limited_too_long', why, context);
    }
    this.#setState({ pace, cooldown, breaker });
  }

  #breakerContext(): Omit<BreakerContext, 'startedMs'> {
    const nowMs = this.#clock.now();
    const random = this.#random();
    return { nowMs, passWaitMs: this.config.passWaitMs, random, incidentId: incidentId(nowMs, random) };
  }

  #setState(state: RateState): void {
    const urgent = mustKeep(this.#state, state);
    this.#state = state;
    if (urgent) this.keep();
    this.#pump();
  }
}

/** `20250901T120000-3fa2`: when, and four hexadecimal digits against a second one in the same second. */
function incidentId(nowMs: number, random: number): string {
  const stamp = new Date(nowMs).toISOString().slice(0, 19).replaceAll(/[-:]/g, '');
  return `${stamp}-${Math.floor(random * 0x10000)
    .toString(16)
    .padStart(4, '0')}`;
}
