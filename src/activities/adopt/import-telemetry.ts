import { setImmediate } from 'node:timers/promises';
import type { AttemptImport } from '../../ledger/telemetry-import.ts';
import { readTelemetry } from '../../ledger/telemetry-read.ts';
import { createTelemetryRows } from '../../ledger/telemetry-rows.ts';
import type { ImportedAttempt } from '../../ledger/telemetry-rows.ts';
import { crashPoint } from '../../storage/crash-point.ts';

export interface TelemetryImport {
  readonly rows: number;
  readonly added: number;
  /** Rows that nobody understands, the first of them with why. */
  readonly refused: number;
  readonly refusals: readonly string[];
  readonly warnings: readonly string[];
}

/** Rows per transaction: some tenths of a second. */
const BATCH = 2_000;
const MOST_REFUSALS = 20;

/**
 * Brings the rows of a telemetry CSV into the ledger, in file order and committed batches; rows that are there already stay as
 * they are. Of the file it keeps a batch in memory, whatever its size.
 *
 * @param onRows - told after every batch how many rows of the file are done
 * @throws PipelineError `config_invalid` when the file cannot be read or is no telemetry CSV
 */
export async function importTelemetry(
  ledger: AttemptImport,
  path: string,
  onRows: (done: number) => void = () => undefined,
): Promise<TelemetryImport> {
  const reader = createTelemetryRows();
  const warnings: string[] = [];
  const refusals: string[] = [];
  const counts = { rows: 0, added: 0, refused: 0 };
  let batch: ImportedAttempt[] = [];
  const commit = async (): Promise<void> => {
    if (batch.length === 0) return;
    counts.added += await ledger.importAttempts(batch);
    batch = [];
    crashPoint('telemetry-imported');
    onRows(counts.rows);
    // The database frees its statements in a turn of the event loop of their own.
    await setImmediate();
  };
  for await (const rows of readTelemetry(path, (warning) => void warnings.push(warning))) {
    for (const row of rows) {
      counts.rows += 1;
      const taken = reader.take(row);
      if ('attempts' in taken) {
        batch.push(...taken.attempts);
        if (batch.length >= BATCH) await commit();
        continue;
      }
      counts.refused += 1;
      if (refusals.length < MOST_REFUSALS) refusals.push(`row ${counts.rows}: ${taken.refused}`);
    }
  }
  batch.push(...reader.rest());
  await commit();
  return { ...counts, refusals, warnings };
}
