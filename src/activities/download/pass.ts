/**
 * One pass over the missing slices of a day: each is asked for at most once, except after a 429, which is no failure, and in
 * halves, a failed one up to three times, when the answer may have been cut.
 * Failed slices are left, the others finished, until the gate refuses or a slice is beyond help.
 */
import { PipelineError, isPipelineError } from '../../core/errors.ts';
import type { Product } from '../../core/product.ts';
import { PASSES_TRIP } from '../../core/rate/breaker.ts';
import type { Slice } from '../../core/slices.ts';
import type { Permit } from '../../gate/index.ts';
import type { SliceAnswer } from '../../sources/udl/index.ts';
import { explainFsError, errorCode } from '../../storage/folders.ts';
import { askInHalves } from './capped-slice.ts';
import { exchange } from './exchange.ts';
import type { ExchangeHooks } from './exchange.ts';
import { interval } from './slice-file.ts';
import { MOST_SLICE_FAILURES } from './slice-store.ts';
import type { SliceStore } from './slice-store.ts';
import type { DownloadDependencies } from './types.ts';

type Failed = Extract<SliceAnswer, { kind: 'failed' }>;

export interface PassHooks extends ExchangeHooks {
  /** A slice is finished. */
  readonly onSlice: () => void;
}

export interface PassResult {
  /** Slices that have failed as often as they may. */
  readonly exhausted: readonly Slice[];
  /** The latest failure's detail; null when nothing failed. */
  readonly lastFailure: string | null;
  /** What ended the pass before every missing slice was asked for; null when nothing did. */
  readonly stopped: Error | null;
}

export async function runPass(
  deps: DownloadDependencies,
  product: Product,
  store: SliceStore,
  hooks: PassHooks,
): Promise<PassResult> {
  const pass = new Pass(deps, product, store, hooks);
  await pass.run();
  return pass;
}

/** Failed passes in a row after which a finished slice is worth a request: two more would stop the run. */
const WITNESS_MAY_REPEAT = PASSES_TRIP - 2;

class Pass implements PassResult {
  readonly exhausted: Slice[] = [];
  lastFailure: string | null = null;
  stopped: Error | null = null;
  readonly #deps: DownloadDependencies;
  readonly #product: Product;
  readonly #store: SliceStore;
  readonly #signal: AbortSignal | undefined;
  readonly #hooks: PassHooks;
  readonly #queue: Slice[];
  /** In a row, of all days, when a slice was last taken. */
  #failedPasses: number;
  #isOver = false;
  /** Slices that wait for one before them while others are asked for. */
  readonly #early: Promise<void>[] = [];
  /** Ends waiting at the gate when the pass is stopped; requests under way are finished and kept. */
  readonly #waiting = new AbortController();

  constructor(deps: DownloadDependencies, product: Product, store: SliceStore, hooks: PassHooks) {
    this.#deps = deps;
    this.#product = product;
    this.#store = store;
    this.#signal = hooks.signal;
    this.#hooks = hooks;
    this.#queue = store.toAsk;
    this.#failedPasses = deps.gate.snapshot().failedPasses;
  }

