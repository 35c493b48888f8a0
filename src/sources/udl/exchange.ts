/** One HTTP exchange into a recycled buffer. Follows no redirect, tries once, knows nothing of what the body means. */
import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate, zstdDecompress } from 'node:zlib';
import { Pool } from 'undici';
import type { Dispatcher } from 'undici';
import type { ThreadSettings } from './protocol.ts';
import type { RecycledBuffer } from './recycled-buffer.ts';

export interface ExchangeHeader {
  readonly status: number;
  readonly contentType: string | null;
  readonly contentEncoding: string | null;
  readonly location: string | null;
  readonly retryAfter: string | null;
  readonly date: string | null;
}

/** No answer, or not all of it. `header` is there when it had come before. */
export class ExchangeError extends Error {
  override readonly name = 'ExchangeError';
  /** `undecodable`: all came, but its encoding cannot be undone. */
  readonly kind: 'timeout' | 'connection_failed' | 'undecodable' | 'too_large' | 'cancelled' | 'held_back';
  readonly header: ExchangeHeader | null;

  constructor(kind: ExchangeError['kind'], message: string, header: ExchangeHeader | null) {
    super(message);
    this.kind = kind;
    this.header = header;
  }
}

/** Of an error's body only the beginning is of interest. */
const ERROR_BODY_BYTES = 64 << 10;
/** A server's word on the length is believed up to here; the rest grows as it comes. */
const LARGEST_RESERVE_BYTES = 16 << 20;
/** Sockets per thread; the gate keeps the number of requests below. */
const MOST_CONNECTIONS = 64;

const TIMEOUT_CODES = new Set(['UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT']);

export function createPool(settings: ThreadSettings): Pool {
  const timeout = settings.requestTimeoutMs;
  return new Pool(settings.origin, {
    connections: MOST_CONNECTIONS,
    pipelining: 1,
    allowH2: false,
    headersTimeout: timeout,
    bodyTimeout: timeout,
    connect: { timeout },
  });
}

/**
 * Sends one GET and reads the answer into `body`, decoded when the server compressed it unasked.
 *
 * @param mayLeave - asked when a connection is there, right before the first byte is sent
 * @param onHeader - called as soon as the header of an answer other than 2xx is read
 * @throws ExchangeError
 */
export async function exchange(
  pool: Pool,
  settings: ThreadSettings,
  path: string,
  body: RecycledBuffer,
  signal: AbortSignal,
  mayLeave: () => boolean,
  onHeader: (header: ExchangeHeader) => void,
): Promise<ExchangeHeader> {
  const header = await new Promise<ExchangeHeader>((resolve, reject) => {
    const handler = new ExchangeHandler(settings, body, mayLeave, onHeader, resolve, reject);
    const timer = setTimeout(() => {
      handler.stop('timeout', `the answer took longer than ${settings.exchangeTimeoutMs / 1_000} s`);
    }, settings.exchangeTimeoutMs);
    const onAbort = (): void => handler.stop('cancelled', 'cancelled');
    handler.onSettled = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    else pool.dispatch({ method: 'GET', path, headers: { authorization: settings.authorization } }, handler);
  });
  await decode(header, body, settings.maxBodyBytes);
  return header;
}

class ExchangeHandler implements Dispatcher.DispatchHandler {
  onSettled: () => void = () => undefined;
  readonly #settings: ThreadSettings;
  readonly #body: RecycledBuffer;
  readonly #mayLeave: () => boolean;
  readonly #onHeader: (header: ExchangeHeader) => void;
  readonly #resolve: (header: ExchangeHeader) => void;
  readonly #reject: (error: ExchangeError) => void;
  #controller: Dispatcher.DispatchController | null = null;
  #header: ExchangeHeader | null = null;
  #settled = false;

