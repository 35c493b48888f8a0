/** The source as the rest of the program sees it: one method that fetches a slice, one that counts, over a few threads. */
import { Worker } from 'node:worker_threads';
import { PipelineError } from '../../core/errors.ts';
import type { Secret } from '../../core/secret.ts';
import type { AnswerHeader, CountAnswer, SliceAnswer, SliceQuery } from './answer.ts';
import type { CountOrder, FetchOrder, FromThread, ThreadSettings, ToThread } from './protocol.ts';
import { countPath, slicePath } from './request.ts';

export interface UdlSourceOptions {
  /** Scheme, host, port, and a path in front of `/udl/…` if there is one. */
  readonly baseUrl: string;
  /** The `Authorization` value, verbatim (UDL-5). */
  readonly token: Secret;
  /** Threads that fetch and scan; default 2. */
  readonly threads?: number;
  /** For connecting and between two pieces of an answer, milliseconds; default 120,000 (UDL-6). */
  readonly requestTimeoutMs?: number;
  /** For a whole exchange, milliseconds; default 600,000. */
  readonly exchangeTimeoutMs?: number;
  /** Largest answer taken, bytes; default 128 MiB. */
  readonly maxBodyBytes?: number;
}

export interface FetchHooks {
  readonly signal?: AbortSignal;
  /** Called as soon as the header of an answer other than 2xx is read, before its body. */
  readonly onHeader?: (header: AnswerHeader) => void;
}

/**
 * Nothing was sent: after the caller got its permit, and before the first byte left, another request was answered with 429, 401
 * or 403. To be asked for again with another permit.
 */
export class HeldBack extends Error {
  override readonly name = 'HeldBack';
}

export interface UdlSource {
  /** Host and port, for messages. */
  readonly host: string;
  /**
   * Sends one request now, and once. Failures of the source are answers too; the caller decides what follows. To be called
   * in the same turn of the event loop in which the permit came.
   *
   * @throws HeldBack
   * @throws PipelineError `invariant_broken` when a thread ends unexpectedly
   */
  fetchSlice(query: SliceQuery, hooks?: FetchHooks): Promise<SliceAnswer>;
  /**
   * Asks, once, how many records the server has in the range that the slice asks for, with the server's own idea of its end.
   *
   * @throws HeldBack
   * @throws PipelineError `invariant_broken` when a thread ends unexpectedly
   */
  fetchCount(query: SliceQuery, hooks?: FetchHooks): Promise<CountAnswer>;
  /**
   * Takes the memory of an answer's block back for later answers, which overwrite it: the block must not be looked at any more.
   * Without it every answer costs fresh megabytes.
   */
  recycle(block: Uint8Array): void;
  /** Milliseconds since the quietest of the threads at work was heard; 0 when none is at work. */
  silentMs(): number;
  /** Cancels what is under way and ends the threads. */
  close(): Promise<void>;
}

/** @throws PipelineError `config_invalid` when the token cannot be a header value or the address is none */
export function createUdlSource(options: UdlSourceOptions): UdlSource {
  const { baseUrl, token } = options;
  if (!/^[\x20-\x7e\t]+$/.test(token.reveal())) {
    throw new PipelineError(
      'config_invalid',
      'The UDL token has characters that no HTTP header can carry, or is empty.',
      {
        hint: 'Set BASICAUTH to the Authorization value on one line, such as "Basic <base64 of user:password>".',
      },
    );
  }
  if (!URL.canParse(baseUrl)) {
    throw new PipelineError('config_invalid', `The address of the UDL, "${baseUrl}", is no URL.`, {
      hint: 'Set UDL_BASE_URL to an address such as https://unifieddatalibrary.com.',
    });
  }
  const url = new URL(baseUrl);
  return new ThreadedSource(url, Math.max(1, options.threads ?? 2), {
    origin: url.origin,
    authorization: token.reveal(),
    requestTimeoutMs: options.requestTimeoutMs ?? 120_000,
    exchangeTimeoutMs: options.exchangeTimeoutMs ?? 600_000,
    maxBodyBytes: options.maxBodyBytes ?? 128 << 20,
    pauses: new Int32Array(new SharedArrayBuffer(4)),
  });
}

