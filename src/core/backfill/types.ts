/**
 * The vocabulary of a backfill: stages, plans, inputs and results that travel between client, workflows and activities.
 *
 * Everything here is plain JSON: no `Date`, no class, no `Map`. Values stay small (a payload is at most 2 MB).
 */
import type { ErrorKind } from '../errors.ts';
import type { ProductSlug } from '../product.ts';
import type { CheckState } from '../records/source-check.ts';
import type { Day } from '../time/day.ts';
import type { ZarrTarget } from '../zarr.ts';
import type { KeepDownloads } from './keep-downloads.ts';

/** A day's four steps, in order; one activity each. */
export const STAGES = ['download', 'count', 'build', 'upload'] as const;
export type Stage = (typeof STAGES)[number];

/** `run` does all stages; `download` the first two; `process` the last two (spec/cli.md). */
export type RunMode = 'run' | 'download' | 'process';

/** How a product file is written: as the published one, or corrected after ISTP. */
export const PROFILES = ['parity', 'istp'] as const;
export type Profile = (typeof PROFILES)[number];

/** How a slice is asked for: `half-open` as in design §3, `compat` with the +1 s step of UDL-14. */
export const SLICE_MODES = ['half-open', 'compat'] as const;
export type SliceMode = (typeof SLICE_MODES)[number];

/** The options of a run that workflows and planning need; paths and pacing belong to the worker. */
export interface RunOptions {
  readonly mode: RunMode;
  /** Try days again whose last attempt FAILED. */
  readonly retryFailed: boolean;
  /** Compare days that are done with the source again, also final ones (UDL-D14). Default false. */
  readonly refresh?: boolean;
  /** Days are completed from what is kept of them; the source is not asked. Default false. */
  readonly offline?: boolean;
  /** Where products go, `file:///dir` or `s3://bucket/prefix`; null for no upload stage. */
  readonly uploadTo: string | null;
  /** Delivered objects of other content may be replaced; absent for no. */
  readonly replace?: boolean;
  /** Which day files stay once their product is done; absent for all. */
  readonly keepDownloads?: KeepDownloads;
  /** `download` only: fetch day files again that were removed after delivery; absent for no. */
  readonly fetchReleased?: boolean;
  /** Where a bucket without versions keeps what is replaced, below the destination; absent for the standard one. */
  readonly backupPrefix?: string;
  readonly profile: Profile;
  readonly sliceMode: SliceMode;
  /** At most this many days get work (TEL-25 with TEL-D7); null for no limit. */
  readonly limitDays: number | null;
  /** Days are taken from the last to the first; absent for no. */
  readonly newestFirst?: boolean;
  /** Zarr store to bring up to date when the range has come to its end. */
  readonly zarr?: ZarrTarget;
}

/** Asks which of the days `first..last` (both included) have work; `days` narrows that to some of them. */
export interface PlanRequest {
  readonly runId: string;
  readonly product: ProductSlug;
  readonly first: Day;
  readonly last: Day;
  readonly days?: readonly Day[];
  readonly options: RunOptions;
}

/** The day is done; its download looks whether the source has more by now. */
export interface Recheck {
  /** Stages that are to be done also when it has not. */
  readonly anyway: readonly Stage[];
}

export interface PlannedDay {
  readonly day: Day;
  /** Stages to do, in order; never empty. */
  readonly stages: readonly Stage[];
  readonly recheck?: Recheck;
  /** Its build may happen on a host without the workspace's folder. Absent for no. */
  readonly staged?: boolean;
  /** One clause for people: why this day has work. */
  readonly reason: string;
}

/** Days that need nothing, by the reason why (TEL-28, TEL-29, SAFE-8). */
export interface SkipCounts {
  /** Everything asked for exists and is intact. */
  readonly existing: number;
  /** The source had nothing, and the day is old enough for that to be final. */
  readonly noData: number;
  /** Failed before, and `retryFailed` was not given. */
  readonly failed: number;
  /** `process` found no input file. */
  readonly noInput: number;
}

export interface PlanResult {
  /** Days with work, in the order in which they are to be done: ascending, descending with `newestFirst`. */
  readonly days: readonly PlannedDay[];
  readonly skipped: SkipCounts;
  /** Whether `limitDays` cut the plan short. */
  readonly limited: boolean;
}

/** Input of `processDay`. */
export interface DayInput {
  readonly workspace: string;
  readonly runId: string;
  readonly product: ProductSlug;
  readonly day: Day;
  readonly stages: readonly Stage[];
  readonly recheck?: Recheck;
  /** As planned. */
  readonly staged?: boolean;
  readonly reason: string;
  readonly options: RunOptions;
  /** Whether the server knows the custom search attributes. */
  readonly searchAttributes: boolean;
}

/** `unchanged`: looked at again, and nothing had come. */
export type DayOutcome = 'done' | 'no_data' | 'unchanged';

/** Result of `processDay`: a summary, never records. Fields are absent for stages that were not done. */
export interface DayResult {
  readonly day: Day;
  readonly outcome: DayOutcome;
  readonly records?: number;
  readonly distinctReadings?: number;
  readonly availabilityPct?: number;
  readonly downloadBytes?: number;
  readonly productBytes?: number;
  /** Absolute path of the product on the worker. */
  readonly productPath?: string;
  /** Of the product: with day and path what follows a change of the archive needs (APPEND-2); the ledger keeps it too. */
  readonly productSha256?: string;
  /** Where the product was delivered, as a URI. */
  readonly deliveredTo?: string;
  /** Requests that this run of the day sent to the source. */
  readonly requests?: number;
  /** How the day stands against the source's own count, when the download compared it. */
  readonly check?: CheckState;
  /** Sum of the wall-clock seconds of the stages done, as their activities measured them. */
  readonly seconds: number;
  /** Stages that this run of the day brought to an end. */
  readonly stagesDone: readonly Stage[];
}

/** Why a day is not done; kept in the range's state and in the ledger. */
export interface DayFailure {
  readonly stage: Stage;
  readonly kind: ErrorKind | 'cancelled' | 'unknown';
  /** At most about 300 characters. */
  readonly message: string;
  /** What the operator should do, when the error knew. */
  readonly hint?: string;
  /** Requests that this run of the day sent to the source before it ended. */
  readonly requests?: number;
  /** Stages that this run of the day had brought to an end before. */
  readonly stagesDone?: readonly Stage[];
  /** The gate's incident that stopped the run, to be closed by `resume`. */
  readonly incident?: string;
}

/** What a stage under way tells through its heartbeat; shown by the web UI and the terminal. Under 1 kB. */
export interface StageHeartbeat {
  readonly phase: string;
  /** Units done and in all: slices for a download, bytes for the rest. */
  readonly done: number;
  readonly total: number;
  readonly records?: number;
  readonly bytes?: number;
  /** Requests sent by this and earlier attempts; the next attempt counts on from here. */
  readonly requests?: number;
  /** Requests per second that the gate allows now. */
  readonly rate?: number;
  /** Set while nothing moves on purpose: until when (ISO 8601 UTC) and why. */
  readonly waiting?: { readonly until: string; readonly why: string };
}

/** Values of the search attribute `ReachbackState`. */
export const RANGE_STATES = [
  'Planning',
  'Running',
  'Paused',
  'Cooldown',
  'NeedsAttention',
  'Finishing',
  'Done',
] as const;
export type RangeStateName = (typeof RANGE_STATES)[number];
