/**
 * Opens a ledger kept in one SQLite file.
 *
 * A file is looked at read-only first; nothing is written to one that this version does not understand (TRACK-16).
 */
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { CompiledQuery, Kysely, SqliteAdapter, SqliteDialect, SqliteDriver } from 'kysely';
import type { DatabaseConnection, Driver, TransactionSettings } from 'kysely';
import { PipelineError } from '../core/errors.ts';
import { MIGRATIONS } from './migrations/index.ts';
import { migrateToLatest, refuseUnknownSteps } from './migrations/run.ts';
import type { LedgerTables } from './schema.ts';
import { createSqlLedger } from './sql-ledger.ts';
import type { SqlLedger } from './sql-ledger.ts';

export interface SqliteLedgerOptions {
  /** The database file; its folder is made when missing, unless `readOnly`. */
  readonly file: string;
  /** The workspace folder: paths inside it are stored relative to it. */
  readonly root: string;
  /** For `status` and the like: never writes, refuses a missing or outdated file. Default false. */
  readonly readOnly?: boolean;
  /** For many rows at once: takes up to 64 MiB more memory, and writes pages back less often. Default false. */
  readonly bulk?: boolean;
  /** The clock in POSIX milliseconds, for tests. Default `Date.now`. */
  readonly now?: () => number;
}

/** A waiting statement blocks the event loop, heartbeats included, so a writer waits briefly. */
const WRITER_BUSY_TIMEOUT_MS = 5_000;
/** A report has nothing else to do than wait (TRACK-11). */
const READER_BUSY_TIMEOUT_MS = 60_000;
/** Between two attempts at what SQLite does not wait for by itself; up to twice as long, so that two part ways. */
const RETRY_MS = 10;

/**
 * Opens a ledger; makes or upgrades the file when it may write.
 *
 * @throws PipelineError `config_invalid` when the file is no ledger, was written by a newer version, or (read-only) is
 *   missing or needs an upgrade; the file is unchanged then
 */
export async function openSqliteLedger(options: SqliteLedgerOptions): Promise<SqlLedger> {
  const file = resolve(options.file);
  const readOnly = options.readOnly ?? false;
  const applied = appliedMigrations(file, readOnly);
  const pending = Object.keys(MIGRATIONS).filter((name) => !applied.includes(name));
  if (readOnly && pending.length > 0) throw notReadable(file, applied.length > 0);

  if (!readOnly) mkdirSync(dirname(file), { recursive: true });
  const sqlite = await openFile(file, readOnly);
  if (options.bulk === true) prepareForBulk(sqlite);
  const db = new Kysely<LedgerTables>({ dialect: new LedgerDialect(sqlite) });
  try {
    if (pending.length > 0) await migrateToLatest(db);
  } catch (error) {
    sqlite.close();
    throw error;
  }
  return createSqlLedger({
    db,
    root: options.root,
    now: options.now ?? Date.now,
    disconnect: () => {
      sqlite.close();
    },
  });
}

async function openFile(file: string, readOnly: boolean): Promise<Database.Database> {
  const timeout = readOnly ? READER_BUSY_TIMEOUT_MS : WRITER_BUSY_TIMEOUT_MS;
  const sqlite = new Database(file, { readonly: readOnly, fileMustExist: readOnly, timeout });
  try {
    sqlite.pragma(`busy_timeout = ${timeout}`);
    if (!readOnly) {
      await useWriteAheadLog(sqlite, timeout);
      // A power cut may take back the last commits, never tear the file; manifests and the telemetry CSV heal that.
      sqlite.pragma('synchronous = NORMAL');
      sqlite.pragma('foreign_keys = ON');
    }
  } catch (error) {
    sqlite.close();
    throw error;
  }
  return sqlite;
}

/**
 * A new file changes its mode under a lock for which SQLite does not wait: it has read the file by then, and two such
 * would wait for each other for ever. So a worker and a client that begin at once in a new workspace try again here.
 */
async function useWriteAheadLog(sqlite: Database.Database, timeoutMs: number): Promise<void> {
  const until = performance.now() + timeoutMs;
  for (;;) {
    try {
      sqlite.pragma('journal_mode = WAL');
      return;
    } catch (error) {
      const busy = error instanceof Database.SqliteError && error.code.startsWith('SQLITE_BUSY');
      if (!busy || performance.now() >= until) throw error;
      await delay(RETRY_MS * (1 + Math.random()));
    }
  }
}

