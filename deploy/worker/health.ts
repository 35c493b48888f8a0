/**
 * The health check of the worker's image: has the Temporal server lately seen this machine poll the workspace's task queues?
 * That holds only while server, connection, workspace and worker are all well. Prints one line; exit code 0 or 1.
 */
import { hostname } from 'node:os';
import { pathToFileURL } from 'node:url';
import { Connection } from '@temporalio/client';
import type { ConnectionOptions } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { readEnvironment } from '../../src/config.ts';
import { taskQueues } from '../../src/core/backfill/ids.ts';
import { locateWorkspace } from '../../src/storage/workspace.ts';

/** A poll without work lasts up to a minute and is then renewed at once. */
const LATELY_MS = 120_000;
const CALL_TIMEOUT_MS = 5_000;
/** Of the server's API: pollers of activities, `TASK_QUEUE_TYPE_ACTIVITY`. */
const ACTIVITY = 2;

interface HealthRequest {
  readonly connection: ConnectionOptions;
  readonly namespace: string;
  /** Name of the workspace. */
  readonly workspace: string;
  /** What a worker's identity contains when it is ours. */
  readonly host: string;
}

/** @returns null when a worker of this host polls, otherwise what is wrong, in a sentence */
export async function findFault({
  connection: options,
  namespace,
  workspace,
  host,
}: HealthRequest): Promise<string | null> {
  const queues = Object.values(taskQueues(workspace));
  const since = Date.now() - LATELY_MS;
  let connection: Connection | undefined;
  try {
    connection = await Connection.connect({ ...options, connectTimeout: CALL_TIMEOUT_MS });
    const { workflowService } = connection;
    const described = await connection.withDeadline(Date.now() + CALL_TIMEOUT_MS, () =>
      Promise.all(
        queues.map((name) =>
          workflowService.describeTaskQueue({ namespace, taskQueue: { name }, taskQueueType: ACTIVITY }),
        ),
      ),
    );
    const seen = described
      .flatMap(({ pollers }) => pollers ?? [])
      .some(
        ({ identity, lastAccessTime }) =>
          identity?.includes(host) === true && Number(lastAccessTime?.seconds ?? 0) * 1000 >= since,
      );
    return seen ? null : `No worker of ${host} has polled the queues of ${workspace} for ${LATELY_MS / 1000} s.`;
  } catch (error) {
    return `The Temporal server does not answer: ${error instanceof Error ? error.message : String(error)}`;
  } finally {
    await connection?.close();
  }
}

async function findFaultHere(): Promise<string | null> {
  const environment = readEnvironment(process.env, process.cwd());
  const { name, root } = await locateWorkspace({ dir: process.argv[2] ?? './data' });
  if (name === null) return `There is no workspace in ${root} yet.`;
  const variables = Object.entries(environment.variables).filter((entry): entry is [string, string] =>
    Boolean(entry[1]),
  );
  const { connectionOptions } = loadClientConnectConfig({ overrideEnvVars: Object.fromEntries(variables) });
  return findFault({
    connection: connectionOptions,
    namespace: environment.temporalNamespace,
    workspace: name,
    host: hostname(),
  });
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const fault = await findFaultHere();
  console.log(fault ?? 'polling');
  process.exitCode = fault === null ? 0 : 1;
}
