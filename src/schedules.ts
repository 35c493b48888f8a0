/**
 * Schedules of a workspace on the Temporal server: made, listed, steered. Knows the server and the names, nothing of files
 * or terminals. The server starts `scheduledBackfill`; the workspace's worker does the work.
 */
import {
  ScheduleAlreadyRunning,
  ScheduleNotFoundError,
  ScheduleOverlapPolicy,
  WorkflowFailedError,
} from '@temporalio/client';
import type { Client, ScheduleDescription, ScheduleHandle, ScheduleSpec } from '@temporalio/client';
import { ApplicationFailure, WorkflowNotFoundError } from '@temporalio/common';
import { scheduleId, taskQueues } from './core/backfill/ids.ts';
import { CATCH_UP_DAYS, incrementText } from './core/backfill/schedule.ts';
import type { ScheduledInput } from './core/backfill/schedule.ts';
import { PipelineError } from './core/errors.ts';
import { SEARCH_ATTRIBUTES } from './core/search-attributes.ts';
import { VERSION } from './core/version.ts';
import type { scheduledBackfill } from './workflows/index.ts';

/** When a schedule runs: once a day at a UTC time, or every so many seconds. */
export type Timing =
  | { readonly kind: 'daily'; readonly hour: number; readonly minute: number }
  | { readonly kind: 'every'; readonly seconds: number };

export interface NewSchedule {
  readonly name: string;
  readonly timing: Timing;
  readonly input: ScheduledInput;
}

export type LatestRun =
  | { readonly ended: 'well'; readonly failedDays: number }
  /** It could not begin or go on, with the reason in a sentence. */
  | { readonly ended: 'badly'; readonly why: string };

export interface ScheduleLine {
  readonly name: string;
  readonly scheduleId: string;
  readonly product: string;
  /** Which days a run covers, in words. */
  readonly days: string;
  readonly timing: string;
  readonly paused: boolean;
  /** Why it is paused. */
  readonly note: string | null;
  /** ISO 8601 UTC; null when paused for good. */
  readonly nextRun: string | null;
  /** The latest runs, oldest first. */
  readonly recent: readonly { readonly scheduledFor: string; readonly workflowId: string; readonly runId: string }[];
  readonly running: readonly string[];
  /** How the latest run ended; null while it runs, or when the server keeps nothing of one. */
  readonly latest: LatestRun | null;
  readonly runs: number;
  /** Runs left out because one ran and another waited already: what they would have done, the waiting one does. */
  readonly leftOut: number;
  /** Runs missed for longer than the catch-up window. */
  readonly missed: number;
}

export class ScheduleClient {
  readonly #client: Client;
  readonly #workspace: string;

  constructor(client: Client, workspace: string) {
    this.#client = client;
    this.#workspace = workspace;
  }

  /**
   * A run that is due while the former one is still open waits, one at most (BUFFER_ONE): it covers the days from its own due
   * time to its start, so that nothing is lost however long the former one took. SKIP would lose those days.
   *
   * @throws PipelineError `config_invalid` when there is one of that name
   */
  async create({ name, timing, input }: NewSchedule): Promise<string> {
    const id = scheduleId(this.#workspace, name);
    const summary = `${input.product}: ${incrementText(input.increment)}, ${timingText(timing)}`;
    try {
      await this.#client.schedule.create({
        scheduleId: id,
        spec: specOf(timing),
        policies: {
          overlap: ScheduleOverlapPolicy.BUFFER_ONE,
          catchupWindow: `${CATCH_UP_DAYS} days`,
          pauseOnFailure: false,
        },
        memo: { reachback: VERSION, summary },
        action: {
          type: 'startWorkflow',
          workflowType: 'scheduledBackfill' satisfies typeof scheduledBackfill.name,
          workflowId: id,
          taskQueue: taskQueues(this.#workspace).main,
          args: [input],
          staticSummary: summary,
          ...(input.searchAttributes && {
            typedSearchAttributes: [{ key: SEARCH_ATTRIBUTES.product, value: input.product }],
          }),
        },
      });
    } catch (error) {
      if (!(error instanceof ScheduleAlreadyRunning)) throw error;
      throw new PipelineError('config_invalid', `There is a schedule "${name}" already (${id}).`, {
        hint: `Give another name with --name, or remove it first: reachback schedule delete ${name}`,
      });
    }
    return id;
  }

