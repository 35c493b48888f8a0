/**
 * The gate that the download workers of several hosts share: its state is a row in the database, and no request leaves
 * without a permit from there. What a request said about the source is judged by the rules of `src/core/rate` and put down by
 * compare and set. A database that does not answer gives no permit.
 */
import { CLOSED_BREAKER, failPass, trip } from '../../core/rate/breaker.ts';
import type { BreakerContext } from '../../core/rate/breaker.ts';
import { checkRateConfig } from '../../core/rate/config.ts';
import type { GivenRateConfig, RateConfig } from '../../core/rate/config.ts';
import { LONGEST_COOLDOWN_MS, NO_COOLDOWN } from '../../core/rate/cooldown.ts';
import { judge, resumeFrom } from '../../core/rate/judge.ts';
import type { RequestOutcome } from '../../core/rate/outcome.ts';
import { initialPace } from '../../core/rate/pace.ts';
import type { RateState } from '../../core/rate/restore.ts';
import { PipelineError } from '../../core/errors.ts';
import { systemClock } from '../clock.ts';
import type { Clock } from '../clock.ts';
import { gateOfRun } from '../of-run.ts';
import { createPermit, incidentId } from '../outcome.ts';
import type { GateIdentity } from '../place.ts';
import { ReceiptBook } from '../receipt.ts';
import { refuse } from '../refusal.ts';
import type { Gate, GateRun, GateSnapshot, GateStore, Permit } from '../types.ts';
import { NOBODY, WaitingLine } from '../waiting-line.ts';
import type { Asker } from '../waiting-line.ts';
import { SharedState } from './shared-state.ts';
import type { Change } from './shared-state.ts';
import { AHEAD_MS } from './statements.ts';
import type { FleetStore, Taken } from './store.ts';

export interface FleetGateOptions {
  readonly identity: GateIdentity;
  /** Where the state is. */
  readonly store: FleetStore;
  /** Keeps gates of this machine alone out, and a copy of pauses for them. */
  readonly machine: GateStore;
  /** Called with the gate's id when it is open. */
  readonly onOpen: (id: string) => Promise<void>;
  /** Checked and completed by `checkRateConfig`. */
  readonly config?: GivenRateConfig;
  readonly clock?: Clock;
  /** In [0, 1). */
  readonly random?: () => number;
}

/** A permit that has not been used by then is dropped: so long after a pause was put down requests of other hosts may start. */
export const PERMIT_LIFE_MS = 300;
/** How often a worker is heard of at least; well below `LEASE_MS`. */
const BEAT_MS = 2_000;
/** When other workers have all the requests that may be under way at once. */
const LOOK_AGAIN_MS = 100;
/** A request that ended is told of within this time, so that another worker may have its place. */
const TELL_WITHIN_MS = 20;
const SHORTEST_TIMER_MS = 2;
const MOST_AT_ONCE = 32;

/** @throws PipelineError `config_invalid` */
export function createFleetGate(options: FleetGateOptions): Gate {
  return new FleetGate(options, checkRateConfig(options.config));
}

type TimerName = 'pump' | 'beat' | 'tell';

class FleetGate implements Gate {
  readonly config: RateConfig;
  readonly #options: FleetGateOptions;
  readonly #store: FleetStore;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #shared: SharedState;
  readonly #book = new ReceiptBook();
  readonly #queue = new WaitingLine(() => this.#pump());
  #use: 'new' | 'open' | 'closed' = 'new';
  #opening: Promise<void> | null = null;
  #keeping: Promise<void> = Promise.resolve();
  #inFlight = 0;
  /** Permits that wait for their slot. */
  #reserved = 0;
  #isTaking = false;
  #hasSucceeded = false;
  readonly #timers = new Map<TimerName, () => void>();

