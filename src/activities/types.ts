/** The contract between workflows and activities: workflows import it as types, nothing else of this folder. */
import type { DayFailure, DayInput, DayResult, PlanRequest, PlanResult } from '../core/backfill/types.ts';

/** One run of `processDay`: engine retries of its activities share it. */
export interface DayAttempt {
  readonly input: DayInput;
  readonly workflowRunId: string;
  /** Workflow id of the range that asked for the day. */
  readonly range?: string;
  /** `recordDay` only: set when the day is given up. */
  readonly failure?: DayFailure;
}

/** What a stage adds to the day's result. */
export type StageResult = Pick<DayResult, 'seconds'> & Partial<Omit<DayResult, 'day' | 'stagesDone'>>;

export interface Activities {
  planRange(request: PlanRequest): Promise<PlanResult>;
  downloadWindow(attempt: DayAttempt): Promise<StageResult>;
  countRecords(attempt: DayAttempt): Promise<StageResult>;
  buildCdf(attempt: DayAttempt): Promise<StageResult>;
  uploadProduct(attempt: DayAttempt): Promise<StageResult>;
  recordDay(attempt: DayAttempt): Promise<void>;
  /** Closes the gate's incident if it is still the current one; the next request is a probe. */
  closeIncident(incident: string): Promise<void>;
}
