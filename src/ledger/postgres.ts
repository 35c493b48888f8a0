/**
 * Opens a ledger kept in a PostgreSQL database, in the schema that the address leads to (`public` unless `options` says
 * otherwise). The schema is looked at first; nothing is written to one that this version does not understand (TRACK-16).
 */
import { CompiledQuery, Kysely, PostgresDialect, PostgresDriver, sql } from 'kysely';
import type { DatabaseConnection, Driver, PostgresDialectConfig, TransactionSettings } from 'kysely';
import type { Pool } from 'pg';
import { PipelineError } from '../core/errors.ts';
import { createPool, explainPostgresError, retryCrossed } from '../storage/postgres/index.ts';
import type { PostgresPlace } from '../storage/postgres/index.ts';
import { MIGRATIONS } from './migrations/index.ts';
import { migrateToLatest, refuseUnknownSteps } from './migrations/run.ts';
import type { LedgerTables } from './schema.ts';
import { createSqlLedger } from './sql-ledger.ts';
import type { SqlLedger } from './sql-ledger.ts';

export interface PostgresLedgerOptions extends PostgresPlace {
  /** The workspace folder: paths inside it are stored relative to it. */
  readonly root: string;
  /** For `status` and the like: never writes, refuses a missing or outdated schema. Default false. */
  readonly readOnly?: boolean;
  /** The clock in POSIX milliseconds, for tests. Default `Date.now`. */
  readonly now?: () => number;
}

const CONNECT_TIMEOUT_MS = 10_000;
/** Waiting for locks included: our transactions are short, so whoever holds one for longer is stuck. */
const STATEMENT_TIMEOUT_MS = 60_000;
/** A connection over which nothing comes back any more is given up. */
const SILENT_TIMEOUT_MS = 75_000;
const WRITER_CONNECTIONS = 4;
const READER_CONNECTIONS = 2;

/**
 * Opens a ledger; makes or upgrades its tables when it may write.
 *
 * @throws PipelineError `config_invalid` when the schema is no ledger, was written by a newer version, or (read-only) is
 *   empty or needs an upgrade, and when user, password or database are refused; `ledger_unavailable` when it does not answer
 */
export async function openPostgresLedger(options: PostgresLedgerOptions): Promise<SqlLedger> {
  const readOnly = options.readOnly ?? false;
  const pool = createPool(options, {
    connections: readOnly ? READER_CONNECTIONS : WRITER_CONNECTIONS,
    connectMs: CONNECT_TIMEOUT_MS,
    statementMs: STATEMENT_TIMEOUT_MS,
    silentMs: SILENT_TIMEOUT_MS,
  });
  const db = new Kysely<LedgerTables>({ dialect: new LedgerDialect(dialectConfig(pool, readOnly)) });
  try {
    await retryCrossed(() => prepare(db, options.shown, readOnly));
  } catch (error) {
    await pool.end();
    throw explainPostgresError(error, options);
  }
  const ledger = createSqlLedger({
    db,
    root: options.root,
    now: options.now ?? Date.now,
    disconnect: () => undefined,
  });
  return guarded(ledger, options);
}

function dialectConfig(pool: Pool, readOnly: boolean): PostgresDialectConfig {
  if (!readOnly) return { pool };
  return {
    pool,
    onCreateConnection: async (connection) => {
      await connection.executeQuery(CompiledQuery.raw('set session characteristics as transaction read only'));
    },
  };
}

async function prepare(db: Kysely<LedgerTables>, shown: string, readOnly: boolean): Promise<void> {
  const applied = await appliedMigrations(db, shown);
  const pending = Object.keys(MIGRATIONS).filter((name) => !applied.includes(name));
  if (pending.length === 0) return;
  if (readOnly) throw notReadable(shown, applied.length > 0);
  await migrateToLatest(db, await currentSchema(db, shown));
}

async function currentSchema(db: Kysely<LedgerTables>, shown: string): Promise<string> {
  const found = await sql<{ schema: string | null }>`select current_schema() as schema`.execute(db);
  const schema = found.rows[0]?.schema;
  if (schema) return schema;
  throw new PipelineError('config_invalid', `The schema that REACHBACK_LEDGER_URL names does not exist in ${shown}.`, {
    hint: 'Make it once, as its owner: create schema <name>.',
  });
}

/** Names of the migrations that the schema has seen, in order; none for an empty one. */
async function appliedMigrations(db: Kysely<LedgerTables>, shown: string): Promise<string[]> {
  const found = await sql<{ name: string }>`
    select tablename as name from pg_catalog.pg_tables where schemaname = current_schema()`.execute(db);
  const tables = found.rows.map(({ name }) => name);
  if (tables.length === 0) return [];
  if (!tables.includes('kysely_migration') || !tables.includes('attempts')) {
    throw new PipelineError(
      'config_invalid',
      `The database ${shown} holds tables, but no reachback ledger (${tables.toSorted().slice(0, 3).join(', ')}).`,
      {
        hint: 'Give the ledger a database or a schema of its own: createdb reachback, or "create schema reachback" and …?options=-csearch_path%3Dreachback at the end of REACHBACK_LEDGER_URL. Nothing was changed.',
      },
    );
  }
  const steps = await sql<{ name: string }>`select name from kysely_migration order by name`.execute(db);
  const names = steps.rows.map(({ name }) => name);
  refuseUnknownSteps(shown, names);
  return names;
}

function notReadable(shown: string, outdated: boolean): PipelineError {
  return outdated
    ? new PipelineError('config_invalid', `The ledger ${shown} has an older schema.`, {
        hint: 'Run any command that writes to it (such as `reachback run`) once: it upgrades the tables.',
        context: { outdated },
      })
    : new PipelineError('config_invalid', `There is no ledger in ${shown} yet.`, {
        hint: 'Check REACHBACK_LEDGER_URL, or start a run first: it makes the tables.',
        context: { missing: true },
      });
}

/** Every method in the pipeline's words, and again when its transaction crossed another's: all may be called twice. */
function guarded(ledger: SqlLedger, place: PostgresPlace): SqlLedger {
  const methods = Object.entries(ledger) as [string, (...args: never[]) => Promise<unknown>][];
  return Object.fromEntries(
    methods.map(([name, method]) => [
      name,
      async (...args: never[]) => {
        try {
          return await retryCrossed(() => method(...args));
        } catch (error) {
          throw explainPostgresError(error, place);
        }
      },
    ]),
  ) as unknown as SqlLedger;
}

class LedgerDialect extends PostgresDialect {
  readonly #config: PostgresDialectConfig;

  constructor(config: PostgresDialectConfig) {
    super(config);
    this.#config = config;
  }

  override createDriver(): Driver {
    return new LedgerDriver(this.#config);
  }
}

class LedgerDriver extends PostgresDriver {
  /**
   * A transaction that writes takes the schema's write lock when it begins, as SQLite's do: what it reads stays true until
   * it commits, and rows of `attempts` are numbered in the order in which they become visible (the telemetry CSV relies on it).
   */
  override async beginTransaction(connection: DatabaseConnection, settings: TransactionSettings): Promise<void> {
    await super.beginTransaction(connection, settings);
    if (settings.accessMode !== 'read only') await connection.executeQuery(CompiledQuery.raw(TAKE_WRITE_LOCK));
  }
}

/** The first number is ours alone, the second is the schema's; given back at the transaction's end. */
const TAKE_WRITE_LOCK = `select pg_advisory_xact_lock(1380270152, hashtext(current_schema()))`;
