/** The ledger of a workspace and its telemetry CSV. Read `ledger.ts` for what it offers and README.md for how it is made. */
import { existsSync } from 'node:fs';
import { isPipelineError } from '../core/errors.ts';
import type { Secret } from '../core/secret.ts';
import { ledgerAddress } from './address.ts';
import { openPostgresLedger } from './postgres.ts';
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
  /** `REACHBACK_LEDGER_URL`; without it the ledger is the workspace's own file. */
  readonly url?: Secret | null;
  /** Told about repairs of the telemetry file. */
  readonly onNotice?: (notice: string) => void;
}

export interface ReadLedgerOptions {
  readonly url?: Secret | null;
  /** Waits so many milliseconds, for tests. */
  readonly sleep?: Sleep;
}

/**
 * Opens a workspace's ledger for writing, with the exporter of its telemetry CSV. Only for the holder of the workspace's
 * lock (TEL-34).
 *
 * @throws PipelineError `config_invalid` when it is no ledger or was written by a newer version; `ledger_unavailable`
 */
export async function openLedger(
  options: OpenLedgerOptions,
): Promise<{ ledger: SqlLedger; telemetry: TelemetryExporter }> {
  const { root, ledgerPath, telemetryFile } = options.workspace;
  const ledger = await openAt({ root, ledgerPath }, options.url ?? null, false);
  const { onNotice } = options;
  const telemetry = createTelemetryExporter({ ledger, path: telemetryFile, ...(onNotice && { onNotice }) });
  return { ledger, telemetry };
}

/**
 * Opens a workspace's ledger without ever writing to it, beside whoever else has it open. Opening and every query are
 * tried up to three times on errors that may pass (TRACK-11).
 *
 * @throws PipelineError `config_invalid` when there is no ledger, or one of another version; `ledger_unavailable`
 */
export async function openLedgerForReading(
  workspace: Pick<LedgerWorkspace, 'root' | 'ledgerPath'>,
  { url = null, sleep }: ReadLedgerOptions = {},
): Promise<SqlLedger> {
  return withRetriedReads(await retryRead(() => openAt(workspace, url, true), sleep), sleep);
}

/** The same, or null where no ledger has been made yet. */
export async function openLedgerIfAny(
  workspace: Pick<LedgerWorkspace, 'root' | 'ledgerPath'>,
  options: ReadLedgerOptions = {},
): Promise<SqlLedger | null> {
  const address = ledgerAddress(options.url ?? null, workspace.ledgerPath);
  if (address.kind === 'sqlite' && !existsSync(address.file)) return null;
  try {
    return await openLedgerForReading(workspace, options);
  } catch (error) {
    if (isPipelineError(error) && error.context['missing'] === true) return null;
    throw error;
  }
}

function openAt(
  { root, ledgerPath }: Pick<LedgerWorkspace, 'root' | 'ledgerPath'>,
  url: Secret | null,
  readOnly: boolean,
): Promise<SqlLedger> {
  const address = ledgerAddress(url, ledgerPath);
  return address.kind === 'sqlite'
    ? openSqliteLedger({ file: address.file, root, readOnly })
    : openPostgresLedger({ url: address.url, shown: address.shown, root, readOnly });
}
