/**
 * What is recorded as histories: one course of events each, driven on a real server. `npm run histories:record` writes
 * them to `test/histories`; the replay test holds that today's workflow code still accepts them.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { WorkflowNotFoundError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { ReachbackClient, RangeHandle } from '../../src/client.ts';
import { taskQueues, zarrWorkflowId } from '../../src/core/backfill/ids.ts';
import type { RangeInput } from '../../src/core/backfill/range-state.ts';
import type { ScheduledInput } from '../../src/core/backfill/schedule.ts';
import { daysBetween, parseDay } from '../../src/core/time/day.ts';
import type { Day } from '../../src/core/time/day.ts';
import type { scheduledBackfill } from '../../src/workflows/index.ts';
import { eventually, failure, fakeActivities, withRange } from '../workflows/harness.ts';
import type { FakeWorld, ScenarioOptions } from '../workflows/harness.ts';

/** Of the run of a schedule that the scenario `scheduled` starts. */
const SCHEDULED_ID = 'schedule/recorded-scheduled/daily';

const STORE = { store: 'file:///srv/recorded.zarr', origin: null, exactTimes: null };
const REBUILT = { ...STORE, store: 's3://bucket/recorded.zarr' };

interface Scenario {
  readonly options: ScenarioOptions;
  /** Days are built on hosts without the folder. */
  readonly staged?: boolean;
  /** Days that need nothing any more. */
  readonly finished?: readonly Day[];
  readonly day?: (day: Day, tries: number) => Promise<void>;
  readonly drive: (
    handle: RangeHandle,
    client: ReachbackClient,
    world: FakeWorld,
    input: RangeInput,
  ) => Promise<unknown>;
  /** A workflow beside the range and its days whose last run is recorded too, and its name in the file's. */
  readonly also?: { readonly id: string; readonly as: string };
}

const SLOW = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 400));

export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  finished: { options: {}, drive: (handle) => handle.result() },
  'paused-and-resumed': {
    options: { concurrency: 1 },
    day: SLOW,
    async drive(handle, client, world) {
      await eventually(
        async () => world.running,
        (running) => running === 1,
      );
      await client.pause(handle, 'maintenance');
      await eventually(
        () => client.progress(handle),
        (progress) => progress.running.length === 0,
      );
      await client.resume(handle);
      await client.setConcurrency(handle, 2);
      await handle.result();
    },
  },
  // The limit is spent at the end of what is planned at once; behind it a week without work, and a day that is left.
  'limit-spent': {
    options: { last: '2026-09-10', options: { limitDays: 2 } },
    finished: daysBetween(parseDay('2025-09-03'), parseDay('2026-09-09')),
    drive: (handle) => handle.result(),
  },
  'continued-as-new': { options: { last: '2025-09-07', maxDaysPerRun: 3 }, drive: (handle) => handle.result() },
  // The first day alone, which must hold on to its place in the history.
  'newest-first': {
    options: { options: { newestFirst: true }, measureFirst: true },
    day: SLOW,
    drive: (handle) => handle.result(),
  },
  'failed-then-retried': {
    options: {},
    async day(day, tries) {
      if (day === '2025-09-02' && tries === 1) throw failure('slice_exhausted', 'one slice failed 6 times');
    },
    async drive(handle, client) {
      await eventually(
        () => client.progress(handle),
        (progress) => progress.state === 'NeedsAttention',
      );
      await client.retryFailedDays(handle);
      await handle.result();
    },
  },
  'failed-then-finished': {
    options: { last: '2025-09-02' },
    async day() {
      throw failure('slice_exhausted', 'one slice failed 6 times');
    },
    async drive(handle, client) {
      await eventually(
        () => client.progress(handle),
        (progress) => progress.state === 'NeedsAttention',
      );
      await client.finish(handle);
      await handle.result();
    },
  },
  'source-stopped-and-resumed': {
    options: { concurrency: 1, last: '2025-09-02' },
    async day(_day, tries) {
      if (tries === 1) throw failure('source_aborted', 'six passes failed', { incident: 'incident-1' });
    },
    async drive(handle, client) {
      for (const _ of [1, 2]) {
        await eventually(
          () => client.progress(handle),
          (progress) => progress.pause !== null && progress.running.length === 0,
        );
        await client.resume(handle);
      }
      await handle.result();
    },
  },
  staged: { options: { last: '2025-09-02' }, staged: true, drive: (handle) => handle.result() },
  cooldown: {
    options: { concurrency: 1, last: '2025-09-01' },
    async day(_day, tries) {
      if (tries > 1) return;
      throw ApplicationFailure.create({ type: 'rate_limited', message: 'a pause', nextRetryDelay: '2 seconds' });
    },
    async drive(handle) {
      await handle.signal('cooldown', { until: '2025-09-01T12:00:00Z', why: 'Retry-After 300 s', waitMs: 1_000 });
      await handle.result();
    },
  },
  'stopped-beside-pause': {
    options: { concurrency: 1, last: '2025-09-01' },
    async day(_day, tries) {
      await SLOW();
      if (tries === 1) throw failure('source_aborted', 'six passes failed', { incident: 'incident-1' });
    },
    async drive(handle, client, world) {
      await eventually(
        async () => world.running,
        (running) => running === 1,
      );
      await client.pause(handle, 'maintenance');
      await eventually(
        () => client.progress(handle),
        (progress) => progress.state === 'NeedsAttention',
      );
      await client.resume(handle);
      await handle.result();
    },
  },
  scheduled: {
    options: { last: '2025-09-01' },
    also: { id: SCHEDULED_ID, as: 'run-1' },
    async drive(handle, client, _world, input) {
      await handle.result();
      const { workspace, product, options, concurrency, maxDaysPerRun, searchAttributes } = input;
      const scheduled: ScheduledInput = {
        workspace,
        product,
        options,
        concurrency,
        maxDaysPerRun,
        searchAttributes,
        increment: { kind: 'trailing', days: 2 },
      };
      await client.temporal.workflow.execute<typeof scheduledBackfill>('scheduledBackfill', {
        workflowId: SCHEDULED_ID,
        taskQueue: taskQueues(workspace).main,
        args: [scheduled],
      });
    },
  },
  // More days than become visible together.
  'zarr-synced': {
    options: { last: '2025-09-18', concurrency: 8, options: { zarr: STORE } },
    also: { id: zarrWorkflowId(STORE.store), as: 'sync-1' },
    drive: (handle) => handle.result(),
  },
  'zarr-rebuilt': {
    options: { last: '2025-09-02' },
    also: { id: zarrWorkflowId(REBUILT.store), as: 'sync-1' },
    async drive(handle, client, _world, { workspace, product }) {
      await handle.result();
      await (await client.startZarr({ workspace, product, target: REBUILT, rebuild: true })).result();
    },
  },
  cancelled: {
    options: { concurrency: 1 },
    day: SLOW,
    async drive(handle, _client, world) {
      await eventually(
        async () => world.running,
        (running) => running === 1,
      );
      await handle.cancel();
      await handle.result().catch(() => undefined);
    },
  },
};

