/**
 * What runs in a thread of the source: exchanges under way side by side, scanned one piece at a time, so that a new request
 * leaves and a 429 is told within milliseconds even while a large answer is being scanned.
 */
import { createHash } from 'node:crypto';
import { setPriority } from 'node:os';
import { setImmediate } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { Secret } from '../../core/secret.ts';
import type { CountAnswer, SliceAnswer, SliceData, SliceFailure } from './answer.ts';
import { ExchangeError, createPool, exchange } from './exchange.ts';
import type { ExchangeHeader } from './exchange.ts';
import { createJudge } from './judge.ts';
import { decodeLeniently } from './lenient-decode.ts';
import { endsRequests } from './protocol.ts';
import type { CountOrder, FetchOrder, FromThread, ThreadSettings, ToThread } from './protocol.ts';
import { BufferPool, ownMemory, sharedMemory } from './recycled-buffer.ts';
import type { RecycledBuffer } from './recycled-buffer.ts';
import { PayloadError, RecordScanner } from './scan/record-scanner.ts';

/** About two milliseconds of scanning. */
const RECORDS_PER_STEP = 512;
const ALIVE_EVERY_MS = 1_000;
/** Of 19. */
const NICENESS = 5;
/** Bytes of a count that are looked at: a number and white space. */
const LONGEST_NUMBER = 64;

interface BrokenFacts {
  readonly httpStatus: number | null;
  readonly bodyBytes: number;
}
type BrokenAnswer = BrokenFacts &
  ({ readonly kind: 'cancelled' } | { readonly kind: 'failed'; readonly failure: SliceFailure });

if (!parentPort) throw new Error('src/sources/udl/thread.ts runs as a worker thread only');
// The event loop that beats and gives permits goes first where cores are few. Only Linux means the calling thread alone.
if (process.platform === 'linux') setPriority(NICENESS);
const port = parentPort;
const settings = workerData as ThreadSettings;
const pool = createPool(settings);
const judge = createJudge(new URL(settings.origin).host, new Secret(settings.authorization));
const bodies = new BufferPool(ownMemory);
const blocks = new BufferPool(sharedMemory);
const underWay = new Map<number, UnderWay>();
let lastScan: Promise<unknown> = Promise.resolve();

port.on('message', (message: ToThread) => {
  if (message.type === 'fetch') void serve(message);
  else if (message.type === 'count') void serveCount(message);
  else if (message.type === 'recycle') blocks.takeBack(message.memory);
  else underWay.get(message.id)?.abort.abort();
});

setInterval(() => {
  if (underWay.size > 0) port.postMessage({ type: 'alive' } satisfies FromThread);
}, ALIVE_EVERY_MS);

port.postMessage({ type: 'ready' } satisfies FromThread);

async function serve(order: FetchOrder): Promise<void> {
  const answer = await ask(order, fetchAndScan);
  if (answer) port.postMessage({ type: 'answer', id: order.id, answer } satisfies FromThread);
}

async function serveCount(order: CountOrder): Promise<void> {
  const answer = await ask(order, count);
  if (answer) port.postMessage({ type: 'counted', id: order.id, answer } satisfies FromThread);
}

/** An answer before anybody has looked at the clock. */
type Untimed<A extends SliceAnswer | CountAnswer> = A extends unknown ? Omit<A, 'seconds' | 'endedAtMs'> : never;

interface UnderWay {
  readonly abort: AbortController;
  /** When its header said that no records would come. */
  refusedAt: Moment | null;
}

interface Moment {
  readonly monotonicMs: number;
  readonly posixMs: number;
}

function now(): Moment {
  return { monotonicMs: performance.now(), posixMs: Date.now() };
}

/** @returns null when nothing was sent, which is told */
async function ask<O extends FetchOrder | CountOrder, A extends object>(
  order: O,
  work: (order: O, signal: AbortSignal, body: RecycledBuffer) => Promise<A>,
): Promise<(A & { seconds: number; endedAtMs: number }) | null> {
  const { monotonicMs: startedMs } = now();
  const state: UnderWay = { abort: new AbortController(), refusedAt: null };
  underWay.set(order.id, state);
  const body = bodies.take();
  const answer = await unlessHeldBack(order, () => work(order, state.abort.signal, body));
  bodies.giveBack(body);
  const ended = state.refusedAt ?? now();
  underWay.delete(order.id);
  return answer && { ...answer, seconds: (ended.monotonicMs - startedMs) / 1_000, endedAtMs: ended.posixMs };
}

