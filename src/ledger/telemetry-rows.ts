/** Rows of a telemetry CSV as rows of `attempts`: the inverse of `telemetryLine`, as far as the CSV tells. */
import type { Insertable } from 'kysely';
import type { Stage } from '../core/backfill/types.ts';
import { parseDescriptor, parseSensor, productSlug } from '../core/product.ts';
import type { ProductSlug } from '../core/product.ts';
import { isDay } from '../core/time/day.ts';
import type { Day } from '../core/time/day.ts';
import { TELEMETRY_STATUSES } from './ledger.ts';
import type { TelemetryStatus } from './ledger.ts';
import type { AttemptsTable } from './schema.ts';
import { storableText } from './storable-text.ts';
import type { TelemetryRow } from './telemetry-read.ts';

/** Paths are absolute. */
export type ImportedAttempt = Omit<Insertable<AttemptsTable>, 'seq'>;

const MIB = 1_048_576;
/** Parts of the key that S3-1 gives a product: level, type, year, month, day, name. */
const KEY_PARTS = 6;

const STAGE_OF: Readonly<Record<Exclude<TelemetryStatus, 'FAILED'>, Stage>> = {
  DOWNLOAD_PENDING: 'download',
  DOWNLOADED: 'download',
  SKIPPED_NO_DATA: 'download',
  PROCESS_PENDING: 'build',
  PROCESSED: 'build',
  SKIPPED_NO_INPUT: 'build',
  UPLOAD_PENDING: 'upload',
  UPLOADED: 'upload',
};

export interface TelemetryRows {
  /**
   * What becomes of a row: the attempts to be written now, or why it is none. A beginning of an upload is held back until its
   * end tells where it went.
   */
  take(row: TelemetryRow): { readonly attempts: readonly ImportedAttempt[] } | { readonly refused: string };
  /** What is still held back at the end of the file. */
  rest(): ImportedAttempt[];
}

/** Reads the rows of one file in order. What it keeps in mind are the stages that have begun and not ended. */
export function createTelemetryRows(): TelemetryRows {
  /** Stage of the latest beginning of each day, by run and start time (TEL-21). */
  const begun = new Map<string, { readonly key: string; readonly stage: Stage }>();
  const uploads = new Map<string, ImportedAttempt>();
  const productOf = createProductNames();
  return {
    take(row) {
      const identity = identityOf(row, productOf);
      if (typeof identity === 'string') return { refused: identity };
      const { product, status } = identity;
      const day = `${product} ${row.chunk_date_utc}`;
      const key = `${row.run_id} ${row.started_at_utc}`;
      const beginning = begun.get(day);
      const stage =
        status === 'FAILED' ? failedStage(row, beginning?.key === key ? beginning.stage : null) : STAGE_OF[status];
      const attempt = attemptOf(row, identity, stage);
      if (attempt.edge === 'opening') begun.set(day, { key, stage });
      else begun.delete(day);
      if (stage !== 'upload') return { attempts: [attempt] };

      const held = uploads.get(day);
      uploads.delete(day);
      if (attempt.edge === 'opening') {
        uploads.set(day, attempt);
        return { attempts: held === undefined ? [] : [held] };
      }
      const destination = status === 'UPLOADED' ? deliveryOf(row).destination : '';
      const opening = held === undefined ? [] : [{ ...held, destination }];
      return { attempts: [...opening, { ...attempt, destination }] };
    },
    rest() {
      const left = [...uploads.values()];
      uploads.clear();
      return left;
    },
  };
}

/** Where an UPLOADED row's product went: the destination as `--upload-to` names it, and the key below. */
export function deliveryOf({ s3_bucket: bucket, s3_key: key }: Pick<TelemetryRow, 's3_bucket' | 's3_key'>): {
  destination: string;
  key: string;
} {
  if (bucket.startsWith('file:')) return { destination: bucket, key };
  const parts = key.split('/');
  const prefix = parts.slice(0, -KEY_PARTS).map((part) => `/${part}`);
  return { destination: `s3://${bucket}${prefix.join('')}`, key: parts.slice(-KEY_PARTS).join('/') };
}

