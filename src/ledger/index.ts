/** The ledger of a workspace and its telemetry CSV. Read `ledger.ts` for what it offers and README.md for how it is made. */
import { existsSync } from 'node:fs';
import { PipelineError, isPipelineError } from '../core/errors.ts';
import type { Secret } from '../core/secret.ts';
import { ledgerAddress } from './address.ts';
import type { LedgerAddress } from './address.ts';
import { openPostgresLedger } from './postgres.ts';
import { retryRead, withRetriedReads } from './retry-reads.ts';
import type { Sleep } from './retry-reads.ts';
import type { SqlLedger } from './sql-ledger.ts';
import { openSqliteLedger } from './sqlite.ts';
import { createTelemetryExporter } from './telemetry-csv.ts';
import type { TelemetryExporter } from './telemetry-csv.ts';

/** The paths of a workspace that the ledger needs; all absolute. */
export interface LedgerWorkspace {
  /** Null where none has been made yet; a ledger that is another workspace's is refused by it. */
  readonly name?: string | null;
  readonly root: string;
  readonly ledgerPath: string;
  readonly telemetryFile: string;
}

export interface OpenLedgerOptions {
  readonly workspace: LedgerWorkspace;
  /** `REACHBACK_LEDGER_URL`; without it the ledger is the workspace's own file. */
  readonly url?: Secret | null;
  /** For commands that bring many rows at once. Default false. */
  readonly bulk?: boolean;
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
  const { workspace, url = null, bulk = false } = options;
  const { telemetryFile } = workspace;
  const ledger = await openAt(workspace, url, { readOnly: false, bulk });
  await requireOwn(ledger, workspace, url, (name) => ledger.claim(name));
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
  workspace: Omit<LedgerWorkspace, 'telemetryFile'>,
  { url = null, sleep }: ReadLedgerOptions = {},
): Promise<SqlLedger> {
  const ledger = withRetriedReads(await retryRead(() => openAt(workspace, url, { readOnly: true }), sleep), sleep);
  await requireOwn(ledger, workspace, url, () => ledger.owner());
  return ledger;
}

/** The same, or null where no ledger has been made yet. */
export async function openLedgerIfAny(
  workspace: Omit<LedgerWorkspace, 'telemetryFile'>,
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

/** Whether opening for reading was refused because of an older schema; opening for writing upgrades it. */
export function isOutdatedLedger(error: unknown): boolean {
  return isPipelineError(error) && error.context['outdated'] === true;
}

/** Closes the ledger and throws when it is another workspace's. */
async function requireOwn(
  ledger: SqlLedger,
  { name = null, root, ledgerPath }: Omit<LedgerWorkspace, 'telemetryFile'>,
  url: Secret | null,
  ownerFor: (name: string) => Promise<string | null>,
): Promise<void> {
  if (name === null) return;
  try {
    const owner = await ownerFor(name);
    if (owner !== null && owner !== name) throw notOurs(ledgerAddress(url, ledgerPath), { name, owner, root });
  } catch (error) {
    await ledger.close();
    throw error;
  }
}

function notOurs(
  address: LedgerAddress,
  { name, owner, root }: { name: string; owner: string; root: string },
): PipelineError {
  const shown = address.kind === 'postgres' ? address.shown : address.file;
  const schema = `reachback_${name.replaceAll('-', '_')}`;
  const own =
    address.kind === 'postgres'
      ? `Give this workspace a schema of its own: psql "$REACHBACK_LEDGER_URL" -c 'create schema ${schema}', then REACHBACK_LEDGER_URL=…?options=-csearch_path%3D${schema}.`
      : 'Give this workspace a ledger of its own: unset REACHBACK_LEDGER_URL, or name another file.';
  return new PipelineError(
    'config_invalid',
    `The ledger ${shown} is that of the workspace ${owner}, not of ${name} (${root}).`,
    {
      hint: `${own} If ${root} is that workspace, moved or restored: write {"reachback":1,"name":"${owner}"} into its workspace.json. Nothing was changed.`,
      context: { owner, workspace: name },
    },
  );
}

function openAt(
  { root, ledgerPath }: Pick<LedgerWorkspace, 'root' | 'ledgerPath'>,
  url: Secret | null,
  { readOnly, bulk = false }: { readonly readOnly: boolean; readonly bulk?: boolean },
): Promise<SqlLedger> {
  const address = ledgerAddress(url, ledgerPath);
  return address.kind === 'sqlite'
    ? openSqliteLedger({ file: address.file, root, readOnly, bulk })
    : openPostgresLedger({ url: address.url, shown: address.shown, root, readOnly });
}
