import type { ProductSlug } from '../../core/product.ts';
import type { Day } from '../../core/time/day.ts';
import type { AttemptImport } from '../../ledger/telemetry-import.ts';
import type { TelemetryRow } from '../../ledger/telemetry-read.ts';
import { createTelemetryRows, deliveryOf } from '../../ledger/telemetry-rows.ts';
import type { ImportedAttempt } from '../../ledger/telemetry-rows.ts';
import { streamTelemetryCsv } from '../../ledger/telemetry-stream.ts';
import { crashPoint } from '../../storage/crash-point.ts';

/** What the latest rows say of a day's files. Paths are absolute; null where a row does not say. */
export interface ToldDay {
  readonly product: ProductSlug;
  readonly day: Day;
  download: { readonly path: string; readonly mebibytes: string; readonly records: number | null } | null;
  build: { readonly path: string; readonly mebibytes: string; readonly inputPath: string | null } | null;
  upload: { readonly destination: string; readonly key: string; readonly finishedAt: string } | null;
}

export interface TelemetryImport {
  readonly rows: number;
  readonly added: number;
  /** Rows that nobody understands, the first of them with why. */
  readonly refused: number;
  readonly refusals: readonly string[];
  readonly warnings: readonly string[];
  /** By product and day. */
  readonly days: readonly ToldDay[];
}

/** Rows per transaction: some milliseconds each. */
const BATCH = 1_000;
const MOST_REFUSALS = 20;

/**
 * Brings the rows of a telemetry CSV into the ledger, in file order and committed batches; rows that are there already stay as
 * they are.
 *
 * @throws PipelineError `config_invalid` when the file cannot be read or is no telemetry CSV
 */
export async function importTelemetry(ledger: AttemptImport, path: string): Promise<TelemetryImport> {
  const reader = createTelemetryRows();
  const days = new Map<string, ToldDay>();
  const warnings: string[] = [];
  const refusals: string[] = [];
  const counts = { rows: 0, added: 0, refused: 0 };
  let batch: ImportedAttempt[] = [];
  const commit = async (): Promise<void> => {
    if (batch.length === 0) return;
    counts.added += await ledger.importAttempts(batch);
    batch = [];
    crashPoint('telemetry-imported');
  };
  for await (const row of streamTelemetryCsv(path, (warning) => void warnings.push(warning))) {
    counts.rows += 1;
    const taken = reader.take(row);
    if ('refused' in taken) {
      counts.refused += 1;
      if (refusals.length < MOST_REFUSALS) refusals.push(`row ${counts.rows}: ${taken.refused}`);
      continue;
    }
    for (const attempt of taken.attempts) {
      batch.push(attempt);
      note(days, attempt, row);
    }
    if (batch.length >= BATCH) await commit();
  }
  batch.push(...reader.rest());
  await commit();
  const sorted = [...days.entries()].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, day]) => day);
  return { ...counts, refusals, warnings, days: sorted };
}

function note(days: Map<string, ToldDay>, { product, day, status }: ImportedAttempt, row: TelemetryRow): void {
  const key = `${product} ${day}`;
  const told = days.get(key) ?? { product, day, download: null, build: null, upload: null };
  days.set(key, told);
  switch (status) {
    case 'DOWNLOADED': {
      const records = /^\d+$/.test(row.records_downloaded) ? Number(row.records_downloaded) : null;
      told.download = { path: row.csv_path, mebibytes: row.csv_size_mb, records };
      return;
    }
    case 'PROCESSED':
      told.build = { path: row.cdf_path, mebibytes: row.cdf_size_mb, inputPath: row.csv_path || null };
      told.upload = null;
      return;
    case 'UPLOADED':
      told.upload = { ...deliveryOf(row), finishedAt: row.finished_at_utc };
      return;
    default:
  }
}
