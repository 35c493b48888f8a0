/**
 * The thread's side: does one task after the other, each with one answer. Started by `run-in-thread.ts` alone.
 */
import { setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';
import { isPipelineError, PipelineError } from '../../core/errors.ts';
import { FormatError } from '../../formats/cdf/index.ts';
import { build } from './build.ts';
import { count } from './count.ts';
import { isAborted } from './thread-protocol.ts';
import type { ThreadInput, ThreadMessage, ThreadTask } from './thread-protocol.ts';
import type { Progress } from './types.ts';

/** At most this often, in milliseconds. */
const PROGRESS_INTERVAL_MS = 200;
/** Of 19. */
const NICENESS = 5;

class Aborted extends Error {}

if (!parentPort) throw new Error('src/products/reach-l1c/thread.ts runs as a worker thread only');
// The event loop that beats goes first where cores are few. Only Linux means the calling thread alone.
if (process.platform === 'linux') setPriority(NICENESS);
const port = parentPort;
port.on('message', (input: ThreadInput) => void serve(input));

async function serve({ task, abortFlag }: ThreadInput): Promise<void> {
  try {
    send({ kind: 'done', value: await run(task, teller(abortFlag)) });
  } catch (error) {
    send(error instanceof Aborted ? { kind: 'aborted' } : { kind: 'failed', error: describe(error) });
    // Whatever the task has left behind ends with the thread.
    port.close();
  }
}

async function run(task: ThreadTask, tell: (progress: Progress) => void): Promise<unknown> {
  return task.kind === 'build' ? await build(task.request, tell) : count(task.path, task.format, tell);
}

function teller(abortFlag: Int32Array): (progress: Progress) => void {
  let toldAt = 0;
  return (progress) => {
    if (isAborted(abortFlag)) throw new Aborted();
    const now = performance.now();
    if (now - toldAt < PROGRESS_INTERVAL_MS && progress.bytesRead < progress.bytesTotal) return;
    toldAt = now;
    send({ kind: 'progress', progress });
  };
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
  port.postMessage(message);
}
