/**
 * A real Temporal dev server with the real workflows and activities that tests script. One server per test file; every
 * range gets a workspace name of its own, and with it task queues of its own.
 */
import { randomUUID } from 'node:crypto';
import { ApplicationFailure } from '@temporalio/common';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import type { Activities, StageResult } from '../../src/activities/types.ts';
import { ReachbackClient } from '../../src/client.ts';
import type { RangeHandle } from '../../src/client.ts';
import { taskQueues } from '../../src/core/backfill/ids.ts';
import type { RangeInput } from '../../src/core/backfill/range-state.ts';
import type { PlanRequest, PlanResult, RunOptions } from '../../src/core/backfill/types.ts';
import type { ProductSlug } from '../../src/core/product.ts';
import { daysBetween, parseDay } from '../../src/core/time/day.ts';
import type { Day } from '../../src/core/time/day.ts';
import { emptyZarrResult } from '../../src/core/zarr.ts';
import { SEARCH_ATTRIBUTES } from '../../src/core/search-attributes.ts';
import { loadWorkflowBundle } from '../../src/embedded/workflow-bundle.ts';

export const OPTIONS: RunOptions = {
  mode: 'run',
  retryFailed: false,
  uploadTo: null,
  profile: 'parity',
  sliceMode: 'half-open',
  limitDays: null,
};

Runtime.install({ logger: new DefaultLogger('ERROR') });

export async function startTestServer(): Promise<TestWorkflowEnvironment> {
  return await TestWorkflowEnvironment.createLocal({
    server: {
      executable: { type: 'existing-path', path: process.env['TEMPORAL_CLI_PATH']! },
      searchAttributes: Object.values(SEARCH_ATTRIBUTES),
    },
  });
}

export interface FakeWorld {
  /** Days whose every stage ran, in order of ending. */
  readonly finished: Day[];
  /** Days whose `recordDay` said FAILED. */
  readonly failed: Day[];
  readonly plans: PlanRequest[];
  readonly closedIncidents: string[];
  /** Days that went into a Zarr store together. */
  readonly zarrBatches: Day[][];
  /** Most days under way at once. */
  peak: number;
  running: number;
}

/**
 * Activities without disk or network: every day of a plan has work until it is finished.
 *
 * @param staged - days are built elsewhere
 */
export function fakeActivities(
  script: (day: Day, tries: number) => Promise<void> = async () => {},
  staged = false,
): {
  world: FakeWorld;
  activities: Activities;
} {
  const world: FakeWorld = {
    finished: [],
    failed: [],
    plans: [],
    closedIncidents: [],
    zarrBatches: [],
    peak: 0,
    running: 0,
  };
  const planned = staged
    ? { stages: ['download', 'count', 'build'] as const, staged }
    : { stages: ['download', 'count'] as const };
  const tries = new Map<Day, number>();
  const stage = async (): Promise<StageResult> => ({ seconds: 1 });
  const activities: Activities = {
    async planRange(request): Promise<PlanResult> {
      world.plans.push(request);
      const ascending = request.days ?? daysBetween(request.first, request.last);
      const asked = request.options.newestFirst === true ? ascending.toReversed() : ascending;
      const open = asked.filter((day) => !world.finished.includes(day));
      const failedBefore = request.options.retryFailed ? [] : open.filter((day) => world.failed.includes(day));
      const work = open.filter((day) => !failedBefore.includes(day));
      const limit = request.options.limitDays ?? Infinity;
      const days = work.slice(0, limit).map((day) => ({ day, ...planned, reason: 'not downloaded yet' }));
      const skipped = { existing: asked.length - open.length, noData: 0, failed: failedBefore.length, noInput: 0 };
      return { days, skipped, limited: work.length > limit };
    },
    async downloadWindow({ input }): Promise<StageResult> {
      world.running += 1;
      world.peak = Math.max(world.peak, world.running);
      const attempt = (tries.get(input.day) ?? 0) + 1;
      tries.set(input.day, attempt);
      try {
        await script(input.day, attempt);
      } finally {
        world.running -= 1;
      }
      return { seconds: 1, records: 100, requests: 4 };
    },
    async countRecords({ input }) {
      world.finished.push(input.day);
      return await stage();
    },
    buildCdf: stage,
    stageInput: async ({ input }) => ({
      key: `days/${input.product}/${input.day}/input`,
      sizeBytes: 1,
      sha256: '0'.repeat(64),
    }),
    takeProduct: stage,
    uploadProduct: stage,
    async recordDay({ input, failure }) {
      if (failure) world.failed.push(input.day);
    },
    async closeIncident(incident) {
      world.closedIncidents.push(incident);
    },
    async planZarr({ product, after, limit }) {
      const days = world.finished.toSorted().filter((day) => after === null || day > after);
      const settings = { product, origin: parseDay('2025-01-01'), exactTimes: false };
      return { settings, days: days.slice(0, limit).map((day) => ({ day, path: `/${day}.cdf`, sha256: day })) };
    },
    async syncZarrDays({ store, days }) {
      world.zarrBatches.push(days.map(({ day }) => day));
      return { ...emptyZarrResult(store), written: days.length };
    },
    prepareZarrRebuild: async (store) => `${store}.rebuild`,
    finishZarrRebuild: async () => undefined,
  };
  return { world, activities };
}