  constructor(options: FleetGateOptions, config: RateConfig) {
    this.config = config;
    this.#options = options;
    this.#store = options.store;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    const { maxConcurrentRequests: mostRequests, maxRate } = config;
    const first = { pace: initialPace(config), cooldown: NO_COOLDOWN, breaker: CLOSED_BREAKER };
    this.#shared = new SharedState(this.#store, this.#clock, first, {
      standing: () => ({ inFlight: this.#inFlight + this.#reserved, mostRequests, maxRate }),
      onAnswer: ({ slots }) => (this.#reserved += slots.length),
      onProblem: (problem) => this.#turnAllAway(problem),
      onNews: () => this.#keepOnMachine(),
      onWritten: () => this.#pump(),
    });
  }

  async open(): Promise<void> {
    if (this.#use === 'open') return;
    if (this.#use === 'closed') throw new Error('The gate is closed.');
    this.#opening ??= this.#takeUp().finally(() => {
      this.#opening = null;
    });
    await this.#opening;
  }

  async #takeUp(): Promise<void> {
    const { machine, identity, onOpen } = this.#options;
    const kept = await machine.open();
    try {
      await this.#store.open(identity, this.#shared.now);
      const { others } = await this.#shared.ask();
      await onOpen(this.#store.id);
      if (kept) this.#respect(kept.state.cooldown, kept.state.cooldown.untilMs - kept.keptMs - kept.elapsedMs);
      // Beside others at work it would undo what they have learnt meanwhile.
      if (this.config.startFrom === 'given' && Object.keys(others).length === 0) {
        this.#change((state) => ({ ...state, pace: { ...state.pace, rate: this.config.initialRate } }));
      }
      await this.#shared.write();
      if (this.#shared.problem) throw this.#shared.problem;
    } catch (error) {
      await machine.close();
      throw error;
    }
    if (this.#use === 'closed') return;
    this.#use = 'open';
    this.#after('beat', BEAT_MS, () => this.#beat());
  }

  /** A pause that the source asked this machine for, before hosts shared the gate. */
  #respect({ why, inARow }: RateState['cooldown'], leftMs: number): void {
    const nowMs = this.#shared.mostMs;
    if (leftMs <= 0) return;
    const context = this.#context();
    this.#change((state) => {
      if (state.cooldown.untilMs >= nowMs + leftMs) return state;
      const cooldown = { untilMs: nowMs + leftMs, setMs: nowMs, inARow, why };
      // Nobody has been asked about it yet.
      const isLong = leftMs > LONGEST_COOLDOWN_MS;
      return {
        ...state,
        cooldown,
        breaker: isLong ? trip(state.breaker, 'rate_limited_too_long', why, context) : state.breaker,
      };
    });
  }

