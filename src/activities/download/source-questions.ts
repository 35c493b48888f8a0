/**
 * Questions beside the download itself: the source's count of a range, and a slice once more. Each is one request through the
 * gate. A pause that the source asks for is waited out; what else fails is the caller's to judge, and never ends a day.
 */
import { PipelineError } from '../../core/errors.ts';
import type { Product } from '../../core/product.ts';
import type { Slice } from '../../core/slices.ts';
import type { Gate } from '../../gate/index.ts';
import type { CountAnswer, SliceAnswer } from '../../sources/udl/index.ts';
import { askInHalves } from './capped-slice.ts';
import { exchange } from './exchange.ts';
import type { ExchangeHooks } from './exchange.ts';
import { interval } from './slice-file.ts';
import type { DownloadDependencies } from './types.ts';

/** The source rejects the question (no such endpoint): it need not be asked again. */
export class Uncountable extends Error {}
/** The source did not answer this time. */
export class Unanswered extends Error {}
/** It answered with no number: a page, an error, nothing. */
export class NoNumber extends Unanswered {}

type Answered = Exclude<SliceAnswer, { kind: 'failed' | 'cancelled' }>;

export class SourceQuestions {
  readonly #deps: DownloadDependencies;
  readonly #product: Product;
  readonly #hooks: ExchangeHooks;
  readonly #acquire = (): ReturnType<Gate['acquire']> => this.#deps.gate.acquire(this.#hooks.signal);

  constructor(deps: DownloadDependencies, product: Product, hooks: ExchangeHooks) {
    this.#deps = deps;
    this.#product = product;
    this.#hooks = hooks;
  }

  /** @throws Uncountable; Unanswered, NoNumber; what the gate throws; the signal's reason */
  async count(range: Slice): Promise<number> {
    const answer = await this.#answered(() =>
      exchange(this.#acquire, this.#hooks, (hooks) =>
        this.#deps.source.fetchCount({ product: this.#product, slice: range }, hooks),
      ),
    );
    if (answer.kind === 'uncountable') throw new (answer.isRefused ? Uncountable : NoNumber)(answer.why);
    return answer.records;
  }

  /** The slice's answer, in halves when it may have been cut. @throws as `count` */
  async slice(slice: Slice): Promise<Answered> {
    return await this.#answered(async () =>
      askInHalves(slice, await this.#one(slice), {
        format: this.#product.format,
        ask: (half) => this.#one(half),
        onAgain: (half, { failure: { kind, detail } }) => {
          this.#deps.log?.warn({ slice: interval(half), kind, detail }, 'half of a slice is asked for again');
          return Promise.resolve();
        },
        recycle: (block) => this.#deps.source.recycle(block),
      }),
    );
  }

  #one(slice: Slice): Promise<SliceAnswer> {
    return exchange(this.#acquire, this.#hooks, (hooks) =>
      this.#deps.source.fetchSlice({ product: this.#product, slice }, hooks),
    );
  }

  /** Asks until the source says something else than to wait. */
  async #answered<A extends SliceAnswer | CountAnswer>(
    ask: () => Promise<A>,
  ): Promise<Exclude<A, { kind: 'failed' | 'cancelled' }>> {
    for (;;) {
      const answer = await ask();
      if (answer.kind === 'cancelled') {
        this.#hooks.signal?.throwIfAborted();
        throw new Unanswered('the source was closed');
      }
      if (answer.kind !== 'failed') return answer as Exclude<A, { kind: 'failed' | 'cancelled' }>;
      const { kind, detail } = answer.failure;
      if (kind === 'auth_rejected') throw this.#deps.gate.refusal() ?? new PipelineError('auth_rejected', detail);
      if (kind !== 'rate_limited') throw new Unanswered(detail);
      this.#deps.log?.warn({ kind, detail }, 'the source asks for a pause');
    }
  }
}
