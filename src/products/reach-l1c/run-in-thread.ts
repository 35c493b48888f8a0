/**
 * Runs a task in a thread of its own, so that the caller's event loop is free for heartbeats meanwhile. A thread that ended its
 * task well waits for the next one: it keeps its compiled code and its memory, half a second of a day's work.
 */
import { Worker } from 'node:worker_threads';
import { PipelineError } from '../../core/errors.ts';
import { newAbortFlag, raiseAbort } from './thread-protocol.ts';
import type { ThreadInput, ThreadMessage, ThreadTask } from './thread-protocol.ts';
import type { TaskHooks } from './types.ts';

/** Limits of the thread's heap, in MiB. Records live outside it; small young generations keep the process small. */
const RESOURCE_LIMITS = { maxOldGenerationSizeMb: 1024, maxYoungGenerationSizeMb: 16 };

/** A thread looks at the abort flag several times a second; one that has not ended by then hangs, and is ended. */
const STOP_WITHIN_MS = 3_000;

/** Then a thread without work is ended, and its memory is given back. */
const IDLE_MS = 60_000;

let idle: { readonly worker: Worker; readonly ending: NodeJS.Timeout } | null = null;

/**
 * @returns what the task returned
 * @throws the signal's reason when aborted; PipelineError of the task; `invariant_broken` when the thread died. The thread
 *   has ended then
 */
export async function runInThread(task: ThreadTask, { onProgress, signal }: TaskHooks): Promise<unknown> {
  signal?.throwIfAborted();
  const abortFlag = newAbortFlag();
  const worker = takeIdle() ?? start();
  worker.postMessage({ task, abortFlag } satisfies ThreadInput, []);
  let ending: NodeJS.Timeout | undefined;
  const abort = (): void => {
    raiseAbort(abortFlag);
    ending = setTimeout(() => void worker.terminate(), STOP_WITHIN_MS).unref();
  };
  signal?.addEventListener('abort', abort, { once: true });
  try {
    const answer = await answerOf(worker, onProgress);
    if (answer?.kind === 'done') keepIdle(worker);
    return resultOf(answer, signal);
  } catch (error) {
    if (error instanceof PipelineError || signal?.aborted === true) throw error;
    throw died(error);
  } finally {
    clearTimeout(ending);
    signal?.removeEventListener('abort', abort);
  }
}

function start(): Worker {
  const worker = new Worker(new URL('./thread.ts', import.meta.url), {
    name: 'reach-build',
    resourceLimits: RESOURCE_LIMITS,
  });
  // Told to the task under way, if there is one; a thread that dies while it waits is missed by nobody.
  worker.on('error', () => undefined);
  worker.on('exit', () => {
    if (idle?.worker === worker) takeIdle();
  });
  return worker;
}

function takeIdle(): Worker | null {
  if (idle === null) return null;
  const { worker, ending } = idle;
  clearTimeout(ending);
  idle = null;
  worker.ref();
  return worker;
}

function keepIdle(worker: Worker): void {
  worker.unref();
  if (idle !== null) {
    void worker.terminate();
    return;
  }
  const ending = setTimeout(() => {
    if (idle?.worker === worker) idle = null;
    void worker.terminate();
  }, IDLE_MS);
  idle = { worker, ending: ending.unref() };
}

/** The task's answer as soon as it is done; any other when the thread has ended, null when it ended without one. */
async function answerOf(worker: Worker, onProgress: TaskHooks['onProgress']): Promise<ThreadMessage | null> {
  const { promise, resolve, reject } = Promise.withResolvers<ThreadMessage | null>();
  let last: ThreadMessage | null = null;
  const onMessage = (message: ThreadMessage): void => {
    if (message.kind === 'progress') onProgress?.(message.progress);
    else if (message.kind === 'done') resolve(message);
    else last = message;
  };
  const onExit = (): void => resolve(last);
  worker.on('message', onMessage).on('error', reject).on('exit', onExit);
  try {
    return await promise;
  } finally {
    worker.off('message', onMessage).off('error', reject).off('exit', onExit);
  }
}

function resultOf(answer: ThreadMessage | null, signal: AbortSignal | undefined): unknown {
  if (answer?.kind === 'done') return answer.value;
  if (answer?.kind === 'failed') {
    const { kind, message, hint, context, stack } = answer.error;
    throw new PipelineError(kind, message, { ...(hint === undefined ? {} : { hint }), context, cause: stack });
  }
  signal?.throwIfAborted();
  throw died(new Error('it ended without an answer'));
}

function died(cause: unknown): PipelineError {
  return new PipelineError('invariant_broken', `The building thread died: ${(cause as Error).message}`, {
    hint: 'If memory was short, give the worker more; otherwise this is a bug: please report it with the input file.',
    cause,
  });
}
