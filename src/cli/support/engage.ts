/**
 * What starting a range does when one of the same name is open already (design §2, "the same command again").
 */
import { WorkflowFailedError } from '@temporalio/client';
import { PipelineError } from '../../core/errors.ts';
import type { RangeProgress } from '../../core/backfill/range-progress.ts';
import type { RangeInput } from '../../core/backfill/range-state.ts';
import type { RangeHandle } from '../../client.ts';
import type { Session } from './session.ts';

export interface Engagement {
  readonly handle: RangeHandle;
  /** Run id that the range works under: the open one's when it is continued. */
  readonly runId: string;
  readonly how: 'started' | 'continued' | 'resumed' | 'attached';
}

/**
 * Starts the range, or takes up the open one.
 *
 * @param attach - follow a range that is actively working instead of refusing
 * @throws PipelineError `config_invalid` when somebody else's run of this range is at work
 */
export async function engageRange(session: Session, input: RangeInput, attach: boolean): Promise<Engagement> {
  for (;;) {
    const { started, handle } = await session.client.startRange(input);
    if (started) return { handle, runId: input.runId, how: 'started' };
    const progress = await session.client.progress(handle);
    const sameOptions = JSON.stringify(progress.options) === JSON.stringify(input.options);
    if (sameOptions && (progress.pause?.by === 'source' || progress.pause?.by === 'worker')) {
      await session.client.resume(handle);
      return { handle, runId: progress.runId, how: 'resumed' };
    }
    if (onlyWaits(progress)) {
      await session.client.finish(handle);
      await settled(session, handle);
      continue;
    }
    if (session.owned && sameOptions) {
      if (progress.concurrency !== input.concurrency) await session.client.setConcurrency(handle, input.concurrency);
      if (progress.pause) await session.client.resume(handle);
      return { handle, runId: progress.runId, how: progress.pause ? 'resumed' : 'continued' };
    }
    if (session.owned) {
      // The holder died and its command was another one: put its days down (finished slices stay) and begin anew.
      await handle.cancel();
      await settled(session, handle);
      continue;
    }
    if (attach) return { handle, runId: progress.runId, how: 'attached' };
    throw new PipelineError(
      'config_invalid',
      `The range ${handle.workflowId} is running already: ${progress.settledDays} of ${progress.totalDays} days settled${sameOptions ? '' : ', with other options than yours'}.`,
      { hint: `Follow it with: reachback watch ${handle.workflowId}   (or repeat your command with --attach)` },
    );
  }
}

/**
 * Unfinished ranges of earlier, interrupted commands would go on beside this one as soon as a worker is up: they start no
 * new day until their own command is repeated, which resumes them.
 *
 * @returns the workflow ids of the ranges told to wait
 */
export async function holdOtherRanges(session: Session, workspace: string, mine: string): Promise<string[]> {
  const open = await session.client.openRanges(workspace);
  const others = open.map(({ workflowId }) => workflowId).filter((id) => id !== mine);
  for (const id of others) await session.client.pause(session.client.range(id), 'waits for its own command');
  return others;
}

/** Nothing runs, nothing is queued: the range only waits for someone to retry its failed days or finish it. */
function onlyWaits(progress: RangeProgress): boolean {
  return (
    progress.state === 'NeedsAttention' && progress.running.length === 0 && progress.queued === 0 && !progress.pause
  );
}

async function settled(session: Session, handle: RangeHandle): Promise<void> {
  try {
    await session.client.result(handle);
  } catch (error) {
    if (!(error instanceof WorkflowFailedError)) throw error;
  }
}
