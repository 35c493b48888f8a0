/** What a worker process of a workspace does. */
import { taskQueues } from './ids.ts';

/**
 * `all`: everything, on one machine. `download`: all but builds; any number on hosts that see the folder, with one gate in the
 * ledger's database.
 * `build`: builds alone; any number, on any host that sees the workspace's folder, or its staging in S3.
 */
export const WORKER_ROLES = ['all', 'download', 'build'] as const;
export type WorkerRole = (typeof WORKER_ROLES)[number];

/** The task queues that a role polls. */
export function queuesOf(workspace: string, role: WorkerRole): Partial<ReturnType<typeof taskQueues>> {
  const { main, download, build } = taskQueues(workspace);
  if (role === 'build') return { build };
  return role === 'download' ? { main, download } : { main, download, build };
}
