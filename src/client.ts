/**
 * Typed calls to a Reachback installation: start a range, look at it, steer it. Used by the CLI and by other programs;
 * knows Temporal and the workflows' messages, nothing of files or terminals.
 */
import { Client, WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError } from '@temporalio/client';
import type { ConnectionLike, WorkflowHandle } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import { dayWorkflowId, rangeWorkflowId, taskQueues, zarrWorkflowId } from './core/backfill/ids.ts';
import type { RangeProgress, RangeResult } from './core/backfill/range-progress.ts';
import type { RangeInput } from './core/backfill/range-state.ts';
import type { Stage, StageHeartbeat } from './core/backfill/types.ts';
import { STAGES } from './core/backfill/types.ts';
import { PipelineError } from './core/errors.ts';
import type { ProductSlug } from './core/product.ts';
import { rangeHelp, rangeSummary } from './core/report/range-details.ts';
import { SEARCH_ATTRIBUTES } from './core/search-attributes.ts';
import type { Day } from './core/time/day.ts';
import { VERSION } from './core/version.ts';
import type { ZarrInput } from './core/zarr.ts';
import type { backfillRange, syncZarr } from './workflows/index.ts';
import * as messages from './workflows/messages.ts';

export type RangeHandle = WorkflowHandle<typeof backfillRange>;

/** What a day under way is doing, as its pending activity tells. */
export interface DayActivity {
  readonly day: Day;
  readonly stage: Stage | null;
  /** Attempt of the engine, from 1. */
  readonly attempt: number;
  readonly heartbeat: StageHeartbeat | null;
  readonly lastFailure: string | null;
  /** When the engine tries again, ISO 8601 UTC; null when it is not waiting. */
  readonly nextTryAt: string | null;
}

export interface OpenRange {
  readonly workflowId: string;
  readonly startedAt: Date;
}

/** How a start found things. */
export type StartOutcome =
  | { readonly started: true; readonly handle: RangeHandle }
  | { readonly started: false; readonly handle: RangeHandle };

/** Long enough to put the files of a day aside, or to deliver one. */
const HELD_AT_MOST = '10 minutes';

/** A poller that has not been seen for this long is gone: twice the server's long poll. */
const POLLER_FRESH_MS = 130_000;

export class ReachbackClient {
  readonly temporal: Client;
  readonly #namespace: string;

  constructor(connection: ConnectionLike, namespace: string) {
    this.temporal = new Client({ connection, namespace });
    this.#namespace = namespace;
  }

  /** Starts the range unless one of the same id is open; then the handle is of the open one. */
  async startRange(input: RangeInput): Promise<StartOutcome> {
    const { workspace, product, first, last, options, searchAttributes } = input;
    const workflowId = rangeWorkflowId(workspace, product, first, last);
    try {
      const handle = await this.temporal.workflow.start<typeof backfillRange>('backfillRange', {
        workflowId,
        taskQueue: taskQueues(workspace).main,
        args: [input],
        workflowIdConflictPolicy: 'FAIL',
        workflowIdReusePolicy: 'ALLOW_DUPLICATE',
        memo: { reachback: VERSION, runId: input.runId, options },
        staticSummary: rangeSummary(input),
        staticDetails: rangeHelp(workflowId, input),
        ...(searchAttributes && { typedSearchAttributes: [{ key: SEARCH_ATTRIBUTES.product, value: product }] }),
      });
      return { started: true, handle };
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      return { started: false, handle: this.range(workflowId) };
    }
  }

  /** Starts a sync of a Zarr store. @throws PipelineError `config_invalid` when one of this store is at work */
  async startZarr(input: ZarrInput): Promise<WorkflowHandle<typeof syncZarr>> {
    const { workspace, product, target, rebuild } = input;
    const workflowId = zarrWorkflowId(target.store);
    try {
      return await this.temporal.workflow.start<typeof syncZarr>('syncZarr', {
        workflowId,
        taskQueue: taskQueues(workspace).main,
        args: [input],
        workflowIdConflictPolicy: 'FAIL',
        workflowIdReusePolicy: 'ALLOW_DUPLICATE',
        staticSummary: `${product} → ${target.store}${rebuild ? ' (rebuild)' : ''}`,
      });
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      throw new PipelineError('config_invalid', `The store ${target.store} is being written already (${workflowId}).`, {
        hint: 'One writer per store: wait until it has finished, then repeat the command.',
      });
    }
  }

