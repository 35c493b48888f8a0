/** Runs an activity's work with heartbeats from a timer, so that a long wait or a busy thread never looks like a crash. */
import { Context } from '@temporalio/activity';
import type { StageHeartbeat } from '../core/backfill/types.ts';
import { toFailure } from './failures.ts';

const BEAT_EVERY_MS = 2_000;

/**
 * @param work - gets a signal that fires on cancellation, pause, timeout and worker shutdown, and a function that tells
 *   how far it is; what it throws is translated for the engine
 */
export async function withHeartbeat<T>(
  work: (signal: AbortSignal, tell: (progress: StageHeartbeat) => void) => Promise<T>,
): Promise<T> {
  const context = Context.current();
  let latest: StageHeartbeat | undefined;
  const timer = setInterval(() => context.heartbeat(latest), BEAT_EVERY_MS);
  try {
    return await work(context.cancellationSignal, (progress) => {
      if (!latest || latest.phase !== progress.phase) context.heartbeat(progress);
      latest = progress;
    });
  } catch (error) {
    if (context.cancellationSignal.aborted) {
      // Rejects with the engine's own reason; nothing of the day is lost, finished slices stay.
      await context.cancelled;
    }
    throw toFailure(error, context.info.attempt);
  } finally {
    clearInterval(timer);
    if (latest) context.heartbeat(latest);
  }
}

/** Runs short work without heartbeats; what it throws is translated for the engine. */
export async function translated<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toFailure(error, Context.current().info.attempt);
  }
}
