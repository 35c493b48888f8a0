/** Follows a range to a point where the command has something to decide: its end, or nothing left but failed days. */
import { ServiceError, WorkflowFailedError } from '@temporalio/client';
import type { RangeHandle, DayActivity } from '../../client.ts';
import type { RangeProgress, RangeResult } from '../../core/backfill/range-progress.ts';
import { PipelineError } from '../../core/errors.ts';
import type { Session } from './session.ts';

const POLL_MS = 500;
/** A look that takes longer is given up; the next one may fare better. */
const LOOK_PATIENCE_MS = 15_000;

export interface RangeView {
  readonly progress: RangeProgress;
  readonly days: readonly DayActivity[];
}

export type FollowEnd =
  | { readonly end: 'finished'; readonly result: RangeResult }
  | { readonly end: 'only_failed'; readonly progress: RangeProgress }
  | { readonly end: 'stopped'; readonly progress: RangeProgress }
  | { readonly end: 'left' };

/** A server that does not answer for this long is given up; a restart of the embedded one takes a few seconds. */
const SERVER_PATIENCE_MS = 60_000;
/** A server of the operator's may be away for an upgrade: nothing is lost by waiting, and leaving is a key away. */
const FOREIGN_SERVER_PATIENCE_MS = 15 * 60_000;

/**
 * @param show - gets a fresh view about twice a second
 * @param leave - aborts when the operator stops watching; the range goes on
 * @param away - told each time that the server did not answer, and for how long by now
 * @param decides - whether to come back when the range waits for a decision; otherwise it is followed to its end
 */
export async function followRange(
  session: Session,
  workspace: string,
  handle: RangeHandle,
  show: (view: RangeView) => void,
  leave: AbortSignal,
  decides = true,
  away: (ms: number) => void = () => undefined,
): Promise<FollowEnd> {
  const ending = new AbortController();
  const over = ending.signal;
  let seenMs = performance.now();
  const result = resultOf(session, handle, over, () => performance.now() - seenMs);
  const left = new Promise<FollowEnd>((resolve) => {
    if (leave.aborted) resolve({ end: 'left' });
    leave.addEventListener('abort', () => resolve({ end: 'left' }), { once: true });
  });
  result.catch(() => undefined);
  const poll = async (): Promise<FollowEnd> => {
    for (;;) {
      const view = await lookFor(LOOK_PATIENCE_MS, look(session, workspace, handle));
      const silent = view === null ? await session.whySilent() : null;
      if (silent) throw silent;
      if (over.aborted) return { end: 'left' };
      if (!view) away(performance.now() - seenMs);
      else {
        seenMs = performance.now();
        show(view);
        const { progress } = view;
        const idle = progress.running.length === 0;
        if (decides && idle && progress.pause && progress.pause.by !== 'operator') return { end: 'stopped', progress };
        // Days asked for again are not planned yet: the range is at work although nothing runs.
        const waits = idle && progress.queued === 0 && progress.state === 'NeedsAttention';
        if (decides && waits) return { end: 'only_failed', progress };
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  };
  try {
    return await Promise.race([result, session.lost, left, poll()]);
  } finally {
    ending.abort();
  }
}

/** The range's result, asked for again while the server is away. @param awayMs - since it was seen last */
async function resultOf(
  session: Session,
  handle: RangeHandle,
  over: AbortSignal,
  awayMs: () => number,
): Promise<FollowEnd> {
  for (;;) {
    try {
      return { end: 'finished', result: await session.client.result(handle) };
    } catch (error) {
      if (error instanceof WorkflowFailedError) throw rangeFailed(handle, error);
      const patienceMs = session.owned ? SERVER_PATIENCE_MS : FOREIGN_SERVER_PATIENCE_MS;
      if (!(error instanceof ServiceError) || awayMs() > patienceMs) throw error;
      if (over.aborted) return { end: 'left' };
      await new Promise((resolve) => setTimeout(resolve, 1_000));
    }
  }
}

/** The view, or null when the server did not give it in time. */
async function lookFor(patienceMs: number, looking: Promise<RangeView>): Promise<RangeView | null> {
  let timer: NodeJS.Timeout | undefined;
  const tired = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), patienceMs);
  });
  try {
    return await Promise.race([looking.catch(() => null), tired]);
  } finally {
    clearTimeout(timer);
  }
}

async function look(session: Session, workspace: string, handle: RangeHandle): Promise<RangeView> {
  const progress = await session.client.progress(handle);
  const days = await Promise.all(
    progress.running.map((day) => session.client.dayActivity(workspace, progress.product, day)),
  );
  return { progress, days: days.filter((day) => day !== null) };
}

function rangeFailed(handle: RangeHandle, error: WorkflowFailedError): Error {
  const cause = namedCause(error);
  return new PipelineError(cause.kind, `The range ${handle.workflowId} ended without a result: ${cause.message}`, {
    hint: cause.hint ?? 'Its history in the web UI says more. Run the same command again to go on where it was.',
    cause: error,
  });
}

/** Kinds by which a plan ends its range. */
const PLAN_KINDS = ['config_invalid', 'path_owned', 'gate_held'] as const;

interface NamedCause {
  readonly kind: (typeof PLAN_KINDS)[number] | 'invariant_broken';
  readonly message: string;
  readonly hint?: string;
}

/** The first cause of a kind that ends a plan, else the deepest one. */
function namedCause(error: Error): NamedCause {
  const type = 'type' in error ? error.type : undefined;
  const [details] = 'details' in error && Array.isArray(error.details) ? (error.details as { hint?: string }[]) : [];
  const kind = PLAN_KINDS.find((each) => each === type);
  if (!kind && error.cause instanceof Error) return namedCause(error.cause);
  return {
    kind: kind ?? 'invariant_broken',
    message: error.message,
    ...(details?.hint === undefined ? {} : { hint: details.hint }),
  };
}