/** A download failure of the given kind, as activities throw it. */
export function failure(kind: string, message: string, details: Record<string, unknown> = {}): ApplicationFailure {
  return ApplicationFailure.create({ type: kind, message, nonRetryable: true, details: [details] });
}

export interface ScenarioOptions {
  readonly first?: string;
  readonly last?: string;
  readonly concurrency?: number;
  readonly maxDaysPerRun?: number;
  readonly measureFirst?: boolean;
  readonly options?: Partial<RunOptions>;
  readonly workspace?: string;
  readonly product?: ProductSlug;
}

/** Starts a range and a worker with scripted activities; ends the worker after `drive`. */
export async function withRange<T>(
  env: TestWorkflowEnvironment,
  activities: Activities,
  scenario: ScenarioOptions,
  drive: (handle: RangeHandle, client: ReachbackClient, input: RangeInput) => Promise<T>,
): Promise<T> {
  const input: RangeInput = {
    workspace: scenario.workspace ?? `test-${randomUUID().slice(0, 8)}`,
    runId: randomUUID(),
    product: scenario.product ?? 'reach-101/quicklook',
    first: parseDay(scenario.first ?? '2025-09-01'),
    last: parseDay(scenario.last ?? '2025-09-04'),
    options: { ...OPTIONS, ...scenario.options },
    concurrency: scenario.concurrency ?? 2,
    maxDaysPerRun: scenario.maxDaysPerRun ?? 250,
    searchAttributes: true,
    ...(scenario.measureFirst === true && { measureFirst: true }),
  };
  const queues = taskQueues(input.workspace);
  const workflowBundle = await loadWorkflowBundle();
  const common = { connection: env.nativeConnection, activities };
  const workers = await Promise.all([
    Worker.create({ ...common, taskQueue: queues.main, workflowBundle }),
    Worker.create({ ...common, taskQueue: queues.download }),
    Worker.create({ ...common, taskQueue: queues.build }),
  ]);
  const client = new ReachbackClient(env.connection, 'default');
  const [main, ...others] = workers;
  return await main.runUntil(async () => {
    const running = others.map((worker) => worker.run());
    try {
      const { handle } = await client.startRange(input);
      return await drive(handle, client, input);
    } finally {
      for (const worker of others) worker.shutdown();
      await Promise.all(running);
    }
  });
}

/** Waits until `holds`; fails with the last value after a minute. */
export async function eventually<T>(read: () => Promise<T>, holds: (value: T) => boolean): Promise<T> {
  const end = Date.now() + 60_000;
  for (;;) {
    const value = await read();
    if (holds(value)) return value;
    if (Date.now() > end) throw new Error(`never held; last: ${JSON.stringify(value)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
