/** What the embedded server must offer before work starts: health, our search attributes, and a history that lasts. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';
import { SEARCH_ATTRIBUTES } from '../core/search-attributes.ts';

export const NAMESPACE = 'default';

/** The server's own default is one day, after which finished runs vanish from the UI. */
const RETENTION_SECONDS = 365 * 86_400;
/** Of the gRPC health protocol. */
const SERVING = 1;
const CALL_TIMEOUT_MS = 2_000;
const POLL_MS = 50;

/** Waits until the server at `address` answers, knows our search attributes and keeps history for a year. Idempotent. */
export async function prepareServer(address: string, signal: AbortSignal): Promise<void> {
  const connection = Connection.lazy({
    address,
    // The loop below is the retry: quick, and over as soon as the signal says so.
    interceptors: [],
    channelArgs: { 'grpc.initial_reconnect_backoff_ms': 50, 'grpc.max_reconnect_backoff_ms': 200 },
  });
  try {
    for (;;) {
      signal.throwIfAborted();
      const attempt = (): Promise<boolean> =>
        connection.withDeadline(Date.now() + CALL_TIMEOUT_MS, () => isReady(connection));
      const ready = await connection.withAbortSignal(signal, attempt).catch(() => false);
      if (ready) break;
      await sleep(POLL_MS, undefined, { signal });
    }
    await raiseRetention(connection);
  } finally {
    await connection.close();
  }
}

async function isReady(connection: Connection): Promise<boolean> {
  const health = await connection.healthService.check({ service: 'temporal.api.workflowservice.v1.WorkflowService' });
  const status: number = health.status;
  if (status !== SERVING) return false;
  const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace: NAMESPACE });
  return Object.values(SEARCH_ATTRIBUTES).every(({ name }) => name in (customAttributes ?? {}));
}

async function raiseRetention(connection: Connection): Promise<void> {
  const { config } = await connection.workflowService.describeNamespace({ namespace: NAMESPACE });
  const seconds = Number(config?.workflowExecutionRetentionTtl?.seconds ?? 0);
  if (seconds >= RETENTION_SECONDS) return;
  await connection.workflowService.updateNamespace({
    namespace: NAMESPACE,
    config: { workflowExecutionRetentionTtl: msToTs(RETENTION_SECONDS * 1000) },
  });
}
