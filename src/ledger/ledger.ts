/**
 * The ledger: the SQL record of every attempt, slice and file. It answers "is this day done?".
 *
 * `attempts` is append-only and is the telemetry of spec/telemetry.md; everything else describes the present.
 * All methods are idempotent: a stage that runs twice leaves what running it once leaves.
 */
import type { DayFailure, Profile, Stage } from '../core/backfill/types.ts';
import type { ProductSlug } from '../core/product.ts';
import type { RecordCounts } from '../core/records/counts.ts';
import type { SourceCheck } from '../core/records/source-check.ts';
import type { Day } from '../core/time/day.ts';
import type { ZarrRecords } from './zarr-days.ts';

/** Statuses of telemetry rows (spec/telemetry.md §2). */
export const TELEMETRY_STATUSES = [
  'DOWNLOAD_PENDING',
  'DOWNLOADED',
  'SKIPPED_NO_DATA',
  'FAILED',
  'PROCESS_PENDING',
  'PROCESSED',
  'UPLOAD_PENDING',
  'UPLOADED',
  'SKIPPED_NO_INPUT',
] as const;
export type TelemetryStatus = (typeof TELEMETRY_STATUSES)[number];

/** Names one attempt at one stage of one day: the run of its day workflow and the stage. */
export interface StageAttempt {
  readonly runId: string;
  /** Run id of the `processDay` execution: engine retries of a stage share it. */
  readonly workflowRunId: string;
  readonly product: ProductSlug;
  readonly day: Day;
  readonly stage: Stage;
  /** Upload only: the delivery base, `file:///dir`. */
  readonly destination?: string;
}

/** How a stage ended well. Seconds are wall-clock of the successful attempt. */
export type StageClosing =
  | {
      readonly status: 'DOWNLOADED';
      readonly seconds: number;
      readonly records: number;
      readonly sizeBytes: number;
      readonly path: string;
    }
  | { readonly status: 'SKIPPED_NO_DATA'; readonly seconds: number; readonly reason: string }
  | {
      readonly status: 'PROCESSED';
      readonly seconds: number;
      readonly sizeBytes: number;
      readonly path: string;
      readonly inputPath: string;
    }
  | { readonly status: 'UPLOADED'; readonly seconds: number; readonly bucket: string; readonly key: string };

export type SliceStatus = 'done' | 'empty' | 'failed';

/** `errorKind` of a failed slice of which an answer is kept whole because it could not be read (TRACK-10). */
export const RAW_UNPROCESSED = 'raw_unprocessed';

/** The latest that is known of one slice of a day. */
export interface SliceRow {
  readonly product: ProductSlug;
  readonly day: Day;
  /** Half-open interval in POSIX milliseconds; with product and day the slice's key. */
  readonly startMs: number;
  readonly endMs: number;
  readonly status: SliceStatus;
  readonly httpStatus: number | null;
  readonly records: number | null;
  /** Bytes of the response body after transport decoding. */
  readonly bytes: number | null;
  /** Of the slice file, lower-case hexadecimal. */
  readonly sha256: string | null;
  /** Failures of the source in the current run of the day workflow; 429 is none. */
  readonly failures: number;
  readonly errorKind: string | null;
  /** Readable start of a wrong body, or the transport's message; secrets removed, at most 1,000 characters. */
  readonly errorDetail: string | null;
  readonly seconds: number | null;
  /** ISO 8601 UTC. */
  readonly updatedAt: string;
  /** Records that the answer held at or behind the slice's end, not kept; null or absent when unknown. */
  readonly outside?: number | null;
}

/** A request that did not bring its slice: it failed, or the source asked for a pause. */
export interface RequestFailureRow {
  readonly product: ProductSlug;
  readonly day: Day;
  /** Of the slice, POSIX milliseconds. */
  readonly startMs: number;
  /** ISO 8601 UTC; with the slice the row's key. */
  readonly endedAt: string;
  readonly host: string;
  /** `rate_limited`, `wrong_kind`, … as the source judged it. */
  readonly kind: string;
  readonly httpStatus: number | null;
  /** What the source asked for, verbatim. */
  readonly retryAfter: string | null;
  /** Readable, secrets removed, at most 1,000 characters. */
  readonly detail: string;
  readonly seconds: number | null;
}

