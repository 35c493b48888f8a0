/** What activities need from the worker; `src/worker.ts` makes it, tests make it of other parts. */
import type { Logger } from 'pino';
import type { ObjectStore } from '../formats/zarr/index.ts';
import type { Gate } from '../gate/index.ts';
import type { Ledger, StageAttempt } from '../ledger/ledger.ts';
import type { Stage } from '../core/backfill/types.ts';
import type { Notifier } from '../notify/notifier.ts';
import type { UdlSource } from '../sources/udl/index.ts';
import type { Destination } from '../storage/destination.ts';
import type { Staging } from '../storage/staging.ts';
import type { Workspace } from '../storage/workspace.ts';
import type { PlanDependencies } from './plan/plan-days.ts';
import type { DayAttempt } from './types.ts';

/** The worker with the workspace's folder, which builders without it work for. */
export interface HomeStaging {
  readonly side: 'home';
  readonly area: Staging;
}

/** A worker that builds without the workspace's folder. */
export interface BuilderStaging {
  readonly side: 'builder';
  readonly area: Staging;
  /** Folder of this process alone, for days under way. */
  readonly scratch: string;
}

export interface ActivityDependencies {
  readonly workspace: Workspace;
  readonly ledger: Ledger;
  /** Brings the telemetry CSV up to date with the ledger. */
  readonly telemetry: { flush(): Promise<void> };
  readonly gate: Gate;
  /** Null on a worker without a token. */
  readonly source: UdlSource | null;
  readonly planning: PlanDependencies;
  /** The destination at a URI such as `file:///dir`. */
  readonly destinationAt: (uri: string) => Destination;
  /** The place of a Zarr store at a URI such as `file:///dir/reach.zarr`. */
  readonly zarrStoreAt: (uri: string) => ObjectStore;
  /** Where builders on other hosts get a day's file from, and leave its product; absent where all see the folder. */
  readonly staging?: HomeStaging | BuilderStaging;
  /** Hears what stops a run and that it goes on; absent where nobody is to be told. */
  readonly notifier?: Pick<Notifier, 'stopped' | 'wentOn'>;
  readonly log: Logger;
  /** Today's UTC date, `YYYY-MM-DD`. */
  readonly today: () => string;
}

/** The ledger's name for a stage of a day attempt. */
export function stageAttempt({ input, workflowRunId }: DayAttempt, stage: Stage): StageAttempt {
  const { runId, product, day, options } = input;
  const destination = stage === 'upload' && options.uploadTo !== null ? { destination: options.uploadTo } : {};
  return { runId, workflowRunId, product, day, stage, ...destination };
}

/** Wall-clock seconds since `startedAt` (`performance.now()`), to the millisecond. */
export function secondsSince(startedAt: number): number {
  return Math.round(performance.now() - startedAt) / 1000;
}
