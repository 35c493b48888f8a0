/** The ledger of a workspace and its telemetry CSV. Read `ledger.ts` for what it offers and README.md for how it is made. */
import { retryRead, withRetriedReads } from './retry-reads.ts';
import type { Sleep } from './retry-reads.ts';
import type { SqlLedger } from './sql-ledger.ts';
import { openSqliteLedger } from './sqlite.ts';
import { createTelemetryExporter } from './telemetry-csv.ts';
import type { TelemetryExporter } from './telemetry-csv.ts';

/** The paths of a workspace that the ledger needs; all absolute. */
export interface LedgerWorkspace {
  readonly root: string;
  readonly ledgerPath: string;
  readonly telemetryFile: string;
}

export interface OpenLedgerOptions {
  readonly workspace: LedgerWorkspace;
  /** Told about repairs of the telemetry file. */
  readonly onNotice?: (notice: string) => void;
}

/**
 * Opens a workspace's ledger for writing, with the exporter of its telemetry CSV. Only for the holder of the workspace's
 * lock (TEL-34).
 *
 * @throws PipelineError `config_invalid` when the file is no ledger or was written by a newer version
 */
export async function openLedger(
  options: OpenLedgerOptions,
): Promise<{ ledger: SqlLedger; telemetry: TelemetryExporter }> {
  const { root, ledgerPath, telemetryFile } = options.workspace;
  const ledger = await openSqliteLedger({ file: ledgerPath, root });
  const { onNotice } = options;
  const telemetry = createTelemetryExporter({ ledger, path: telemetryFile, ...(onNotice && { onNotice }) });
  return { ledger, telemetry };
}

/**
 * Opens a workspace's ledger without ever writing to it, beside whoever else has it open. Opening and every query are
 * tried up to three times on errors that may pass (TRACK-11).
 *
 * @param sleep - waits so many milliseconds, for tests
 * @throws PipelineError `config_invalid` when there is no ledger, or one of another version
 */
export async function openLedgerForReading(
  workspace: Pick<LedgerWorkspace, 'root' | 'ledgerPath'>,
  sleep?: Sleep,
): Promise<SqlLedger> {
  const options = { file: workspace.ledgerPath, root: workspace.root, readOnly: true };
  return withRetriedReads(await retryRead(() => openSqliteLedger(options), sleep), sleep);
}