async function count(order: CountOrder, signal: AbortSignal, body: RecycledBuffer): Promise<Untimed<CountAnswer>> {
  try {
    const header = await send(order, body, signal);
    const facts = { httpStatus: header.status, bodyBytes: body.length };
    const failure = judge.byHeader(header, body.view());
    if (failure) {
      const isRefused = failure.kind === 'request_rejected';
      return isRefused || failure.kind === 'wrong_kind'
        ? { ...facts, kind: 'uncountable', why: failure.detail, isRefused }
        : { ...facts, kind: 'failed', failure };
    }
    const text = Buffer.from(body.view().subarray(0, LONGEST_NUMBER)).toString('latin1').trim();
    if (/^\d{1,15}$/.test(text)) return { ...facts, kind: 'counted', records: Number(text) };
    const { detail } = judge.wrongKind(header, body.view(), 'the answer is no number of records');
    return { ...facts, kind: 'uncountable', why: detail, isRefused: false };
  } catch (error) {
    return await afterBrokenExchange(error, body.view());
  }
}

async function send(
  order: FetchOrder | CountOrder,
  body: RecycledBuffer,
  signal: AbortSignal,
): Promise<ExchangeHeader> {
  const mayLeave = (): boolean => Atomics.load(settings.pauses, 0) === order.pauses;
  return await exchange(pool, settings, order.path, body, signal, mayLeave, ({ status, retryAfter, date }) => {
    const state = underWay.get(order.id);
    if (state) state.refusedAt = now();
    // Heard by all threads at once; the gate hears of it a moment later.
    const more = endsRequests(status) ? 1 : 0;
    const pauses = Atomics.add(settings.pauses, 0, more) + more;
    port.postMessage({
      type: 'header',
      id: order.id,
      header: { status, retryAfter, date },
      pauses,
    } satisfies FromThread);
  });
}

/** @returns null when nothing was sent, which is told */
async function unlessHeldBack<A>(order: FetchOrder | CountOrder, ask: () => Promise<A>): Promise<A | null> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof ExchangeError) || error.kind !== 'held_back') throw error;
    port.postMessage({ type: 'held_back', id: order.id } satisfies FromThread);
    return null;
  }
}

async function fetchAndScan(
  order: FetchOrder,
  signal: AbortSignal,
  body: RecycledBuffer,
): Promise<Untimed<SliceAnswer>> {
  try {
    const header = await send(order, body, signal);
    const facts = { httpStatus: header.status, bodyBytes: body.length };
    const failure = judge.byHeader(header, body.view());
    if (failure) return { ...facts, kind: 'failed', failure };
    try {
      return { ...facts, ...(await inTurn(() => scan(order, body))) };
    } catch (error) {
      if (!(error instanceof PayloadError)) throw error;
      return { ...facts, kind: 'failed', failure: judge.wrongKind(header, body.view(), error.message) };
    }
  } catch (error) {
    return await afterBrokenExchange(error, body.view());
  }
}

/** @param body - what came of it. @throws what is no trouble of the exchange */
async function afterBrokenExchange(error: unknown, body: Uint8Array): Promise<BrokenAnswer> {
  if (!(error instanceof ExchangeError) || error.kind === 'held_back') throw error;
  const facts = { httpStatus: error.header?.status ?? null, bodyBytes: body.length };
  if (error.kind === 'cancelled') return { ...facts, kind: 'cancelled' };
  if (error.kind !== 'undecodable') return { ...facts, kind: 'failed', failure: judge.byError(error, body) };
  const readable = await decodeLeniently(error.header?.contentEncoding ?? null, body, settings.maxBodyBytes);
  return { ...facts, kind: 'failed', failure: judge.undecodable(error, body.slice(), readable) };
}

/** One scan at a time: several would finish together, each with its memory in use and out of the processor's cache. */
function inTurn<T>(work: () => Promise<T>): Promise<T> {
  const turn = lastScan.then(work);
  lastScan = turn.catch(() => undefined);
  return turn;
}

async function scan(order: FetchOrder, body: RecycledBuffer): Promise<SliceData | { readonly kind: 'empty' }> {
  const out = blocks.take();
  let isHandedOver = false;
  try {
    const scanner = new RecordScanner(body, out, order.slice, order.format);
    while (!scanner.step(RECORDS_PER_STEP)) await setImmediate();
    const { received, columns, counts, outside } = scanner.result();
    if (received === 0) return { kind: 'empty' };
    const block = out.bytes.subarray(0, out.length);
    const sha256 = createHash('sha256').update(block).digest('hex');
    isHandedOver = true;
    return { kind: 'data', block, sha256, columns, counts, outside };
  } finally {
    // The memory of a block goes with it, and comes back when it is recycled.
    if (!isHandedOver) blocks.giveBack(out);
  }
}