export type ArtifactKind = 'download' | 'product';

/** A file of the workspace. `path` is absolute here; inside the workspace folder the database stores it relative. */
export interface ArtifactRow {
  readonly kind: ArtifactKind;
  readonly product: ProductSlug;
  readonly day: Day;
  readonly path: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  /** Modification time when last known to match the hash, POSIX milliseconds (fraction kept). */
  readonly mtimeMs: number;
  readonly records: number;
  /** Products only. */
  readonly inputSha256: string | null;
  readonly profile: Profile | null;
  readonly version: string | null;
  /** ISO 8601 UTC. */
  readonly createdAt: string;
  /** Set once the file was removed on purpose (`releaseArtifact`); ISO 8601 UTC. */
  readonly releasedAt?: string;
  /** Of a product that an operator brought back: SHA-256 of the download beside which it holds good until that changes. */
  readonly restoredFor?: string;
}

/** Under which version a product was made, and from what. */
export type ProductEdition = Pick<ArtifactRow, 'inputSha256' | 'profile' | 'version'>;

/** A file that somebody put into the input folder, with the hash it had at that size and time. */
export interface InputFileRow {
  /** Absolute. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly mtimeMs: number;
  readonly sha256: string;
}

export interface DeliveryRow {
  readonly product: ProductSlug;
  readonly day: Day;
  readonly destination: string;
  readonly key: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly deliveredAt: string;
}

/** The latest comparison of a day with the source. */
export interface CheckRow extends SourceCheck {
  readonly product: ProductSlug;
  readonly day: Day;
  /** Of the artifact that was compared; null for a day without data. */
  readonly artifactSha256: string | null;
}

/** Latest attempt at a phase of a day, by order of writing (TEL-D10). */
export interface AttemptFact {
  readonly seq: number;
  readonly runId: string;
  readonly status: TelemetryStatus;
  /** For FAILED rows: the stage that failed (TEL-21). */
  readonly stage: Stage;
  /** ISO 8601 UTC with microseconds, as in the telemetry CSV. */
  readonly startedAt: string;
  readonly finishedAt: string | null;
  readonly records: number | null;
  readonly errorType: string | null;
  readonly errorMessage: string | null;
}

/** What the ledger knows of one day of one product. */
export interface DayFacts {
  readonly day: Day;
  /** Latest of download (and count failures). */
  readonly download: AttemptFact | null;
  /** Latest of build, `SKIPPED_NO_INPUT` included. */
  readonly build: AttemptFact | null;
  /** Latest upload to the destination asked for. */
  readonly upload: AttemptFact | null;
  readonly artifact: ArtifactRow | null;
  readonly productFile: ArtifactRow | null;
  /** Delivery to the destination asked for. */
  readonly delivery: DeliveryRow | null;
  readonly counts: RecordCounts | null;
  readonly check: CheckRow | null;
}

/** One go of the engine at a stage of a day. */
export interface PassRow {
  readonly product: ProductSlug;
  readonly day: Day;
  readonly workflowRunId: string;
  readonly stage: Stage;
  /** The engine's attempt, from 1. */
  readonly pass: number;
  /** `process 123 on host`. */
  readonly worker: string;
  /** ISO 8601 UTC. */
  readonly beganAt: string;
  /** Null while it is at work, and for ever when its worker was killed. */
  readonly endedAt: string | null;
  /** `done`, `cancelled` or the kind of the error. */
  readonly outcome: string | null;
  readonly detail: string | null;
}

export interface Ledger extends ZarrRecords {
  /**
   * Appends the PENDING row of a stage once; a second call with the same attempt changes nothing, nor does one of a later
   * workflow run of the same `runId` while the row is not closed. Count has no row.
   */
  openStage(attempt: StageAttempt): Promise<void>;
  /** Appends the row that closes a stage, once, with the start time of its PENDING row (TEL-5). */
  closeStage(attempt: StageAttempt, closing: StageClosing): Promise<void>;
  /** Appends the FAILED row of a day that is given up, once per workflow run. Opens the stage first if it was not open. */
  failStage(attempt: StageAttempt, failure: DayFailure): Promise<void>;
  /** Appends one SKIPPED_NO_INPUT row unless that already is the latest word of the build phase (TEL-19, TEL-D13). */
  recordNoInput(runId: string, product: ProductSlug, day: Day): Promise<void>;

