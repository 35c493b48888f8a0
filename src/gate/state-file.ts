/** The gate's state in one SQLite file with one row. Only the holder of the gate's lock writes it; anybody may read. */
import { closeSync, openSync, renameSync, rmSync } from 'node:fs';
import Database from 'better-sqlite3';
import type { z } from 'zod';
import { PipelineError } from '../core/errors.ts';
import { explainFsError } from '../storage/folders.ts';
import { PRIVATE_FILE } from './place.ts';
import { RATE_STATE, RECEIPTS } from './state-shape.ts';
import type { GateState } from './types.ts';

/** In `PRAGMA user_version`. */
const VERSION = 1;
/** A reader is done within milliseconds; a waiting statement blocks the event loop. */
const BUSY_TIMEOUT_MS = 1_000;

const STATE = RATE_STATE.extend({ receipts: RECEIPTS }) satisfies z.ZodType<GateState>;

/** A state with the times it was kept at. */
export interface StateRow {
  readonly state: GateState;
  /** By the clock of the state's times. */
  readonly keptMs: number;
  /** By the wall clock. */
  readonly wallMs: number;
}

interface RawRow {
  readonly state: string;
  readonly kept_ms: number;
  readonly wall_ms: number;
}

/** A state file that is no state file: torn, overwritten, edited by hand. */
class DamagedError extends Error {}

export class StateFile {
  readonly #database: Database.Database;
  readonly #insert: Database.Statement<[string, number, number]>;
  /** What the disk holds of pauses and failed passes. */
  #pauses: string | null = null;

  private constructor(database: Database.Database) {
    this.#database = database;
    this.#insert = database.prepare('INSERT OR REPLACE INTO gate (id, state, kept_ms, wall_ms) VALUES (1, ?, ?, ?)');
  }

  /**
   * Opens or makes the file. A damaged one is put aside under `<path>.damaged`.
   *
   * @returns its row, null when it has none, and whether it was damaged
   * @throws PipelineError `config_invalid` when a newer version wrote it (unchanged then), or it cannot be opened
   */
  static open(path: string): { file: StateFile; row: StateRow | null; damaged: boolean } {
    try {
      try {
        return { ...StateFile.#openSound(path), damaged: false };
      } catch (error) {
        if (!isDamage(error)) throw error;
        renameSync(path, `${path}.damaged`);
        for (const suffix of ['-wal', '-shm']) rmSync(path + suffix, { force: true });
        return { ...StateFile.#openSound(path), damaged: true };
      }
    } catch (error) {
      if (error instanceof PipelineError) throw error;
      throw new PipelineError('config_invalid', `Cannot open the gate's state ${path}: ${explainFsError(error)}.`, {
        hint: 'Make it writable for the user that runs reachback, or set XDG_STATE_HOME to another folder.',
        context: { path },
        cause: error,
      });
    }
  }

  static #openSound(path: string): { file: StateFile; row: StateRow | null } {
    closeSync(openSync(path, 'a', PRIVATE_FILE));
    const database = new Database(path, { timeout: BUSY_TIMEOUT_MS });
    try {
      const version = database.pragma('user_version', { simple: true }) as number;
      if (version > VERSION) throw newerVersion(path, version);
      database.pragma('journal_mode = WAL');
      if (version === 0) {
        database.exec(
          `BEGIN IMMEDIATE;
           CREATE TABLE IF NOT EXISTS gate (id INTEGER PRIMARY KEY CHECK (id = 1), state TEXT NOT NULL, kept_ms REAL NOT NULL,
             wall_ms REAL NOT NULL) STRICT;
           PRAGMA user_version = ${VERSION};
           COMMIT;`,
        );
      }
      return { file: new StateFile(database), row: readRow(database) };
    } catch (error) {
      database.close();
      throw error;
    }
  }

  /**
   * Safe from a kill when it returns; a pause or a failed pass from a power cut too. The pace, which changes with every
   * request, is not worth waiting for a busy disk.
   *
   * @throws PipelineError `disk_full`, `storage_unavailable`
   */
  save({ state, keptMs, wallMs }: StateRow): void {
    const pauses = JSON.stringify([state.cooldown, state.breaker]);
    try {
      this.#database.pragma(`synchronous = ${pauses === this.#pauses ? 'NORMAL' : 'FULL'}`);
      this.#insert.run(JSON.stringify(state), keptMs, wallMs);
      this.#pauses = pauses;
    } catch (error) {
      const full = error instanceof Database.SqliteError && error.code === 'SQLITE_FULL';
      const reason = error instanceof Error ? error.message : String(error);
      throw new PipelineError(
        full ? 'disk_full' : 'storage_unavailable',
        `The state of the gate cannot be kept in ${this.#database.name}: ${reason}.`,
        {
          hint: 'No request is sent meanwhile: a restart would forget the pauses that the source asked for.',
          cause: error,
        },
      );
    }
  }

  close(): void {
    this.#database.close();
  }
}

/** Reads the row beside a holder at work, and writes nothing. @returns null when there is none that can be read */
export function readStateFile(path: string): StateRow | null {
  let database: Database.Database;
  try {
    database = new Database(path, { readonly: true, fileMustExist: true, timeout: BUSY_TIMEOUT_MS });
  } catch {
    return null;
  }
  try {
    return readRow(database);
  } catch {
    return null;
  } finally {
    database.close();
  }
}

function readRow(database: Database.Database): StateRow | null {
  const row = database.prepare<[], RawRow>('SELECT state, kept_ms, wall_ms FROM gate').get();
  if (!row) return null;
  let value: unknown;
  try {
    value = JSON.parse(row.state);
  } catch {
    throw new DamagedError('the state is no JSON');
  }
  const parsed = STATE.safeParse(value);
  if (!parsed.success) throw new DamagedError(parsed.error.message);
  return { state: parsed.data, keptMs: row.kept_ms, wallMs: row.wall_ms };
}

function isDamage(error: unknown): boolean {
  if (error instanceof DamagedError) return true;
  return (
    error instanceof Database.SqliteError &&
    (error.code.startsWith('SQLITE_CORRUPT') || error.code === 'SQLITE_NOTADB' || error.code === 'SQLITE_ERROR')
  );
}

function newerVersion(path: string, version: number): PipelineError {
  return new PipelineError(
    'config_invalid',
    `The gate's state ${path} has version ${version}: this reachback knows ${VERSION}.`,
    { hint: 'Use the newer reachback that wrote it; the file is unchanged.', context: { path } },
  );
}
