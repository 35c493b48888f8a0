/** The namespace job, the server's settings and the health check on a real dev server. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Connection } from '@temporalio/client';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { NativeConnection, Worker } from '@temporalio/worker';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { findFault } from '../../deploy/worker/health.ts';
import { taskQueues } from '../../src/core/backfill/ids.ts';
import type { DayAttempt } from '../../src/activities/types.ts';
import { ReachbackClient } from '../../src/client.ts';
import { SEARCH_ATTRIBUTES } from '../../src/core/search-attributes.ts';
import { parseDay } from '../../src/core/time/day.ts';
import { loadWorkflowBundle } from '../../src/embedded/workflow-bundle.ts';
import { OPTIONS, fakeActivities } from '../workflows/harness.ts';
import { PROJECT, readProjectFile } from './compose-file.ts';

const run = promisify(execFile);
const settings = parse(readProjectFile('deploy/temporal/dynamicconfig/reachback.yaml')) as Record<
  string,
  { value: unknown }[]
>;
const DAY_S = 86_400;

let server: TestWorkflowEnvironment;
let connection: Connection;
/** A folder with the CLI under the name that it has in the image. */
let programs: string;

beforeAll(async () => {
  const path = process.env['TEMPORAL_CLI_PATH']!;
  programs = await mkdtemp(join(tmpdir(), 'reachback-test-'));
  await symlink(path, join(programs, 'temporal'));
  const values = Object.entries(settings).map(([key, [first]]) => `${key}=${JSON.stringify(first!.value)}`);
  server = await TestWorkflowEnvironment.createLocal({
    server: {
      executable: { type: 'existing-path', path },
      extraArgs: values.flatMap((value) => ['--dynamic-config-value', value]),
    },
  });
  connection = await Connection.connect({ address: server.address });
});

afterAll(async () => {
  await connection?.close();
  await server?.teardown();
  await rm(programs, { recursive: true, force: true });
});

async function initNamespace(namespace: string): Promise<string> {
  const { stdout } = await run('sh', [join(PROJECT, 'deploy/temporal/init-namespace.sh')], {
    env: {
      PATH: `${programs}:/usr/bin:/bin`,
      TEMPORAL_ADDRESS: server.address,
      TEMPORAL_NAMESPACE: namespace,
      WAIT_S: '0.2',
    },
    timeout: 200_000,
  });
  return stdout;
}

async function temporal(...args: string[]): Promise<void> {
  await run(join(programs, 'temporal'), [...args, '--address', server.address]);
}

async function state(namespace: string): Promise<{ retentionDays: number; attributes: Record<string, number> }> {
  const { config } = await connection.workflowService.describeNamespace({ namespace });
  const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
  const ours = Object.entries(customAttributes ?? {}).filter(([name]) => name.startsWith('Reachback'));
  return {
    retentionDays: Number(config?.workflowExecutionRetentionTtl?.seconds) / DAY_S,
    attributes: Object.fromEntries(ours),
  };
}

/** Numbers of the server's enumeration `IndexedValueType`. */
const TYPES = { KEYWORD: 2, INT: 3 } as const;
const OURS = Object.fromEntries(Object.values(SEARCH_ATTRIBUTES).map(({ name, type }) => [name, TYPES[type]]));

test('temporal §6: init-namespace prepares the namespace that is there, and does nothing the second time', async () => {
  expect(await initNamespace('default')).toContain('keeping finished runs for 365 days');
  expect(await state('default')).toEqual({ retentionDays: 365, attributes: OURS });
  expect(await initNamespace('default')).not.toContain('keeping finished runs');
  expect(await state('default')).toEqual({ retentionDays: 365, attributes: OURS });
});

test('temporal §6: init-namespace creates a namespace that is missing, even twice at once', async () => {
  await Promise.all([initNamespace('archive'), initNamespace('archive')]);
  expect(await state('archive')).toEqual({ retentionDays: 365, attributes: OURS });
});

test('temporal §6: init-namespace never shortens what an operator keeps', async () => {
  await temporal('operator', 'namespace', 'create', '--namespace', 'long', '--retention', '730d');
  await initNamespace('long');
  expect(await state('long')).toEqual({ retentionDays: 730, attributes: OURS });
});

test('temporal §6: init-namespace ends in error when a search attribute has another type, and says so', async () => {
  await temporal('operator', 'namespace', 'create', '--namespace', 'taken');
  const name = SEARCH_ATTRIBUTES.day.name;
  await temporal('operator', 'search-attribute', 'create', '--namespace', 'taken', '--name', name, '--type', 'Int');
  await expect(initNamespace('taken')).rejects.toThrow(/ReachbackDay already exists and has different type/);
});

