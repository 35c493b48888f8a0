/**
 * The thread's side: does one task and answers once. Started by `run-in-thread.ts` alone.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { isPipelineError, PipelineError } from '../../core/errors.ts';
import { FormatError } from '../../formats/cdf/index.ts';
import { build } from './build.ts';
import { count } from './count.ts';
import { isAborted } from './thread-protocol.ts';
import type { ThreadInput, ThreadMessage } from './thread-protocol.ts';
import type { Progress } from './types.ts';

/** At most this often, in milliseconds. */
const PROGRESS_INTERVAL_MS = 200;

class Aborted extends Error {}

const { task, abortFlag } = workerData as ThreadInput;
let toldAt = 0;

try {
  send({ kind: 'done', value: await run() });
} catch (error) {
  send(error instanceof Aborted ? { kind: 'aborted' } : { kind: 'failed', error: describe(error) });
}

async function run(): Promise<unknown> {
  return task.kind === 'build' ? await build(task.request, tell) : count(task.path, task.format, tell);
}

function tell(progress: Progress): void {
  if (isAborted(abortFlag)) throw new Aborted();
  const now = performance.now();
  if (now - toldAt < PROGRESS_INTERVAL_MS && progress.bytesRead < progress.bytesTotal) return;
  toldAt = now;
  send({ kind: 'progress', progress });
}

function describe(error: unknown): Extract<ThreadMessage, { kind: 'failed' }>['error'] {
  const pipelineError = asPipelineError(error);
  const { kind, message, hint, context } = pipelineError;
  return { kind, message, hint, context, stack: (error as Error).stack };
}

function asPipelineError(error: unknown): PipelineError {
  if (isPipelineError(error)) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new PipelineError('disk_full', `No room to write the product: ${message}`, {
      hint: 'Free some space (a full day needs about 100 MB while it is built) and run the same command again.',
    });
  }
  const isOurs = error instanceof FormatError || code === undefined;
  return new PipelineError(isOurs ? 'invariant_broken' : 'config_invalid', `The file cannot be worked on: ${message}`, {
    hint: isOurs
      ? 'This is a bug: please report it with the input file.'
      : 'Check that the folders can be read and written.',
  });
}

function send(message: ThreadMessage): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a port of Node, not a window
  parentPort!.postMessage(message);
}