  async close(): Promise<void> {
    if (this.#use === 'closed') return;
    await this.#opening?.catch(() => undefined);
    const wasOpen = this.#use === 'open';
    this.#use = 'closed';
    for (const stop of this.#timers.values()) stop();
    this.#timers.clear();
    for (const waiter of this.#queue.dismiss()) waiter.reject(new Error('The gate is closed.'));
    this.#shared.close();
    if (wasOpen) {
      await this.#shared.write();
      await this.keep();
    }
    await this.#store.close();
    if (wasOpen) await this.#options.machine.close();
  }

  keep(): Promise<void> {
    // One after the other: an earlier count that came late would take the place of a later one.
    this.#keeping = this.#keeping.then(() => this.#keepNow());
    return this.#keeping;
  }

  async #keepNow(): Promise<void> {
    if (this.#use === 'new') return;
    const nowMs = this.#clock.now();
    const { total, runs } = this.#book.receipts(nowMs);
    // The next one tells the same and more.
    await this.#store.putReceipts(total, runs, nowMs).catch(() => undefined);
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
      if (this.#use === 'open') this.#pump();
      else
        this.open().then(
          () => this.#pump(),
          (error: Error) => this.#queue.turnAway(waiter, error),
        );
    });
  }

  refusal(): PipelineError | null {
    const { problem, here } = this.#shared;
    if (problem) return anew(problem);
    return refuse(here, this.#clock.now(), this.#random(), this.config.waitInsideMs);
  }

  snapshot(): GateSnapshot {
    return this.#snapshot(null);
  }

  #snapshot(run: GateRun | null): GateSnapshot {
    const nowMs = this.#clock.now();
    const { pace, cooldown, breaker } = this.#shared.here;
    return {
      rate: Math.min(pace.rate, this.config.maxRate),
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
    const context = this.#context();
    this.#change((state) => ({ ...state, breaker: failPass(state.breaker, context) }));
  }

  async closeIncident(id: string): Promise<boolean> {
    await this.open();
    // Another worker may have closed or opened one since.
    await this.#shared.ask();
    let closed = false;
    const nowMs = this.#shared.mostMs;
    this.#change((state) => {
      const next = resumeFrom(state, id, nowMs);
      closed = next !== null;
      return next ?? state;
    });
    await this.#shared.write();
    if (this.#shared.problem) throw anew(this.#shared.problem);
    return closed;
  }

  #context(): Omit<BreakerContext, 'startedMs'> {
    const nowMs = this.#shared.mostMs;
    const random = this.#random();
    return { nowMs, passWaitMs: this.config.passWaitMs, random, incidentId: incidentId(nowMs, random) };
  }

  /** Nobody gets a permit until the database answers again. */
  #turnAllAway(problem: PipelineError): void {
    for (const { reject } of this.#queue.dismiss()) reject(anew(problem));
  }

  /** Asks for permits as long as somebody waits and nothing known is in the way. */
  #pump(): void {
    if (this.#use !== 'open') return;
    this.#stop('pump');
    const nowMs = this.#clock.now();
    if (this.#queue.length === 0) {
      this.#book.heldBack([], nowMs);
      return;
    }
    const { isUrgent, problem, now } = this.#shared;
    if (isUrgent && problem) this.#turnAllAway(problem);
    // Each of these ends in another call.
    const { maxConcurrentRequests: most } = this.config;
    if (isUrgent || this.#isTaking || this.#reserved > 0 || this.#inFlight >= most) return;
    // What is refused is asked for all the same: another worker may have changed that.
    const pausedMs = this.refusal() ? 0 : now.cooldown.untilMs - this.#shared.leastMs;
    if (pausedMs > 0) {
      this.#book.heldBack(this.#queue.runs, nowMs);
      this.#after('pump', pausedMs, () => this.#pump());
    } else void this.#take();
  }

  async #take(): Promise<void> {
    this.#isTaking = true;
    this.#stop('tell');
    let sentMs = 0;
    let taken: Taken;
    try {
      taken = await this.#shared.ask(() => {
        sentMs = this.#clock.now();
        return Math.min(this.#queue.length, this.config.maxConcurrentRequests - this.#inFlight, MOST_AT_ONCE);
      });
    } catch {
      return;
    } finally {
      this.#isTaking = false;
    }
    if (this.#use !== 'open') return;
    if (taken.slots.length === 0) {
      this.#waitFor(taken);
      return;
    }
    this.#book.heldBack([], this.#clock.now());
    const all = [...taken.recent, ...taken.slots];
    for (const slot of taken.slots) {
      const inSecond = all.filter((at) => at > slot - 1_000 && at <= slot).length;
      const use = (): void => this.#useSlot(slot, inSecond, sentMs);
      const delayMs = slot - this.#shared.leastMs;
      if (delayMs <= 0) use();
      else this.#clock.after(delayMs, use);
    }
  }

  /** No permit was given: waits for the next, or says why there is none to wait for. */
  #waitFor({ nextMs, room, nowMs }: Taken): void {
    const refusal = this.refusal();
    if (refusal) {
      for (const { run, reject } of this.#queue.dismiss()) {
        if (refusal.kind === 'rate_limited') {
          const { untilMs } = this.#shared.here.cooldown;
          this.#book.sentAway(run, untilMs, this.#clock.now());
        }
        reject(this.refusal() ?? anew(refusal));
      }
      return;
    }
    const pausedMs = this.#shared.now.cooldown.untilMs - nowMs;
    const paceMs = nextMs - AHEAD_MS / 2 - nowMs;
    const held = pausedMs > 0 || room > 0;
    this.#book.heldBack(held ? this.#queue.runs : [], this.#clock.now());
    const waitMs = room > 0 ? Math.max(pausedMs, paceMs) : Math.max(pausedMs, LOOK_AGAIN_MS);
    this.#after('pump', Math.max(waitMs, SHORTEST_TIMER_MS), () => this.#pump());
  }

