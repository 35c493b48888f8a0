/**
 * Runs an activity's work with heartbeats from a timer, so that a long wait or a busy thread never looks like a crash. A
 * thread that says nothing any more does look like one: its activity stops beating, is cancelled and fails, to be tried again.
 */
import { Context } from '@temporalio/activity';
import type { StageHeartbeat } from '../core/backfill/types.ts';
import { toFailure } from './failures.ts';

const BEAT_EVERY_MS = 2_000;
/** Threads report at least every second; even one that shares a core with ten others is heard within this time. */
const SILENCE_LIMIT_MS = 30_000;
/** For work that is told to stop because it is silent; what does not stop then is left behind. */
const STOP_WITHIN_MS = 5_000;

/** The threads of a stage have not reported for too long. Of unknown cause, so the engine tries a few times. */
class StalledError extends Error {
  override readonly name = 'StalledError';
}

/** Milliseconds since the threads of a stage were heard; 0 while none is at work. @param sinceToldMs - since the stage told */
type Silence = (sinceToldMs: number) => number;

/** For a stage that tells what its thread reports, and nothing else. */
export const asTold: Silence = (sinceToldMs) => sinceToldMs;

/**
 * @param work - gets a signal that fires on cancellation, pause, timeout, worker shutdown and silence, and a function that
 *   tells how far it is; what it throws is translated for the engine
 * @param silence - of the threads that do the work; default: no threads
 */
export async function withHeartbeat<T>(
  work: (signal: AbortSignal, tell: (progress: StageHeartbeat) => void) => Promise<T>,
  silence: Silence = () => 0,
): Promise<T> {
  const context = Context.current();
  const stalled = new AbortController();
  let latest: StageHeartbeat | undefined;
  let toldAt = performance.now();
  const timer = setInterval(() => {
    const silentMs = silence(performance.now() - toldAt);
    if (silentMs <= SILENCE_LIMIT_MS) context.heartbeat(latest);
    else stalled.abort(new StalledError(`Nothing was heard of the work for ${Math.round(silentMs / 1_000)} s.`));
  }, BEAT_EVERY_MS);
  try {
    const signal = AbortSignal.any([context.cancellationSignal, stalled.signal]);
    const working = work(signal, (progress) => {
      toldAt = performance.now();
      if (!latest || latest.phase !== progress.phase) context.heartbeat(progress);
      latest = progress;
    });
    return await Promise.race([working, leftBehind(stalled.signal)]);
  } catch (error) {
    if (context.cancellationSignal.aborted) {
      // Rejects with the engine's own reason; nothing of the day is lost, finished slices stay.
      await context.cancelled;
    }
    throw toFailure(error, context.info.attempt);
  } finally {
    clearInterval(timer);
    if (latest && !stalled.signal.aborted) context.heartbeat(latest);
  }
}

/** Rejects some seconds after `signal` fired: what never ends would otherwise hold its slot for ever. */
function leftBehind(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => setTimeout(reject, STOP_WITHIN_MS, signal.reason).unref(), { once: true });
  });
}