  /** Facts for every day of `first..last`, ascending, also for days without any row. One query per table. */
  dayFacts(product: ProductSlug, first: Day, last: Day, destination: string | null): Promise<DayFacts[]>;

  slices(product: ProductSlug, day: Day): Promise<SliceRow[]>;
  /** Inserts or replaces the slice's row; `failures` is written as given. */
  putSlice(row: SliceRow): Promise<void>;
  /** The same for many in one transaction, all or none: for imports, a few thousand at once. */
  putSlices(rows: readonly SliceRow[]): Promise<void>;
  /** Sets all failure counts of a day to 0: a new run of the day workflow may ask again. */
  resetSliceFailures(product: ProductSlug, day: Day): Promise<void>;
  /** Drops slices of a day whose interval is not among `intervals` (another slice mode was used before). */
  retainSlices(product: ProductSlug, day: Day, intervals: readonly { startMs: number; endMs: number }[]): Promise<void>;

  /** Notes a request that brought nothing, once per slice and moment. */
  putRequestFailure(row: RequestFailureRow): Promise<void>;
  /** Of a day, by slice and time. */
  requestFailures(product: ProductSlug, day: Day): Promise<RequestFailureRow[]>;

  /** Notes that a go at a stage began, or how it ended; again, the later word counts. */
  putPass(row: PassRow): Promise<void>;

  /**
   * Makes `row` the current file of its (product, day, kind); a former row with another path or hash is marked superseded.
   *
   * @throws PipelineError `path_owned` when the path is the current file of another product, day or kind
   */
  putArtifact(row: ArtifactRow): Promise<void>;
  /**
   * Takes up a finished file that a kill left without a row: `putArtifact`, its counts, and, when the latest row of its stage
   * is PENDING, the closing row that is missing.
   */
  adoptArtifact(
    row: ArtifactRow,
    known: { readonly counts: RecordCounts | null; readonly inputPath: string | null },
  ): Promise<void>;
  /** Notes that the current file at `path` is removed on purpose (`--keep-downloads`): its absence is no loss. */
  releaseArtifact(path: string): Promise<void>;
  /** Which (product, day) currently owns a path, or null. */
  artifactOwner(path: string): Promise<{ product: ProductSlug; day: Day } | null>;
  /** Current files of other products on the days `first..last`. */
  artifactsOfOthers(
    product: ProductSlug,
    first: Day,
    last: Day,
  ): Promise<{ kind: ArtifactKind; product: ProductSlug; day: Day; path: string }[]>;
  /** Every product ever made of the day, also those superseded, oldest first. */
  productEditions(product: ProductSlug, day: Day): Promise<ProductEdition[]>;
  putDelivery(row: DeliveryRow): Promise<void>;
  /** Replaces the day's latest comparison with the source. */
  putCheck(row: CheckRow): Promise<void>;
  putCounts(product: ProductSlug, day: Day, artifactSha256: string, counts: RecordCounts): Promise<void>;

  /** The generation date of a product from this input, the first time `today`, for ever after the same (`YYYY-MM-DD`). */
  generationDate(inputSha256: string, profile: Profile, writer: string, today: string): Promise<string>;

  /** Known hashes of files in `folder` (not deeper) that have no artifact row. */
  inputFiles(folder: string): Promise<InputFileRow[]>;
  putInputFile(file: InputFileRow): Promise<void>;

  /** Idempotent; nothing else may be called afterwards. */
  close(): Promise<void>;
}
