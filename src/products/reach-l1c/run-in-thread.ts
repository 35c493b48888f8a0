/**
 * Runs a task in a thread of its own, so that the caller's event loop is free for heartbeats meanwhile.
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

/**
 * @returns what the task returned, once the thread has ended
 * @throws the signal's reason when aborted; PipelineError of the task; `invariant_broken` when the thread died
 */
export async function runInThread(task: ThreadTask, { onProgress, signal }: TaskHooks): Promise<unknown> {
  signal?.throwIfAborted();
  const abortFlag = newAbortFlag();
  const workerData: ThreadInput = { task, abortFlag };
  const worker = new Worker(new URL('./thread.ts', import.meta.url), {
    name: `reach-${task.kind}`,
    workerData,
    resourceLimits: RESOURCE_LIMITS,
  });
  let ending: NodeJS.Timeout | undefined;
  const abort = (): void => {
    raiseAbort(abortFlag);
    ending = setTimeout(() => void worker.terminate(), STOP_WITHIN_MS).unref();
  };
  signal?.addEventListener('abort', abort, { once: true });
  try {
    const answer = await new Promise<ThreadMessage | null>((resolve, reject) => {
      let last: ThreadMessage | null = null;
      worker.on('message', (message: ThreadMessage) => {
        if (message.kind === 'progress') onProgress?.(message.progress);
        else last = message;
      });
      worker.on('error', reject);
      worker.on('exit', () => resolve(last));
    });
    return resultOf(answer, signal);
  } catch (error) {
    if (error instanceof PipelineError || signal?.aborted === true) throw error;
    throw died(error);
  } finally {
    clearTimeout(ending);
    signal?.removeEventListener('abort', abort);
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