  /** The slot of a permit has come: it goes to who waits first, unless a pause began meanwhile or it came too late. */
  #useSlot(slotMs: number, inSecond: number, sentMs: number): void {
    this.#reserved -= 1;
    const nowMs = this.#clock.now();
    const { isUrgent, now, leastMs } = this.#shared;
    const isPaused = isUrgent || now.cooldown.untilMs > leastMs || this.refusal() !== null;
    const isUsable = this.#use === 'open' && !isPaused && nowMs - sentMs <= PERMIT_LIFE_MS;
    const waiter = isUsable ? this.#queue.next() : undefined;
    if (waiter) {
      this.#inFlight += 1;
      this.#book.permit(waiter.run, nowMs, inSecond);
      waiter.grant(this.#permit(waiter.run, Math.max(slotMs, leastMs), nowMs));
    } else this.#tellSoon();
    if (this.#reserved === 0) this.#pump();
  }

  #permit(run: GateRun | null, startedMs: number, atMs: number): Permit {
    return createPermit({
      now: () => this.#clock.now(),
      on429: (outcome) => {
        this.#book.rateLimited(run, this.#clock.now());
        this.#judge(outcome, startedMs);
      },
      onUnsent: () => this.#book.unsent(run, atMs, this.#clock.now()),
      onReleased: (outcome) => {
        this.#inFlight -= 1;
        this.#tellSoon();
        if (outcome) this.#judge(outcome, startedMs);
        else this.#pump();
      },
    });
  }

  #judge(outcome: RequestOutcome, startedMs: number): void {
    this.#hasSucceeded ||= outcome.kind === 'success';
    const context = { startedMs, ...this.#context() };
    this.#change((state) => judge(state, outcome, context, this.config));
  }

  #change(change: Change): void {
    const kept = this.#shared.change(change);
    if (kept) this.#keepOnMachine();
    this.#pump();
  }

  /** A gate of this machine alone that comes next must not forget the pause. */
  #keepOnMachine(): void {
    const { pace, cooldown } = this.#shared.here;
    const nothing = { requests: 0, rateLimited: 0, secondsWaited: 0, worstSecond: 0 };
    const state = { pace, cooldown, breaker: CLOSED_BREAKER, receipts: { total: nothing, runs: [] } };
    try {
      void this.#options.machine.save(state, this.#clock.now());
    } catch {
      // The database is what counts for this gate.
    }
  }

  #tellSoon(): void {
    if (this.#use !== 'open' || this.#timers.has('tell')) return;
    this.#after('tell', TELL_WITHIN_MS, () => void this.#shared.ask().catch(() => undefined));
  }

  /** Says that this worker lives and what it has counted, and hears what others did. */
  #beat(): void {
    const again = (): void => {
      if (this.#use !== 'open') return;
      this.#after('beat', BEAT_MS, () => this.#beat());
      this.#pump();
    };
    Promise.all([this.#shared.ask(), this.keep()]).then(again, again);
  }

  #after(name: TimerName, delayMs: number, run: () => void): void {
    this.#stop(name);
    const stop = this.#clock.after(delayMs, () => {
      this.#timers.delete(name);
      run();
    });
    this.#timers.set(name, stop);
  }

  #stop(name: TimerName): void {
    this.#timers.get(name)?.();
    this.#timers.delete(name);
  }
}

/** Each waiter gets an error of its own: stacks and causes must not be shared between days. */
function anew(error: PipelineError): PipelineError {
  const { kind, message, hint, context, retryAfterMs } = error;
  return new PipelineError(kind, message, {
    context,
    ...(hint !== undefined && { hint }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
    cause: error,
  });
}
