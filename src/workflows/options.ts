/**
 * Timeouts and retry rules of activities, each with its reason. The engine retries; nothing below it does.
 */
import type { ActivityOptions } from '@temporalio/workflow';

/** Activities beat every two seconds from a timer of the worker; four beats missed mean that it is gone. */
const HEARTBEAT_TIMEOUT = '10s';

/** Light work on the ledger and the disk. It beats like the others: a worker killed in it would else hold its day up for ten minutes. */
export const LIGHT: ActivityOptions = {
  startToCloseTimeout: '10 minutes',
  heartbeatTimeout: HEARTBEAT_TIMEOUT,
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '1 minute', maximumAttempts: 20 },
};

/**
 * One download activity lasts as long as its day does. The heartbeat is the crash detector. No limit on attempts: worker
 * crashes count as attempts too, and what the source may fail is counted per slice in the ledger.
 */
export const DOWNLOAD: ActivityOptions = {
  startToCloseTimeout: '6 hours',
  heartbeatTimeout: HEARTBEAT_TIMEOUT,
  retry: { initialInterval: '5s', backoffCoefficient: 2, maximumInterval: '5 minutes' },
};

/** Twenty attempts: enough for deploys and crashes, few enough that a file which kills the worker ends as FAILED. */
export const COMPUTE: ActivityOptions = {
  startToCloseTimeout: '1 hour',
  heartbeatTimeout: HEARTBEAT_TIMEOUT,
  retry: { initialInterval: '2s', backoffCoefficient: 2, maximumInterval: '1 minute', maximumAttempts: 20 },
};

/** About half an hour of a destination that does not answer. */
export const UPLOAD: ActivityOptions = {
  startToCloseTimeout: '1 hour',
  heartbeatTimeout: HEARTBEAT_TIMEOUT,
  retry: { initialInterval: '5s', backoffCoefficient: 2, maximumInterval: '5 minutes', maximumAttempts: 12 },
};
