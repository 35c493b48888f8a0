/** The contract between workflows and activities: workflows import it as types, nothing else of this folder. */
import type { ProductSlug } from '../core/product.ts';
import type { Day } from '../core/time/day.ts';
import type { ZarrDay, ZarrResult, ZarrTarget } from '../core/zarr.ts';
import type { DayFailure, DayInput, DayResult, PlanRequest, PlanResult } from '../core/backfill/types.ts';

/** One run of `processDay`: engine retries of its activities share it. */
export interface DayAttempt {
  readonly input: DayInput;
  readonly workflowRunId: string;
  /** Workflow id of the range that asked for the day. */
  readonly range?: string;
  /** `recordDay` only: set when the day is given up. */
  readonly failure?: DayFailure;
  /** `buildCdf` and `takeProduct` only: where the day's file is staged. */
  readonly staged?: StagedInput;
}

/** A day's file, staged for builders that do not see the workspace's folder. */
export interface StagedInput {
  /** Below the staging's base. */
  readonly key: string;
  readonly sizeBytes: number;
  /** Lower-case hexadecimal. */
  readonly sha256: string;
}

/** What a stage adds to the day's result. */
export type StageResult = Pick<DayResult, 'seconds'> & Partial<Omit<DayResult, 'day' | 'stagesDone'>>;

/** What a Zarr store is made with; see `src/products/reach-zarr/layout.ts`. */
interface ZarrSettings {
  readonly product: ProductSlug;
  readonly origin: Day;
  readonly exactTimes: boolean;
}

export interface ZarrPlanRequest {
  readonly product: ProductSlug;
  readonly target: ZarrTarget;
  /** The store to write, by URI: the target's, or the new one of a rebuild. */
  readonly store: string;
  /** Only later days. */
  readonly after: Day | null;
  readonly limit: number;
}

export interface ZarrPlan {
  readonly settings: ZarrSettings;
  /** Ascending, at most `limit`. */
  readonly days: readonly ZarrDay[];
}

export interface ZarrBatch {
  readonly store: string;
  readonly settings: ZarrSettings;
  readonly days: readonly ZarrDay[];
}

export interface Activities {
  planRange(request: PlanRequest): Promise<PlanResult>;
  downloadWindow(attempt: DayAttempt): Promise<StageResult>;
  countRecords(attempt: DayAttempt): Promise<StageResult>;
  buildCdf(attempt: DayAttempt): Promise<StageResult>;
  /** Before a build that may happen on a host without the workspace's folder; null when nothing is staged (any more). */
  stageInput(attempt: DayAttempt): Promise<StagedInput | null>;
  /** After it: the product to its place. */
  takeProduct(attempt: DayAttempt): Promise<StageResult>;
  uploadProduct(attempt: DayAttempt): Promise<StageResult>;
  recordDay(attempt: DayAttempt): Promise<void>;
  /** Closes the gate's incident if it is still the current one; the next request is a probe. */
  closeIncident(incident: string): Promise<void>;
  planZarr(request: ZarrPlanRequest): Promise<ZarrPlan>;
  syncZarrDays(batch: ZarrBatch): Promise<ZarrResult>;
  /** Clears the place of a store's successor and answers its URI. */
  prepareZarrRebuild(store: string): Promise<string>;
  /** Checks the successor and puts it in the store's place. */
  finishZarrRebuild(store: string): Promise<void>;
}
