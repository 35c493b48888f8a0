/**
 * Encodes days in threads, one day in each at a time, so that several use several cores and the caller's event loop is free for
 * heartbeats. A thread that ended its day well waits a while for the next one.
 */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { PipelineError } from '../../core/errors.ts';
import type { EncodeAnswer, EncodedDay, EncodeRequest } from './thread-protocol.ts';

/** More than these a disk hardly keeps up with; each holds about 100 MB. */
const MOST_THREADS = 4;

/** Days worth encoding at once on this machine. */
export const ENCODERS = Math.min(MOST_THREADS, availableParallelism());

/** Limits of a thread's heap, in MiB. Values live outside it. */
const RESOURCE_LIMITS = { maxOldGenerationSizeMb: 256, maxYoungGenerationSizeMb: 16 };

/** Then a thread without work is ended, and its memory is given back. */
const IDLE_MS = 5_000;

const idle = new Map<Worker, NodeJS.Timeout>();

/**
 * @returns the day, or what stands in its way, a line each
 * @throws errors of the file system; PipelineError `invariant_broken` when the thread died
 */
export async function encodeInThread(request: EncodeRequest): Promise<EncodedDay | string[]> {
  const worker = takeIdle() ?? start();
  const { promise, resolve, reject } = Promise.withResolvers<EncodeAnswer>();
  const onExit = (): void => reject(died(new Error('it ended without an answer')));
  const onError = (error: unknown): void => reject(died(error));
  worker.on('message', resolve).on('error', onError).on('exit', onExit);
  try {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread of Node, not a window
    worker.postMessage(request);
    const answer = await promise;
    keepIdle(worker);
    if (answer.kind === 'encoded') return answer.encoded;
    if (answer.kind === 'differs') return answer.differences;
    const { message, code, stack } = answer;
    throw Object.assign(new Error(message, { cause: stack }), code === undefined ? {} : { code });
  } finally {
    worker.off('message', resolve).off('error', onError).off('exit', onExit);
  }
}

function start(): Worker {
  const worker = new Worker(new URL('./thread.ts', import.meta.url), {
    name: 'reach-zarr',
    resourceLimits: RESOURCE_LIMITS,
  });
  // Told to the day under way, if there is one; a thread that dies while it waits is missed by nobody.
  worker.on('error', () => undefined);
  worker.on('exit', () => forget(worker));
  return worker;
}

function takeIdle(): Worker | undefined {
  const [worker] = idle.keys();
  if (!worker) return undefined;
  forget(worker);
  worker.ref();
  return worker;
}

function forget(worker: Worker): void {
  clearTimeout(idle.get(worker));
  idle.delete(worker);
}

/** The program may end while it waits. */
function keepIdle(worker: Worker): void {
  worker.unref();
  const end = (): void => {
    forget(worker);
    void worker.terminate();
  };
  idle.set(worker, setTimeout(end, IDLE_MS).unref());
}

function died(cause: unknown): PipelineError {
  return new PipelineError('invariant_broken', `A thread that encodes days died: ${(cause as Error).message}`, {
    hint: 'If memory was short, give the worker more; otherwise this is a bug: please report it with the days of the sync.',
    cause,
  });
}