  constructor(
    settings: ThreadSettings,
    body: RecycledBuffer,
    mayLeave: () => boolean,
    onHeader: (header: ExchangeHeader) => void,
    resolve: (header: ExchangeHeader) => void,
    reject: (error: ExchangeError) => void,
  ) {
    this.#settings = settings;
    this.#body = body;
    this.#mayLeave = mayLeave;
    this.#onHeader = onHeader;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    // Stopped while it waited for a connection.
    if (this.#settled) controller.abort(new Error('stopped'));
    else if (!this.#mayLeave()) this.stop('held_back', 'a pause began before the request left');
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    // 1xx answers announce the real one.
    if (this.#settled || status < 200) return;
    const text = (name: string): string | null => [headers[name]].flat()[0] ?? null;
    this.#header = {
      status,
      contentType: text('content-type'),
      contentEncoding: text('content-encoding'),
      location: text('location'),
      retryAfter: text('retry-after'),
      date: text('date'),
    };
    if (!isSuccess(status)) this.#onHeader(this.#header);
    const announced = Number(text('content-length') ?? 0);
    if (announced > 0) this.#body.reserve(Math.min(announced, LARGEST_RESERVE_BYTES));
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Uint8Array): void {
    if (this.#settled || !this.#header) return;
    if (!isSuccess(this.#header.status)) {
      const room = ERROR_BODY_BYTES - this.#body.length;
      this.#body.append(chunk.subarray(0, room));
      if (chunk.length >= room) {
        this.#finish();
        controller.abort(new Error('enough of an error'));
      }
    } else if (this.#body.length + chunk.length > this.#settings.maxBodyBytes) {
      this.stop('too_large', `the answer is larger than ${this.#settings.maxBodyBytes} bytes`);
    } else this.#body.append(chunk);
  }

  onResponseEnd(): void {
    this.#finish();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
    const message = [code, error.message].filter((part) => part !== '').join(': ');
    this.#settle(() =>
      this.#reject(new ExchangeError(TIMEOUT_CODES.has(code) ? 'timeout' : 'connection_failed', message, this.#header)),
    );
  }

  /** Ends the exchange from our side. */
  stop(kind: ExchangeError['kind'], message: string): void {
    this.#settle(() => this.#reject(new ExchangeError(kind, message, this.#header)));
    this.#controller?.abort(new Error(message));
  }

  #finish(): void {
    const header = this.#header;
    if (!header) {
      this.stop('connection_failed', 'the answer has no header');
      return;
    }
    this.#settle(() => this.#resolve(header));
  }

  #settle(settle: () => void): void {
    if (this.#settled) return;
    this.#settled = true;
    this.onSettled();
    settle();
  }
}

export function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}

const DECODERS: Readonly<Record<string, (body: Uint8Array, options: { maxOutputLength: number }) => Promise<Buffer>>> =
  {
    gzip: promisify(gunzip),
    'x-gzip': promisify(gunzip),
    deflate: promisify(inflate),
    br: promisify(brotliDecompress),
    zstd: promisify(zstdDecompress),
  };

/** We ask for no compression; a proxy may compress all the same. */
async function decode(header: ExchangeHeader, body: RecycledBuffer, maxOutputLength: number): Promise<void> {
  try {
    const decoded = await decodeBody(header.contentEncoding, body.view(), maxOutputLength);
    if (decoded === null) return;
    body.length = 0;
    body.append(decoded);
  } catch (error) {
    throw new ExchangeError('undecodable', (error as Error).message, header);
  }
}

/** @returns null when there is nothing to undo. @throws Error that says what is wrong */
export async function decodeBody(
  contentEncoding: string | null,
  body: Uint8Array,
  maxOutputLength: number,
): Promise<Uint8Array | null> {
  const encoding = contentEncoding?.trim().toLowerCase() ?? 'identity';
  if (encoding === 'identity' || encoding === '' || body.length === 0) return null;
  const decoder = DECODERS[encoding];
  if (!decoder) throw new Error(`unknown content encoding "${encoding.slice(0, 40)}"`);
  try {
    return await decoder(body, { maxOutputLength });
  } catch (error) {
    throw new Error(`the ${encoding} body cannot be decoded: ${(error as Error).message}`, { cause: error });
  }
}