  /**
   * Keeps a day from being worked at: its workflow's id is taken by one that no worker does. Ranges that want the day meanwhile
   * wait for it, as for another range that does it.
   *
   * @returns gives the day back; null when somebody works at it
   */
  async holdDay(workspace: string, product: ProductSlug, day: Day): Promise<(() => Promise<void>) | null> {
    try {
      const handle = await this.temporal.workflow.start('processDay', {
        workflowId: dayWorkflowId(workspace, product, day),
        taskQueue: `${taskQueues(workspace).main}-held`,
        args: [],
        workflowIdConflictPolicy: 'FAIL',
        workflowIdReusePolicy: 'ALLOW_DUPLICATE',
        // Should its holder be killed.
        workflowExecutionTimeout: HELD_AT_MOST,
        staticSummary: `${product} ${day}: held by reachback repair`,
      });
      return () => handle.terminate('given back by reachback repair').then(() => undefined);
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      return null;
    }
  }

  range(workflowId: string): RangeHandle {
    return this.temporal.workflow.getHandle<typeof backfillRange>(workflowId);
  }

  async progress(handle: RangeHandle): Promise<RangeProgress> {
    return await handle.query(messages.progressQuery);
  }

  /** Follows continue-as-new. @throws WorkflowFailedError when the range was cancelled, terminated or failed */
  async result(handle: RangeHandle): Promise<RangeResult> {
    return await handle.result();
  }

  async pause(handle: RangeHandle, reason?: string): Promise<void> {
    await (reason === undefined ? handle.signal(messages.pauseSignal) : handle.signal(messages.pauseSignal, reason));
  }

  async resume(handle: RangeHandle): Promise<void> {
    await handle.signal(messages.resumeSignal);
  }

  async retryFailedDays(handle: RangeHandle, days?: Day[]): Promise<void> {
    await handle.signal(messages.retryFailedDaysSignal, days);
  }

  async finish(handle: RangeHandle): Promise<void> {
    await handle.signal(messages.finishSignal);
  }

  /** @returns the former number of days at once */
  async setConcurrency(handle: RangeHandle, days: number): Promise<number> {
    return await handle.executeUpdate(messages.setConcurrencyUpdate, { args: [days] });
  }

  /** Open ranges of a workspace, latest first. The list may lag the server by about a second. */
  async openRanges(workspace: string): Promise<OpenRange[]> {
    const query = `WorkflowType = "backfillRange" AND ExecutionStatus = "Running"`;
    const found: OpenRange[] = [];
    for await (const { workflowId, startTime } of this.temporal.workflow.list({ query })) {
      if (workflowId.startsWith(`backfill/${workspace}/`)) found.push({ workflowId, startedAt: startTime });
    }
    return found;
  }

  /** What a running day is doing; null when it is not running. */
  async dayActivity(workspace: string, product: ProductSlug, day: Day): Promise<DayActivity | null> {
    try {
      const { raw } = await this.temporal.workflow.getHandle(dayWorkflowId(workspace, product, day)).describe();
      const pending = raw.pendingActivities?.find((activity) => STAGES.includes(activity.activityId as Stage));
      if (!pending) return { day, stage: null, attempt: 1, heartbeat: null, lastFailure: null, nextTryAt: null };
      const payload = pending.heartbeatDetails?.payloads?.[0];
      const waiting = Number(pending.scheduledTime?.seconds ?? 0) * 1000;
      return {
        day,
        stage: pending.activityId as Stage,
        attempt: pending.attempt ?? 1,
        heartbeat: payload ? defaultPayloadConverter.fromPayload<StageHeartbeat>(payload) : null,
        lastFailure: pending.lastFailure?.message ?? null,
        nextTryAt:
          pending.lastFailure && !pending.lastWorkerIdentity && waiting > 0 ? new Date(waiting).toISOString() : null,
      };
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return null;
      throw error;
    }
  }

  /** Whether a worker polls the workspace's queues, by the server's list of pollers. */
  async workersPolling(workspace: string): Promise<{ main: boolean; download: boolean; build: boolean }> {
    const queues = taskQueues(workspace);
    const [main, download, build] = await Promise.all([
      this.#hasPoller(queues.main, 1),
      this.#hasPoller(queues.download, 2),
      this.#hasPoller(queues.build, 2),
    ]);
    return { main, download, build };
  }

  async #hasPoller(name: string, taskQueueType: 1 | 2): Promise<boolean> {
    const answer = await this.temporal.workflowService.describeTaskQueue({
      namespace: this.#namespace,
      taskQueue: { name },
      taskQueueType,
    });
    return (answer.pollers ?? []).some(
      (poller) => Date.now() - Number(poller.lastAccessTime?.seconds ?? 0) * 1000 < POLLER_FRESH_MS,
    );
  }

  /** Whether the server has the custom search attributes of design §2. */
  async hasSearchAttributes(): Promise<boolean> {
    try {
      const { customAttributes } = await this.temporal.connection.operatorService.listSearchAttributes({
        namespace: this.#namespace,
      });
      return Object.values(SEARCH_ATTRIBUTES).every(({ name }) => name in (customAttributes ?? {}));
    } catch {
      return false;
    }
  }
}