test('temporal §6: every setting of the server is one it knows: a misspelt one would be ignored without a word', async () => {
  const program = await readFile(process.env['TEMPORAL_CLI_PATH']!);
  expect(Object.keys(settings).filter((key) => !program.includes(key))).toEqual([]);
});

test('temporal §6: with the settings an id has at most 255 characters, and a task queue one partition', async () => {
  const start = async (workflowId: string): Promise<unknown> =>
    server.client.workflow.start('none', { workflowId, taskQueue: 'nobody' });
  await expect(start('x'.repeat(255))).resolves.toBeDefined();
  await expect(start('x'.repeat(256))).rejects.toMatchObject({ cause: { details: expect.stringMatching(/length/) } });
  const { activityTaskQueuePartitions } = await connection.workflowService.listTaskQueuePartitions({
    namespace: 'default',
    taskQueue: { name: 'nobody' },
  });
  expect(activityTaskQueuePartitions).toHaveLength(1);
});

test('temporal §6: a worker is healthy while the server sees it polling, and no other host is', async () => {
  const ask = { connection: { address: server.address }, namespace: 'default', workspace: 'data-0000' };
  await expect(findFault({ ...ask, host: hostname() })).resolves.toMatch(/^No worker of .+ has polled .+data-0000/);

  const native = await NativeConnection.connect({ address: server.address });
  const worker = await Worker.create({
    connection: native,
    namespace: ask.namespace,
    taskQueue: taskQueues(ask.workspace).build,
    activities: { none: async () => undefined },
  });
  await worker.runUntil(async () => {
    await expect.poll(() => findFault({ ...ask, host: hostname() })).toBeNull();
    await expect(findFault({ ...ask, host: 'another.host' })).resolves.toMatch(/^No worker of another\.host/);
  });
  await native.close();
});

test('temporal §6: a worker whose server does not answer is not healthy', async () => {
  const ask = { connection: { address: '127.0.0.1:1' }, namespace: 'default', workspace: 'data-0000' };
  await expect(findFault({ ...ask, host: hostname() })).resolves.toMatch(/^The Temporal server does not answer/);
});

test('ADR 0012: where days wait for a worker, those of a schedule go before those of a backfill that waited longer', async () => {
  const workspace = 'data-1111';
  const queues = taskQueues(workspace);
  const { activities } = fakeActivities(undefined, true);
  const built: string[] = [];
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  const scripted = {
    ...activities,
    async buildCdf({ input }: DayAttempt) {
      built.push(input.day);
      await held;
      return { seconds: 1 };
    },
  };
  const native = await NativeConnection.connect({ address: server.address });
  const common = { connection: native, activities: scripted };
  const workers = await Promise.all([
    Worker.create({ ...common, taskQueue: queues.main, workflowBundle: await loadWorkflowBundle() }),
    Worker.create({ ...common, taskQueue: queues.download }),
    Worker.create({ ...common, taskQueue: queues.build, maxConcurrentActivityTaskExecutions: 1 }),
  ]);
  const running = workers.map((worker) => worker.run());
  try {
    const day = (text: string) => parseDay(text);
    const input = { workspace, product: 'reach-101/quicklook', options: OPTIONS, concurrency: 4 } as const;
    const client = new ReachbackClient(connection, 'default');
    const limits = { maxDaysPerRun: 250, searchAttributes: false };
    const range = { runId: 'r', first: day('2025-09-01'), last: day('2025-09-04'), ...limits };
    const { handle } = await client.startRange({ ...input, ...range });
    const waiting = async (count: number): Promise<void> => {
      await expect.poll(async () => (await backlog(queues.build)) >= count).toBe(true);
    };
    await waiting(3);
    const scheduled = await server.client.workflow.start('scheduledBackfill', {
      workflowId: 'schedule/data-1111/daily',
      taskQueue: queues.main,
      args: [{ ...input, ...limits, increment: { kind: 'trailing', days: 2 } }],
    });
    await waiting(5);
    release();
    await Promise.all([handle.result(), scheduled.result()]);
    // One was under way, and one may have been handed to the worker already.
    const backfill = ['01', '02', '03', '04'].map((each) => `2025-09-${each}`);
    const ofSchedule = built.filter((each) => !backfill.includes(each));
    expect(built).toHaveLength(6);
    expect(ofSchedule).toHaveLength(2);
    expect(Math.max(...ofSchedule.map((each) => built.indexOf(each)))).toBeLessThanOrEqual(3);
  } finally {
    release();
    for (const worker of workers) worker.shutdown();
    await Promise.all(running);
    await native.close();
  }
});

/** Activities that wait in a queue for a worker. */
async function backlog(name: string): Promise<number> {
  const { stats } = await connection.workflowService.describeTaskQueue({
    namespace: 'default',
    taskQueue: { name },
    taskQueueType: 2,
    reportStats: true,
  });
  return Number(stats?.approximateBacklogCount ?? 0);
}
