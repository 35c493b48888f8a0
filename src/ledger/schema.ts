/** The tables as types for Kysely. The columns are made in `migrations/`; README.md says what each table is for. */
import type { Generated } from 'kysely';
import type { Profile, Stage } from '../core/backfill/types.ts';
import type { CheckState } from '../core/records/source-check.ts';
import type { Day } from '../core/time/day.ts';
import type { AlertPhase } from '../core/report/alert-text.ts';
import type { ArtifactKind, SliceStatus, TelemetryStatus } from './ledger.ts';
import type { Phase } from './reports.ts';

export interface AttemptsTable {
  seq: Generated<number>;
  /** Null for rows that planning wrote (`SKIPPED_NO_INPUT`). */
  workflow_run_id: string | null;
  stage: Stage;
  /** Upload only, else empty. */
  destination: string;
  edge: 'opening' | 'closing';
  product: string;
  day: Day;
  run_id: string;
  status: TelemetryStatus;
  records: number | null;
  expected: number | null;
  download_seconds: number | null;
  artifact_bytes: number | null;
  artifact_path: string | null;
  error_type: string | null;
  error_message: string | null;
  started_at: string;
  finished_at: string | null;
  build_seconds: number | null;
  product_bytes: number | null;
  product_path: string | null;
  upload_seconds: number | null;
  bucket: string | null;
  object_key: string | null;
}

export interface SlicesTable {
  product: string;
  day: Day;
  start_ms: number;
  end_ms: number;
  status: SliceStatus;
  http_status: number | null;
  records: number | null;
  bytes: number | null;
  sha256: string | null;
  failures: number;
  error_kind: string | null;
  error_detail: string | null;
  seconds: number | null;
  updated_at: string;
  /** Null in rows that are older than the column. */
  outside: number | null;
}

export interface ArtifactsTable {
  id: Generated<number>;
  kind: ArtifactKind;
  product: string;
  day: Day;
  path: string;
  size_bytes: number;
  sha256: string;
  mtime_ms: number;
  records: number;
  input_sha256: string | null;
  profile: Profile | null;
  version: string | null;
  created_at: string;
  released_at: string | null;
  /** SHA-256 of the download beside which an operator brought the product back. */
  restored_for: string | null;
  superseded_at: string | null;
  superseded_by: number | null;
}

interface CountsTable {
  product: string;
  day: Day;
  artifact_sha256: string;
  records: number;
  distinct_readings: number;
  /** JSON object: sensor id to records. */
  records_per_sensor: string;
}

interface SourceChecksTable {
  product: string;
  day: Day;
  /** Null for a day without data. */
  artifact_sha256: string | null;
  state: CheckState;
  kept: number;
  counted: number | null;
  reason: string | null;
  checked_at: string;
  asked_at: string;
}

interface DeliveriesTable {
  product: string;
  day: Day;
  destination: string;
  object_key: string;
  size_bytes: number;
  sha256: string;
  delivered_at: string;
}

interface GenerationDatesTable {
  input_sha256: string;
  profile: Profile;
  writer: string;
  generation_date: string;
}

interface InputFilesTable {
  path: string;
  size_bytes: number;
  mtime_ms: number;
  sha256: string;
}

interface TelemetryExportsTable {
  path: string;
  seq: number;
  byte_offset: number;
}

/** The latest row of `attempts` about each phase of a day: follows every row that is appended. */
export interface DayStatesTable {
  product: string;
  day: Day;
  phase: Phase;
  /** Upload only, else empty. */
  destination: string;
  seq: number;
  status: TelemetryStatus;
  error_type: string | null;
  /** When it ended, or began if it has not ended. */
  told_at: string;
}

/** Sums over the slices of a day: follows every change of them. */
export interface SliceDaysTable {
  product: string;
  day: Day;
  slices: number;
  done: number;
  empty: number;
  failed: number;
  records: number;
  /** Records of the slice with data that has the fewest; 0 when none has data. */
  fewest_records: number;
  bytes: number;
  seconds: number;
}

export interface RequestFailuresTable {
  product: string;
  day: Day;
  /** Of the slice that was asked for. */
  start_ms: number;
  ended_at: string;
  host: string;
  kind: string;
  http_status: number | null;
  retry_after: string | null;
  detail: string;
  seconds: number | null;
}

interface ZarrDaysTable {
  store: string;
  day: Day;
  product: string;
  source_path: string;
  source_sha256: string;
  /** JSON object: array to SHA-256 of the day's object, or null. */
  objects: string;
  synced_at: string;
}

/** Failures of one cause; at most one is open for a (product, phase, cause). */
interface AlertsTable {
  id: string;
  product: string;
  phase: AlertPhase;
  cause: string;
  /** What the first failure said. */
  detail: string | null;
  /** Days that ever belonged to it. */
  days: number;
  opened_at: string;
  announced_at: string | null;
  closed_at: string | null;
}

/** Days that are failed for the cause of an open alert; a day whose retry is under way stays. */
interface AlertDaysTable {
  product: string;
  day: Day;
  phase: AlertPhase;
  destination: string;
  alert: string;
}

/** Messages to be sent, at least once each. */
interface OutboxTable {
  id: Generated<number>;
  alert: string;
  kind: 'opens' | 'closes';
  body: string;
  tries: number;
  due_at: string;
  claimed_until: string | null;
  sent_at: string | null;
  last_error: string | null;
}

interface PassesTable {
  product: string;
  day: Day;
  workflow_run_id: string;
  stage: Stage;
  pass: number;
  worker: string;
  began_at: string;
  ended_at: string | null;
  outcome: string | null;
  detail: string | null;
}

/** One row. */
interface WorkspaceTable {
  id: 1;
  name: string;
  claimed_at: string;
}

export interface LedgerTables {
  passes: PassesTable;
  workspace: WorkspaceTable;
  attempts: AttemptsTable;
  slices: SlicesTable;
  artifacts: ArtifactsTable;
  counts: CountsTable;
  source_checks: SourceChecksTable;
  deliveries: DeliveriesTable;
  generation_dates: GenerationDatesTable;
  input_files: InputFilesTable;
  telemetry_exports: TelemetryExportsTable;
  day_states: DayStatesTable;
  slice_days: SliceDaysTable;
  request_failures: RequestFailuresTable;
  zarr_days: ZarrDaysTable;
  alerts: AlertsTable;
  alert_days: AlertDaysTable;
  outbox: OutboxTable;
}
