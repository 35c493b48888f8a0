/** The telemetry CSV's columns and how a ledger row is written as one of its lines (TEL-1…6). */
import { parseProductSlug } from '../core/product.ts';
import { availabilityPct } from '../core/records/counts.ts';
import { addDays } from '../core/time/day.ts';
import type { AttemptRecord } from './telemetry-log.ts';

export const TELEMETRY_COLUMNS = [
  'run_id',
  'chunk_date_utc',
  'window_start_utc',
  'window_end_utc',
  'status',
  'records_downloaded',
  'expected_records',
  'availability_pct',
  'download_seconds',
  'csv_size_mb',
  'csv_path',
  'sensor_id',
  'descriptor',
  'output_format',
  'error_type',
  'error_message',
  'started_at_utc',
  'finished_at_utc',
  'process_seconds',
  'cdf_size_mb',
  'cdf_path',
  'upload_seconds',
  's3_bucket',
  's3_key',
] as const;
export type TelemetryColumn = (typeof TELEMETRY_COLUMNS)[number];

/** Older files end at `finished_at_utc` (TEL-32). */
export const OLD_COLUMN_COUNT = 18;

/** The column names say "mb" and mean MiB (TEL-D14). */
const MIB = 1_048_576;

/** One CSV line with its CRLF; fields are quoted only where they must be (TEL-1). */
export function csvLine(fields: readonly string[]): string {
  return `${fields.map(csvField).join(',')}\r\n`;
}

function csvField(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** The line of a ledger row; missing values are empty (TEL-4). */
export function telemetryLine(row: AttemptRecord): string {
  const { sensor, descriptor, format } = parseProductSlug(row.product);
  const isDownload = row.stage === 'download' || row.stage === 'count';
  const midnight = (day: string): string => (isDownload ? `${day}T00:00:00+00:00` : '');
  const availability =
    row.records === null || row.expected === null ? null : availabilityPct(row.records, row.expected);
  const values: Record<TelemetryColumn, string> = {
    run_id: row.run_id,
    chunk_date_utc: row.day,
    window_start_utc: midnight(row.day),
    window_end_utc: midnight(addDays(row.day, 1)),
    status: row.status,
    records_downloaded: integer(row.records),
    expected_records: integer(row.expected),
    availability_pct: decimals(availability, 4),
    download_seconds: decimals(row.download_seconds, 3),
    csv_size_mb: mebibytes(row.artifact_bytes),
    csv_path: row.artifact_path ?? '',
    sensor_id: sensor,
    descriptor,
    output_format: format,
    error_type: row.error_type ?? '',
    error_message: row.error_message ?? '',
    started_at_utc: row.started_at,
    finished_at_utc: row.finished_at ?? '',
    process_seconds: decimals(row.build_seconds, 3),
    cdf_size_mb: mebibytes(row.product_bytes),
    cdf_path: row.product_path ?? '',
    upload_seconds: decimals(row.upload_seconds, 3),
    s3_bucket: row.bucket ?? '',
    s3_key: row.object_key ?? '',
  };
  return csvLine(TELEMETRY_COLUMNS.map((column) => values[column]));
}

function integer(value: number | null): string {
  return value === null ? '' : String(value);
}

function decimals(value: number | null, count: number): string {
  return value === null ? '' : value.toFixed(count);
}

function mebibytes(bytes: number | null): string {
  return decimals(bytes === null ? null : bytes / MIB, 4);
}
