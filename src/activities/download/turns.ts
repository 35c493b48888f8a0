/**
 * Whose block comes next into the day's file: the slices of a day in order of time, from the disk, or straight from the answer, so
 * that its bytes are written once. What comes before its turn waits in memory while that is worth it, and within bounds.
 */
import type { ArtifactFormat } from '../../core/product.ts';
import type { Slice } from '../../core/slices.ts';
import { sameColumns } from './artifact-body.ts';
import type { SliceFile, SliceHeader } from './slice-file.ts';

/** Blocks of so many slices wait for one before them that is still under way: about as many as other requests are. */
const MOST_WAITING = 3;
/** All blocks that wait, also for nothing but their turn. */
const MOST_BYTES = 32 << 20;
/** Less is written twice rather than lost in a kill. */
const WORTH_WAITING_BYTES = 256 << 10;

/** An answer whose block stands nowhere yet. */
export interface SliceInHand {
  readonly header: SliceHeader;
  readonly block: Uint8Array;
  /** To be called once the whole block stands in the day's file, at this byte. */
  readonly placed: (start: number) => void;
}

export interface Offer {
  /** Whether its turn depends on an answer that is not there yet: it may take its time. */
  readonly isEarly: boolean;
  /** Where the block stands in the day's part file; null when it is to be kept in a file of its own. */
  readonly place: Promise<number | null>;
}

interface Waiting extends SliceInHand {
  readonly isEarly: boolean;
  readonly resolve: (start: number | null) => void;
}

export interface TurnsLimits {
  readonly mostWaiting: number;
  readonly mostBytes: number;
  readonly worthWaitingBytes: number;
}

const LIMITS: TurnsLimits = {
  mostWaiting: MOST_WAITING,
  mostBytes: MOST_BYTES,
  worthWaitingBytes: WORTH_WAITING_BYTES,
};

export class Turns {
  readonly #slices: readonly Slice[];
  readonly #format: ArtifactFormat;
  readonly #done: ReadonlyMap<number, SliceFile>;
  readonly #limits: TurnsLimits;
  /** By start. */
  readonly #offers = new Map<number, Waiting>();
  /** Slices that are not under way, because asking for them brought nothing: nobody waits for them. */
  readonly #late = new Set<number>();
  /** Of the slice whose turn it is. */
  #at = 0;
  #isOpen = false;
  /** Of the day's header, once it stands. */
  #columns: readonly string[] | null = null;
  /** Settles when a slice was finished or is offered. */
  #change = Promise.withResolvers<void>();

  /** @param done - finished slices by start; the owner tells of changes */
  constructor(
    slices: readonly Slice[],
    format: ArtifactFormat,
    done: ReadonlyMap<number, SliceFile>,
    limits: TurnsLimits = LIMITS,
  ) {
    this.#slices = slices;
    this.#format = format;
    this.#done = done;
    this.#limits = limits;
  }

  /** @returns null when the block is to be kept in a file of its own, now */
  offer(header: SliceHeader, block: Uint8Array): Offer | null {
    const { startMs } = header;
    const next = this.#slices[this.#at]?.startMs ?? Infinity;
    if (!this.#isOpen || block.length === 0 || startMs < next || this.#done.has(startMs)) return null;
    const isEarly = this.#gap(startMs) !== null;
    const waiting = [...this.#offers.values()];
    const bytes = waiting.reduce((sum, each) => sum + each.block.length, block.length);
    if (startMs > next && bytes > this.#limits.mostBytes) return null;
    if (isEarly && !this.#mayWait(startMs, block, waiting)) return null;
    const { promise, resolve } = Promise.withResolvers<number | null>();
    const placed = (start: number): void => {
      this.#at += 1;
      this.#settle(startMs, start);
    };
    this.#offers.set(startMs, { header, block, placed, isEarly, resolve });
    this.tell();
    return { isEarly, place: promise };
  }

  #mayWait(startMs: number, { length }: Uint8Array, waiting: readonly Waiting[]): boolean {
    if (length < this.#limits.worthWaitingBytes) return false;
    if (waiting.filter(({ isEarly }) => isEarly).length >= this.#limits.mostWaiting) return false;
    return ![...this.#late].some((late) => late < startMs);
  }

  /** The first slice before `endMs` of which nothing is here. */
  #gap(endMs: number): number | null {
    for (let at = this.#at; at < this.#slices.length; at += 1) {
      const { startMs } = this.#slices[at]!;
      if (startMs >= endMs) return null;
      if (!this.#done.has(startMs) && !this.#offers.has(startMs)) return startMs;
    }
    return null;
  }

  /** A slice is finished. */
  finished(startMs: number): void {
    this.#late.delete(startMs);
    this.tell();
  }

  /** Asking for a slice has brought nothing, or nothing that could be kept: what waits for it goes into files of its own. */
  isLate(startMs: number): void {
    this.#late.add(startMs);
    this.#decline(startMs);
  }

  /** No more answers will come: what waits for one goes into files of its own. */
  endWaiting(): void {
    const gap = this.#gap(Infinity);
    if (gap !== null) this.#decline(gap);
  }

  #decline(afterMs: number): void {
    for (const startMs of this.#offers.keys()) if (startMs > afterMs) this.#settle(startMs, null);
  }

  #settle(startMs: number, start: number | null): void {
    this.#offers.get(startMs)?.resolve(start);
    this.#offers.delete(startMs);
  }

  tell(): void {
    this.#change.resolve();
    this.#change = Promise.withResolvers();
  }

  /**
   * Slices with records, ascending, each as soon as it is there and had its turn. Until its end blocks may be offered.
   *
   * @throws the signal's reason
   */
  async *inOrder(signal: AbortSignal): AsyncGenerator<SliceFile | SliceInHand, void> {
    const aborted = Promise.withResolvers<never>();
    aborted.promise.catch(() => undefined);
    const abort = (): void => aborted.reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    this.#isOpen = true;
    try {
      for (const [at, { startMs }] of this.#slices.entries()) {
        this.#at = at;
        let next = this.#take(startMs);
        while (next === null) {
          signal.throwIfAborted();
          await Promise.race([this.#change.promise, aborted.promise]);
          next = this.#take(startMs);
        }
        if (next.header.counts.records === 0) continue;
        this.#columns ??= next.header.columns;
        yield next;
      }
    } finally {
      signal.removeEventListener('abort', abort);
      this.#isOpen = false;
      this.#decline(-Infinity);
    }
  }

  /** The slice from wherever it is. A block under other columns than the day's is kept as it is first. */
  #take(startMs: number): SliceFile | SliceInHand | null {
    const file = this.#done.get(startMs);
    if (file) return file;
    const offer = this.#offers.get(startMs);
    if (!offer) return null;
    const fits = this.#format === 'json' || sameColumns(offer.header.columns, this.#columns ?? offer.header.columns);
    if (fits) return offer;
    this.#settle(startMs, null);
    return null;
  }
}