interface Identity {
  readonly day: Day;
  readonly product: ProductSlug;
  readonly status: TelemetryStatus;
}

/** Which product and status a row is about, or why nobody can tell. */
function identityOf(row: TelemetryRow, productOf: ProductNames): Identity | string {
  const { chunk_date_utc: day, output_format: format } = row;
  if (!isDay(day)) return `"${shown(day)}" is not a date`;
  const status = TELEMETRY_STATUSES.find((known) => known === row.status);
  if (status === undefined) return `"${shown(row.status)}" is not a status`;
  if (row.run_id === '' || !Number.isFinite(Date.parse(row.started_at_utc))) return 'no run or no start time';
  if (format !== 'csv' && format !== 'json') return `"${shown(format)}" is not a format`;
  const product = productOf(row.sensor_id, row.descriptor, format);
  if (product === null) return `"${shown(row.sensor_id)}" with "${shown(row.descriptor)}" is not a product`;
  return { day, status, product };
}

type ProductNames = (sensor: string, descriptor: string, format: string) => ProductSlug | null;

/** A file that names more than these makes the memory of them begin anew. */
const MOST_PRODUCTS = 1_000;

/** The product that a row's columns name, however they were typed; null when they name none. */
export function createProductNames(): ProductNames {
  const known = new Map<string, ProductSlug | null>();
  return (sensor, descriptor, format) => {
    const name = `${sensor}\n${descriptor}\n${format}`;
    let product = known.get(name);
    if (product === undefined) {
      product = readProduct(sensor, descriptor, format);
      if (known.size >= MOST_PRODUCTS) known.clear();
      known.set(name, product);
    }
    return product;
  };
}

function readProduct(sensor: string, descriptor: string, format: string): ProductSlug | null {
  if (format !== 'csv' && format !== 'json') return null;
  try {
    return productSlug({ sensor: parseSensor(sensor, true), descriptor: parseDescriptor(descriptor), format });
  } catch {
    return null;
  }
}

function shown(text: string): string {
  return text.slice(0, 80);
}

/** TEL-21. */
function failedStage(row: TelemetryRow, begun: Stage | null): Stage {
  if (begun !== null) return begun;
  if (row.upload_seconds !== '') return 'upload';
  if (row.process_seconds !== '' && row.cdf_path === '') return 'build';
  return row.window_start_utc === '' ? 'build' : 'download';
}

function attemptOf(row: TelemetryRow, { product, day, status }: Identity, stage: Stage): ImportedAttempt {
  return {
    workflow_run_id: null,
    stage,
    destination: '',
    edge: status.endsWith('_PENDING') ? 'opening' : 'closing',
    product,
    day,
    run_id: row.run_id,
    status,
    records: whole(row.records_downloaded),
    expected: whole(row.expected_records),
    download_seconds: number(row.download_seconds),
    artifact_bytes: bytes(row.csv_size_mb),
    artifact_path: row.csv_path === '' ? null : row.csv_path,
    error_type: text(row.error_type),
    error_message: text(row.error_message),
    started_at: row.started_at_utc,
    finished_at: text(row.finished_at_utc),
    build_seconds: number(row.process_seconds),
    product_bytes: bytes(row.cdf_size_mb),
    product_path: row.cdf_path === '' ? null : row.cdf_path,
    upload_seconds: number(row.upload_seconds),
    bucket: text(row.s3_bucket),
    object_key: text(row.s3_key),
  };
}

function text(value: string): string | null {
  return value === '' ? null : storableText(value);
}

function number(value: string): number | null {
  const parsed = Number(value);
  return value.trim() === '' || !Number.isFinite(parsed) ? null : parsed;
}

function whole(value: string): number | null {
  const parsed = number(value);
  return parsed === null || !Number.isSafeInteger(parsed) ? null : parsed;
}

/** Nearest number of bytes: the CSV has four decimals of MiB (TEL-D14). */
function bytes(mebibytes: string): number | null {
  const parsed = number(mebibytes);
  return parsed === null ? null : Math.round(parsed * MIB);
}