function prepareForBulk(sqlite: Database.Database): void {
  // KiB, when negative.
  sqlite.pragma('cache_size = -65536');
  // Pages of 4 KiB: a row touches four indexes, and every checkpoint writes each page of them that it finds.
  sqlite.pragma('wal_autocheckpoint = 8000');
}

/** Names of the migrations a file has seen, in order; none for a missing or empty file. */
function appliedMigrations(file: string, readOnly: boolean): string[] {
  if (!existsSync(file) || statSync(file).size === 0) return [];
  let names: string[] | null;
  try {
    names = readMigrationNames(file, readOnly);
  } catch (error) {
    throw new PipelineError('config_invalid', `Cannot read the ledger ${file}: ${(error as Error).message}.`, {
      hint: 'Is it a reachback ledger, and readable by you? "reachback ledger check" tells whether it is damaged. Otherwise move it away or choose another workspace folder. Nothing was changed.',
      cause: error,
    });
  }
  if (names === null) {
    throw new PipelineError('config_invalid', `${file} is a database, but not a reachback ledger.`, {
      hint: 'Move it away or choose another workspace folder. Nothing was changed.',
    });
  }
  refuseUnknownSteps(file, names);
  return names;
}

/** Null when the file has tables, yet not ours. */
function readMigrationNames(file: string, readOnly: boolean): string[] | null {
  try {
    return namesIn(file, true);
  } catch (error) {
    // A kill in the middle of the first commit of a new file, which is the only one with a journal to be rolled back:
    // nothing is in it. Whoever may write rolls it back by reading.
    const halfMade = error instanceof Database.SqliteError && error.code === 'SQLITE_READONLY_ROLLBACK';
    if (!halfMade) throw error;
    return readOnly ? [] : namesIn(file, false);
  }
}

function namesIn(file: string, readonly: boolean): string[] | null {
  const sqlite = new Database(file, { readonly, fileMustExist: true, timeout: WRITER_BUSY_TIMEOUT_MS });
  try {
    const tables = sqlite.prepare<[], { name: string }>(`select name from sqlite_schema where type = 'table'`).all();
    if (tables.length === 0) return [];
    if (!tables.some((table) => table.name === 'kysely_migration')) return null;
    const rows = sqlite.prepare<[], { name: string }>('select name from kysely_migration order by name').all();
    return tables.some((table) => table.name === 'attempts') ? rows.map((row) => row.name) : null;
  } finally {
    sqlite.close();
  }
}

function notReadable(file: string, outdated: boolean): PipelineError {
  const message = outdated ? `The ledger ${file} has an older schema.` : `There is no ledger at ${file}.`;
  const hint = outdated
    ? 'Run any command that writes to this workspace (such as `reachback run`) once: it upgrades the file.'
    : 'Check the workspace folder, or start a run there first.';
  return new PipelineError('config_invalid', message, { hint, context: outdated ? { outdated } : { missing: true } });
}

/** SQLite as it is: schema changes are transactional, and a transaction that writes takes the lock when it begins. */
class LedgerDialect extends SqliteDialect {
  readonly #sqlite: Database.Database;

  constructor(sqlite: Database.Database) {
    super({ database: sqlite });
    this.#sqlite = sqlite;
  }

  override createDriver(): Driver {
    return new LedgerDriver(this.#sqlite);
  }

  override createAdapter(): SqliteAdapter {
    return new LedgerAdapter();
  }
}

class LedgerDriver extends SqliteDriver {
  readonly #sqlite: Database.Database;

  constructor(sqlite: Database.Database) {
    super({ database: sqlite });
    this.#sqlite = sqlite;
  }

  override async beginTransaction(connection: DatabaseConnection, settings?: TransactionSettings): Promise<void> {
    // A deferred transaction that reads before it writes fails at once with SQLITE_BUSY when another process wrote in between.
    const begin = settings?.accessMode === 'read only' ? 'begin' : 'begin immediate';
    await connection.executeQuery(CompiledQuery.raw(begin));
  }

  override async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    // On a full disk and on I/O errors SQLite has rolled back already; doing it again would fail and hide the cause.
    if (this.#sqlite.inTransaction) await super.rollbackTransaction(connection);
  }
}

class LedgerAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}