  async run(): Promise<void> {
    const cancel = (): void => this.#stop(this.#signal?.reason);
    if (this.#signal?.aborted) cancel();
    this.#signal?.addEventListener('abort', cancel, { once: true });
    try {
      await this.#askWitness();
      const runners = Math.min(this.#deps.gate.config.maxConcurrentRequests, this.#queue.length);
      await Promise.all(Array.from({ length: runners }, () => this.#runner()));
    } finally {
      this.#store.endWaiting();
      await Promise.all(this.#early);
      this.#signal?.removeEventListener('abort', cancel);
    }
  }

  /**
   * After passes that failed, one slice is asked for alone and first: when it is answered, the source does not fail as a whole,
   * and a row of slices that are bad for good is no reason to stop (ADR 0014).
   */
  async #askWitness(): Promise<void> {
    const { gate, source } = this.#deps;
    const witness = this.#witness();
    if (this.stopped || !witness) return;
    try {
      const permit = await gate.acquire(this.#waiting.signal);
      if (!this.#store.has(witness)) {
        this.#queue.splice(this.#queue.indexOf(witness), 1);
        await this.#ask(witness, permit);
        return;
      }
      const answer = await this.#exchange(witness, permit);
      const facts = { slice: interval(witness), answer: answer.kind };
      this.#deps.log?.info(facts, 'a finished slice once more, to see whether the source fails as a whole');
      if (answer.kind === 'data') source.recycle(answer.block);
      if (answer.kind !== 'failed') return;
      this.lastFailure = answer.failure.detail;
      await this.#store.noteFailure(witness, answer, source.host);
    } catch (error) {
      this.#stop(error);
    }
  }

  #witness(): Slice | null {
    const { failedPasses, probing } = this.#deps.gate.snapshot();
    if (failedPasses === 0 && !probing) return null;
    const { fresh, finished } = this.#store.witnesses;
    if (failedPasses >= WITNESS_MAY_REPEAT) return finished ?? fresh;
    return probing ? (fresh ?? finished) : fresh;
  }

  async #runner(): Promise<void> {
    try {
      for (let slice = this.#next(); slice; slice = this.#next()) {
        const permit = await this.#deps.gate.acquire(this.#waiting.signal);
        await this.#ask(slice, permit);
      }
    } catch (error) {
      this.#stop(error);
    }
  }

  /** None once the gate's pass has ended, also when the gate is open again by the time somebody asks. */
  #next(): Slice | undefined {
    const { failedPasses } = this.#deps.gate.snapshot();
    this.#isOver ||= failedPasses > this.#failedPasses;
    this.#failedPasses = failedPasses;
    return this.stopped || this.#isOver ? undefined : this.#queue.shift();
  }

  /** The first reason counts. */
  #stop(reason: unknown): void {
    if (this.stopped) return;
    this.stopped = reason instanceof Error ? reason : new Error(String(reason));
    this.#waiting.abort(this.stopped);
  }

  async #ask(slice: Slice, permit: Permit): Promise<void> {
    let asked = slice;
    const answer = await askInHalves(slice, await this.#exchange(slice, permit), {
      format: this.#product.format,
      ask: async (half) => {
        this.#deps.log?.info(
          { slice: interval(half) },
          'half of a slice with as many records as a server may give at most',
        );
        asked = half;
        return this.#exchange(half);
      },
      onAgain: async (half, failed) => {
        await this.#note(slice, failed);
        this.#deps.log?.warn(this.#factsOf(half, failed), 'half of a slice is asked for again');
      },
      recycle: (block) => this.#deps.source.recycle(block),
    });
    if (answer.kind === 'failed') await this.#failed(slice, answer, asked);
    else if (answer.kind !== 'cancelled') {
      const { isEarly, kept } = this.#store.keep(slice, answer);
      const ended = this.#ended(answer, kept);
      if (isEarly) this.#early.push(ended.catch((error: unknown) => this.#stop(error)));
      else await ended;
    }
  }

  /** @throws PipelineError `disk_full` */
  async #ended(answer: SliceAnswer, kept: Promise<unknown>): Promise<void> {
    await kept.catch((error: unknown) => {
      throw storageError(error);
    });
    if (answer.kind === 'data') this.#deps.source.recycle(answer.block);
    this.#hooks.onSlice();
  }

  #exchange(slice: Slice, permit?: Permit): Promise<SliceAnswer> {
    const { gate, source } = this.#deps;
    return exchange(
      () => gate.acquire(this.#waiting.signal),
      this.#hooks,
      (hooks) => source.fetchSlice({ product: this.#product, slice }, hooks),
      permit,
    );
  }

  async #note(slice: Slice, answer: Failed): Promise<void> {
    await this.#store.noteFailure(slice, answer, this.#deps.source.host).catch((error: unknown) => {
      throw storageError(error);
    });
  }

  #factsOf(slice: Slice, { failure: { kind, detail } }: Failed) {
    return { slice: interval(slice), kind, detail, rate: this.#deps.gate.snapshot().rate };
  }

  async #failed(slice: Slice, answer: Failed, asked: Slice): Promise<void> {
    const { failure } = answer;
    await this.#note(slice, answer);
    const facts = this.#factsOf(slice, answer);
    if (failure.kind === 'rate_limited') {
      this.#deps.log?.warn(facts, 'the source asks for a pause');
      this.#queue.unshift(slice);
      return;
    }
    this.lastFailure = failure.detail;
    if (failure.kind === 'auth_rejected') {
      this.#stop(this.#deps.gate.refusal() ?? new PipelineError('auth_rejected', failure.detail));
      return;
    }
    const failures = await this.#store.fail(slice, answer, asked).catch((error: unknown) => {
      throw storageError(error);
    });
    this.#deps.log?.warn({ ...facts, failures, most: MOST_SLICE_FAILURES }, 'slice failed');
    if (failure.kind === 'request_rejected') {
      this.#stop(
        new PipelineError('slice_exhausted', `The source rejects the slice ${interval(slice)}: ${failure.detail}`, {
          hint: 'Asking again does not help. Check UDL_BASE_URL, the sensor and the descriptor, then run with --retry-failed.',
        }),
      );
    } else if (failures >= MOST_SLICE_FAILURES) this.exhausted.push(slice);
  }
}

/** An error of the file system as the pipeline's own where the operator can do something. */
export function storageError(error: unknown): unknown {
  const code = errorCode(error);
  if (isPipelineError(error) || (code !== 'ENOSPC' && code !== 'EDQUOT')) return error;
  return new PipelineError('disk_full', `The download cannot be written: ${explainFsError(error)}.`, {
    hint: 'Free some space (a full day needs about 0.6 GB while it is fetched, and twice that after failures), then resume the run: finished slices are kept.',
    cause: error,
  });
}