  /** Those of the workspace, by name. The list may lag the server by about a second. */
  async list(): Promise<ScheduleLine[]> {
    const prefix = scheduleId(this.#workspace, '');
    const lines: ScheduleLine[] = [];
    for await (const { scheduleId: id } of this.#client.schedule.list()) {
      if (!id.startsWith(prefix)) continue;
      const handle = this.#client.schedule.getHandle(id);
      // One that was deleted a moment ago may still be listed.
      const description = await handle.describe().catch((error: unknown) => {
        if (error instanceof ScheduleNotFoundError) return null;
        throw error;
      });
      if (description === null) continue;
      lines.push(lineOf(id.slice(prefix.length), description, await this.#latestRun(description)));
    }
    return lines.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  async #latestRun({ info }: ScheduleDescription): Promise<LatestRun | null> {
    const latest = info.recentActions.at(-1)?.action.workflow;
    if (!latest || info.runningActions.some(({ workflow }) => workflow.workflowId === latest.workflowId)) return null;
    try {
      const handle = this.#client.workflow.getHandle<typeof scheduledBackfill>(
        latest.workflowId,
        latest.firstExecutionRunId,
      );
      // The schedule's own word of what runs may come late.
      if ((await handle.describe()).status.name === 'RUNNING') return null;
      const { range } = await handle.result();
      return { ended: 'well', failedDays: range?.failedDays ?? 0 };
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return null;
      if (!(error instanceof WorkflowFailedError)) throw error;
      return { ended: 'badly', why: reasonOf(error) };
    }
  }

  async pause(name: string, note?: string): Promise<void> {
    await this.#on(name, (handle) => handle.pause(note ?? 'by "reachback schedule pause"'));
  }

  async resume(name: string): Promise<void> {
    await this.#on(name, (handle) => handle.unpause('by "reachback schedule resume"'));
  }

  /** One run now, after the open one when there is one. */
  async trigger(name: string): Promise<void> {
    await this.#on(name, (handle) => handle.trigger(ScheduleOverlapPolicy.BUFFER_ONE));
  }

  /** Its open run goes on. */
  async delete(name: string): Promise<void> {
    await this.#on(name, (handle) => handle.delete());
  }

  /** @throws PipelineError `config_invalid` naming the schedules that there are */
  async #on(name: string, act: (handle: ScheduleHandle) => Promise<void>): Promise<void> {
    try {
      await act(this.#client.schedule.getHandle(scheduleId(this.#workspace, name)));
    } catch (error) {
      if (!(error instanceof ScheduleNotFoundError)) throw error;
      const names = (await this.list()).map((line) => line.name);
      throw new PipelineError('config_invalid', `There is no schedule "${name}" in the workspace ${this.#workspace}.`, {
        hint: names.length > 0 ? `There are: ${names.join(', ')}.` : 'Make one with: reachback schedule create',
      });
    }
  }
}

function specOf(timing: Timing): ScheduleSpec {
  return timing.kind === 'daily'
    ? { calendars: [{ hour: timing.hour, minute: timing.minute }] }
    : { intervals: [{ every: timing.seconds * 1_000 }] };
}

export function timingText(timing: Timing): string {
  if (timing.kind === 'every') return `every ${timing.seconds} s`;
  const two = (value: number): string => String(value).padStart(2, '0');
  return `daily at ${two(timing.hour)}:${two(timing.minute)} UTC`;
}

/** The engine's own errors only say which of its parts failed; below them is what did. */
function reasonOf(error: Error): string {
  if (error instanceof ApplicationFailure || !(error.cause instanceof Error)) return error.message;
  return reasonOf(error.cause);
}

function lineOf(name: string, description: ScheduleDescription, latest: LatestRun | null): ScheduleLine {
  const { action, state, info } = description;
  const input = action.type === 'startWorkflow' ? (action.args?.[0] as ScheduledInput | undefined) : undefined;
  return {
    name,
    scheduleId: description.scheduleId,
    product: input?.product ?? 'unknown',
    days: input ? incrementText(input.increment) : 'unknown',
    timing: timingOf(description),
    paused: state.paused,
    note: state.note ?? null,
    nextRun: info.nextActionTimes[0]?.toISOString() ?? null,
    recent: info.recentActions.map(({ scheduledAt, action: { workflow } }) => ({
      scheduledFor: scheduledAt.toISOString(),
      workflowId: workflow.workflowId,
      runId: workflow.firstExecutionRunId,
    })),
    running: info.runningActions.map(({ workflow }) => workflow.workflowId),
    latest,
    runs: info.numActionsTaken,
    leftOut: info.numActionsSkippedOverlap,
    missed: info.numActionsMissedCatchupWindow,
  };
}

function timingOf({ spec }: ScheduleDescription): string {
  const every = spec.intervals?.[0]?.every;
  if (every !== undefined) return timingText({ kind: 'every', seconds: every / 1_000 });
  const calendar = spec.calendars?.[0];
  return timingText({
    kind: 'daily',
    hour: calendar?.hour?.[0]?.start ?? 0,
    minute: calendar?.minute?.[0]?.start ?? 0,
  });
}
