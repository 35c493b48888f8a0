/** What `adopt` and `ledger rebuild` have in common: telemetry and files into a workspace's ledger, and the report. */
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { importTelemetry } from '../../activities/adopt/import-telemetry.ts';
import type { TelemetryImport } from '../../activities/adopt/import-telemetry.ts';
import { takeUpFiles } from '../../activities/adopt/take-up-files.ts';
import type { TakenUp } from '../../activities/adopt/take-up-files.ts';
import { PipelineError } from '../../core/errors.ts';
import { ledgerAddress } from '../../ledger/address.ts';
import { openLedger } from '../../ledger/index.ts';
import { requireTelemetryLayout } from '../../ledger/telemetry-repair.ts';
import type { SqlLedger } from '../../ledger/sql-ledger.ts';
import type { AttemptImport } from '../../ledger/telemetry-import.ts';
import { keepAs } from '../../storage/backup.ts';
import { crashPoint } from '../../storage/crash-point.ts';
import { nearestExisting } from '../../storage/folders.ts';
import type { Workspace } from '../../storage/workspace.ts';
import type { CliContext } from './context.ts';
import { formatCount } from './format.ts';
import { lockWorker } from './session.ts';

export interface TakeUpResult {
  readonly telemetry: TelemetryImport;
  readonly files: TakenUp;
}

/** Files listed one by one; the rest are counted. */
const MOST_LISTED = 50;

/**
 * Before a workspace is made for it: a mistyped folder leaves no trace.
 *
 * @throws PipelineError `config_invalid`
 */
export async function requireTelemetry(path: string): Promise<void> {
  if ((await nearestExisting(path)) === path) return;
  throw new PipelineError('config_invalid', `There is no telemetry CSV at ${path}.`, {
    hint: 'Name the folder whose downloads wrote one (download_telemetry.csv beside them), or another file with --telemetry-file.',
    context: { path },
  });
}

/** Runs `work` as the only writer of the workspace; the telemetry CSV is brought up to date at the end. */
export async function asWriter<T>(
  context: CliContext,
  workspace: Workspace,
  work: (ledger: SqlLedger) => Promise<T>,
): Promise<T> {
  const lock = await lockWorker(workspace, context.commandLine);
  try {
    await requireTelemetryLayout(workspace.telemetryFile);
    const onNotice = (notice: string): void => context.remark(notice);
    const { ledger, telemetry } = await openLedger({
      workspace,
      url: context.environment.ledgerUrl,
      bulk: true,
      onNotice,
    });
    try {
      const result = await work(ledger);
      await telemetry.flush();
      return result;
    } finally {
      await ledger.close();
    }
  } finally {
    lock.release();
  }
}

/** @throws PipelineError `config_invalid` when there is no telemetry file; `lock_held` while a worker is at work */
export function takeUp(context: CliContext, workspace: Workspace): Promise<TakeUpResult> {
  return asWriter(context, workspace, async (ledger) => {
    const telemetry = await importRows(context, ledger, workspace.telemetryFile);
    const files = await takeUpFiles(ledger, workspace, (done) => {
      if (done % 100 === 0) context.remark(`files of ${formatCount(done)} days looked at`);
    });
    return { telemetry, files };
  });
}

/** Rows between two remarks: some seconds. */
const ROWS_PER_REMARK = 200_000;

/** Tells of a long import how far it is. */
export function importRows(context: CliContext, ledger: AttemptImport, path: string): Promise<TelemetryImport> {
  let told = 0;
  return importTelemetry(ledger, path, (done) => {
    if (done - told < ROWS_PER_REMARK) return;
    told = done;
    context.remark(`${formatCount(done)} rows of telemetry in the ledger`);
  });
}

/** Days of a transaction: some tenths of a second. */
const DAYS_PER_CHUNK = 200;

/** TRACK-6: a kill leaves whole chunks, and the next one begins again. @returns how many days were summed up */
export function finalize(context: CliContext, workspace: Workspace): Promise<number> {
  return asWriter(context, workspace, async (ledger) => {
    let days = 0;
    for (let chunk = await ledger.rollUpAfter(null, DAYS_PER_CHUNK); chunk;) {
      days += chunk.days;
      context.remark(`${formatCount(days)} days summed up, to ${chunk.last.day} of ${chunk.last.product}`);
      crashPoint('days-summed-up');
      chunk = await ledger.rollUpAfter(chunk.last, DAYS_PER_CHUNK);
    }
    return days;
  });
}

/**
 * TRACK-7: `--reset`. Nothing is deleted.
 *
 * @throws PipelineError `config_invalid` for a ledger in PostgreSQL, with what to do there
 */
export async function putLedgerAside(context: CliContext, workspace: Workspace): Promise<void> {
  const address = ledgerAddress(context.environment.ledgerUrl, workspace.ledgerPath);
  if (address.kind === 'postgres') {
    throw new PipelineError('config_invalid', `--reset is for a ledger in a file, not for ${address.shown}.`, {
      hint: 'Rename its schema (alter schema … rename to …), make an empty one of the old name, then: reachback ledger rebuild',
    });
  }
  const lock = await lockWorker(workspace, context.commandLine);
  try {
    const stamp = new Date().toISOString().slice(0, 19).replaceAll(/[-:]/g, '');
    const aside = await keepLedgerAs(address.file, stamp);
    // The log goes last: SQLite takes one without its file for a leftover, so nothing is read twice after a kill.
    await rm(address.file, { force: true });
    crashPoint('ledger-aside');
    for (const suffix of ['-wal', '-shm']) await rm(`${address.file}${suffix}`, { force: true });
    if (aside !== null) context.remark(`put aside: ${aside}`);
  } finally {
    lock.release();
  }
}

/** The log first: it holds the latest rows, and a file that is kept without it would lack them. @returns null when there is no file */
async function keepLedgerAs(file: string, stamp: string): Promise<string | null> {
  if (!existsSync(file)) return null;
  for (let copy = 1; ; copy += 1) {
    const aside = `${file}.${stamp}${copy === 1 ? '' : `-${copy}`}`;
    if (existsSync(`${file}-wal`) && !(await keepAs(`${file}-wal`, `${aside}-wal`))) continue;
    if (await keepAs(file, aside)) return aside;
  }
}

export function takeUpText({ telemetry, files }: TakeUpResult): string {
  const lines = telemetryLines(telemetry);
  lines.push(
    `files: ${files.downloads} downloads and ${files.products} products verified and taken up, ${files.deliveries} deliveries known`,
  );
  const left = files.notTaken.map(
    ({ day, product, kind, problem, path, detail }) =>
      `not taken: ${day} ${product} ${kind} ${problem}: ${path} (${detail})`,
  );
  const unmatched = files.unmatched.map((path) => `no telemetry calls it whole, left alone: ${path}`);
  for (const list of [left, unmatched]) {
    lines.push(...list.slice(0, MOST_LISTED));
    if (list.length > MOST_LISTED) lines.push(`… and ${formatCount(list.length - MOST_LISTED)} more; --json lists all`);
  }
  return lines.join('\n');
}

export function telemetryLines({ rows, added, refused, refusals, warnings }: TakeUpResult['telemetry']): string[] {
  return [
    `telemetry: ${formatCount(rows)} rows read, ${formatCount(added)} new, ${formatCount(refused)} not understood`,
    ...refusals.map((refusal) => `not understood: ${refusal}`),
    ...warnings,
  ];
}