/** One run of one workflow. */
export interface RecordedRun {
  readonly name: string;
  /** The history as JSON in the form of `temporal workflow show`. */
  readonly json: string;
}

/** Plays a scenario and fetches the histories of its range (every run of it) and of its first two days. */
export async function playScenario(env: TestWorkflowEnvironment, name: string): Promise<RecordedRun[]> {
  const scenario = SCENARIOS[name];
  if (!scenario) throw new RangeError(`no scenario "${name}"`);
  const { world, activities } = fakeActivities(scenario.day, scenario.staged);
  world.finished.push(...(scenario.finished ?? []));
  return await withRange(
    env,
    activities,
    { workspace: `recorded-${name}`, ...scenario.options },
    async (handle, client, input) => {
      await scenario.drive(handle, client, world, input);
      return [
        ...(await rangeRuns(env, name, handle, client)),
        ...(await dayRuns(env, name, client, input)),
        ...(scenario.also ? [await lastRun(env, name, scenario.also, client)] : []),
      ];
    },
  );
}

async function rangeRuns(
  env: TestWorkflowEnvironment,
  name: string,
  handle: RangeHandle,
  client: ReachbackClient,
): Promise<RecordedRun[]> {
  const runs: RecordedRun[] = [];
  let runId: string | null | undefined = (await handle.describe()).raw.workflowExecutionInfo?.firstRunId;
  while (runId) {
    const { events } = await client.temporal.workflow.getHandle(handle.workflowId, runId).fetchHistory();
    runs.push({ name: `${name}.range-${runs.length + 1}`, json: await showHistory(env, handle.workflowId, runId) });
    runId = events?.at(-1)?.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId;
  }
  return runs;
}

async function dayRuns(
  env: TestWorkflowEnvironment,
  name: string,
  client: ReachbackClient,
  input: RangeInput,
): Promise<RecordedRun[]> {
  const runs: RecordedRun[] = [];
  for (const day of ['2025-09-01', '2025-09-02']) {
    const id = `day/${input.workspace}/${input.product}/${day}`;
    try {
      const { runId } = await client.temporal.workflow.getHandle(id).describe();
      runs.push({ name: `${name}.day-${day}`, json: await showHistory(env, id, runId) });
    } catch (error) {
      // A day that the scenario never reached.
      if (!(error instanceof WorkflowNotFoundError)) throw error;
    }
  }
  return runs;
}

async function lastRun(
  env: TestWorkflowEnvironment,
  name: string,
  { id, as }: NonNullable<Scenario['also']>,
  client: ReachbackClient,
): Promise<RecordedRun> {
  const { runId } = await client.temporal.workflow.getHandle(id).describe();
  return { name: `${name}.${as}`, json: await showHistory(env, id, runId) };
}

/** By the CLI, whose JSON is the form in which operators export histories too. */
async function showHistory(env: TestWorkflowEnvironment, workflowId: string, runId: string): Promise<string> {
  const cli = process.env['TEMPORAL_CLI_PATH'] ?? 'temporal';
  const args = [
    'workflow',
    'show',
    '--address',
    env.address,
    '--workflow-id',
    workflowId,
    '--run-id',
    runId,
    '-o',
    'json',
  ];
  return (await promisify(execFile)(cli, args, { maxBuffer: 64 << 20 })).stdout;
}