class ThreadedSource implements UdlSource {
  readonly host: string;
  readonly #pathPrefix: string;
  readonly #settings: ThreadSettings;
  readonly #threads: FetchThread[];
  /** Whose memory a block is. */
  readonly #owners = new WeakMap<ArrayBufferLike, FetchThread>();
  #nextId = 0;
  /** Pauses that callers have been told of. */
  readonly #told = { pauses: 0 };

  constructor(url: URL, threads: number, settings: ThreadSettings) {
    this.host = url.host;
    this.#pathPrefix = url.pathname.replace(/\/+$/, '');
    this.#settings = settings;
    this.#threads = Array.from({ length: threads }, () => new FetchThread(this.#settings, this.#told));
  }

  async fetchSlice(query: SliceQuery, hooks: FetchHooks = {}): Promise<SliceAnswer> {
    const { pauses } = this.#told;
    const idlest = await this.#idlest();
    const id = (this.#nextId += 1);
    const { slice, product } = query;
    const path = this.#pathPrefix + slicePath(query);
    const answer = (await this.#run(
      idlest,
      { type: 'fetch', id, path, pauses, slice, format: product.format },
      hooks,
    )) as SliceAnswer;
    if (answer.kind === 'data') this.#owners.set(answer.block.buffer, idlest);
    return answer;
  }

  async fetchCount(query: SliceQuery, hooks: FetchHooks = {}): Promise<CountAnswer> {
    const { pauses } = this.#told;
    const id = (this.#nextId += 1);
    const path = this.#pathPrefix + countPath(query);
    return (await this.#run(await this.#idlest(), { type: 'count', id, path, pauses }, hooks)) as CountAnswer;
  }

  /**
   * Of the threads that can send at once. A request that waited for its thread to start would leave long after its permit was
   * given, and so inside a pause that an answer to another one has begun meanwhile (SAFE-2).
   */
  async #idlest(): Promise<FetchThread> {
    const starting = this.#threads.map((thread) => thread.start());
    if (!this.#threads.some(({ isReady }) => isReady)) await Promise.race(starting);
    const ready = this.#threads.filter(({ isReady }) => isReady);
    const choice = ready.length > 0 ? ready : this.#threads;
    return choice.reduce((best, thread) => (thread.underWay < best.underWay ? thread : best));
  }

  async #run(thread: FetchThread, order: FetchOrder | CountOrder, { signal, onHeader }: FetchHooks): Promise<Answer> {
    if (signal?.aborted) return CANCELLED;
    const answer = thread.run(order, onHeader);
    const cancel = (): void => thread.cancel(order.id);
    signal?.addEventListener('abort', cancel, { once: true });
    try {
      return await answer;
    } finally {
      signal?.removeEventListener('abort', cancel);
    }
  }

  recycle({ buffer }: Uint8Array): void {
    const owner = this.#owners.get(buffer);
    this.#owners.delete(buffer);
    if (buffer instanceof SharedArrayBuffer) owner?.recycle(buffer);
  }

  silentMs(): number {
    return Math.max(...this.#threads.map((thread) => thread.silentMs));
  }

  async close(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.close()));
  }
}

/**
 * Of a thread's heap, in MiB. What comes from a socket is short-lived: a small young generation is tidied often and cheaply,
 * before so much has gathered that the whole heap is looked at.
 */
const RESOURCE_LIMITS = { maxYoungGenerationSizeMb: 3 };

/** Of the kind that was asked for. */
type Answer = SliceAnswer | CountAnswer;

const CANCELLED = { kind: 'cancelled', httpStatus: null, bodyBytes: 0, seconds: 0, endedAtMs: 0 } as const;

interface Order {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
  readonly onHeader: ((header: AnswerHeader) => void) | undefined;
}

/** A thread that has been silent for as long after it was asked to stop has hung. */
const CANCEL_WITHIN_MS = 3_000;

/** A thread that is started when first needed, and again after it died. It keeps the process alive only while at work. */
class FetchThread {
  readonly #settings: ThreadSettings;
  readonly #told: { pauses: number };
  readonly #orders = new Map<number, Order>();
  #worker: Worker | null = null;
  #heardAt = 0;
  #closed = false;
  /** Settles when the thread can send, or has ended. */
  #starting = Promise.withResolvers<void>();
  isReady = false;

  /** @param told - how many pauses callers have been told of, by all threads */
  constructor(settings: ThreadSettings, told: { pauses: number }) {
    this.#settings = settings;
    this.#told = told;
  }

  get underWay(): number {
    return this.#orders.size;
  }

  get silentMs(): number {
    return this.#orders.size === 0 ? 0 : performance.now() - this.#heardAt;
  }

  /** Settles when the thread can send at once, or has ended before. */
  async start(): Promise<void> {
    if (this.isReady || this.#closed) return;
    this.#worker ??= this.#start();
    this.#worker.ref();
    await this.#starting.promise;
  }

  run(order: FetchOrder | CountOrder, onHeader: Order['onHeader']): Promise<Answer> {
    if (this.#closed) return Promise.resolve(CANCELLED);
    if (this.#orders.size === 0) this.#heardAt = performance.now();
    return new Promise((resolve, reject) => {
      this.#orders.set(order.id, { resolve, reject, onHeader });
      const worker = (this.#worker ??= this.#start());
      worker.ref();
      this.#send(worker, order);
    });
  }

  /** Asks the thread to stop the exchange. One that is silent and does not answer is ended, with all that it was at. */
  cancel(id: number): void {
    if (!this.#worker || !this.#orders.has(id)) return;
    this.#send(this.#worker, { type: 'cancel', id });
    const worker = this.#worker;
    setTimeout(() => {
      if (this.#orders.has(id) && this.silentMs >= CANCEL_WITHIN_MS) void worker.terminate();
    }, CANCEL_WITHIN_MS).unref();
  }

  recycle(memory: SharedArrayBuffer): void {
    if (this.#worker) this.#send(this.#worker, { type: 'recycle', memory });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#worker?.terminate();
  }

  #send(worker: Worker, message: ToThread): void {
    worker.postMessage(message, []);
  }

  #start(): Worker {
    const worker = new Worker(new URL('./thread.ts', import.meta.url), {
      workerData: this.#settings,
      name: 'udl-fetch',
      resourceLimits: RESOURCE_LIMITS,
    });
    worker.unref();
    let cause: unknown;
    worker.on('message', (message: FromThread) => this.#receive(message));
    worker.on('error', (error) => {
      cause = error;
    });
    worker.on('exit', () => {
      this.#worker = null;
      // What this thread had counted and not told any more must not hold back the others for ever.
      this.#heardOfPauses(Atomics.load(this.#settings.pauses, 0));
      this.isReady = false;
      this.#starting.resolve();
      this.#starting = Promise.withResolvers();
      const orders = [...this.#orders.values()];
      this.#orders.clear();
      const reason = cause instanceof Error ? `: ${cause.message.replace(/\.$/, '')}` : '';
      for (const { resolve, reject } of orders) {
        if (this.#closed) {
          resolve(CANCELLED);
          continue;
        }
        reject(
          new PipelineError('invariant_broken', `A thread that fetches slices ended unexpectedly${reason}.`, { cause }),
        );
      }
    });
    return worker;
  }

  #heardOfPauses(pauses: number): void {
    this.#told.pauses = Math.max(this.#told.pauses, pauses);
  }

  #receive(message: FromThread): void {
    this.#heardAt = performance.now();
    if (message.type === 'ready') {
      this.isReady = true;
      this.#starting.resolve();
      if (this.#orders.size === 0) this.#worker?.unref();
    }
    if (message.type === 'alive' || message.type === 'ready') return;
    if (message.type === 'header') this.#heardOfPauses(message.pauses);
    const order = this.#orders.get(message.id);
    if (!order) return;
    if (message.type === 'header') {
      order.onHeader?.(message.header);
      return;
    }
    this.#orders.delete(message.id);
    if (this.#orders.size === 0) this.#worker?.unref();
    if (message.type === 'held_back') order.reject(new HeldBack('a pause of the source began before the request left'));
    else order.resolve(message.answer);
  }
}
