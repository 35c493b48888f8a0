/**
 * One holder at a time (SAFE-3), kept by the kernel: an exclusive SQLite transaction that stays open as long as the holder
 * lives. A killed holder leaves nothing to clean up, and there is no process id to be reused by someone else.
 * The JSON file beside it only says who holds it, of those that share it the latest; it decides nothing.
 */
import { closeSync, openSync, readFileSync, rmSync } from 'node:fs';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { PipelineError, isPipelineError } from '../core/errors.ts';
import { writeFileAtomically } from './atomic-file.ts';
import { explainFsError } from './folders.ts';

/** `inspectLock` of another process blocks the lock for less than a millisecond; trying again outlasts it. */
const TRIES = 6;
const WAIT_MS = 50;
/** Reading takes a shared lock; inside a transaction it is kept. */
const LOOK = 'SELECT count(*) FROM sqlite_schema';

export interface LockHolder {
  readonly pid: number;
  readonly host: string;
  /** What it runs, as an operator would type it. */
  readonly command: string;
  /** ISO 8601 UTC. */
  readonly since: string;
  /** The workspace that it works for, where the lock is not the workspace's own. */
  readonly workspace?: string;
}

export interface LockOptions {
  /** Database file of the lock; its folder must exist. Nothing else may open it. */
  readonly path: string;
  /** What is locked, for the message: `The workspace /data`. */
  readonly subject: string;
  readonly command: string;
  /** For the holder's file. */
  readonly workspace?: string;
  /** Kind of the error when somebody else holds it; default `config_invalid`. */
  readonly heldKind?: 'config_invalid' | 'gate_held';
  /** Whether others that share it too may hold it at the same time. Default false. */
  readonly shared?: boolean;
  /** Permissions of both files; default as the process's mask says. */
  readonly mode?: number;
  /** Files by which a holder tells more of itself: of one that was killed they are removed before the new one is told of. */
  readonly tells?: readonly string[];
}

export interface HeldLock {
  readonly path: string;
  release(): void;
}

/** Keeps held databases reachable: a collected one would be closed, and the lock with it. */
const held = new Set<Database.Database>();

/**
 * Takes the lock or says who has it.
 *
 * @throws PipelineError `config_invalid` (or `heldKind`) naming holder, its command and since when; `config_invalid` with
 *   the reason when the file cannot be locked
 */
export async function acquireLock(options: LockOptions): Promise<HeldLock> {
  const lock = await tryAcquireLock(options);
  if (lock) return lock;
  throw heldByOther(options);
}

/**
 * Takes the lock unless somebody else has it.
 *
 * @returns null when somebody has
 * @throws PipelineError `config_invalid` when the file cannot be locked
 */
export async function tryAcquireLock(options: LockOptions): Promise<HeldLock | null> {
  const database = openDatabase(options);
  try {
    if (options.shared === true) database.exec('BEGIN');
    const take = options.shared === true ? LOOK : 'BEGIN EXCLUSIVE';
    for (let tries = 1; !tryLock(database, take, options.path); tries += 1) {
      if (tries === TRIES) {
        database.close();
        return null;
      }
      await sleep(WAIT_MS);
    }
    // What a killed holder left would be taken for ours until ours is written. Those who share may be there yet.
    if (options.shared !== true) {
      for (const left of [holderPath(options.path), ...(options.tells ?? [])]) rmSync(left, { force: true });
    }
    const holder: LockHolder = {
      pid: process.pid,
      host: hostname(),
      command: options.command,
      since: new Date().toISOString(),
      ...(options.workspace === undefined ? {} : { workspace: options.workspace }),
    };
    await writeFileAtomically(holderPath(options.path), `${JSON.stringify(holder)}\n`, options.mode);
  } catch (error) {
    database.close();
    throw isPipelineError(error) ? error : cannotLock(`${options.subject} cannot be locked`, options.path, error);
  }
  held.add(database);
  return {
    path: options.path,
    release() {
      if (!held.delete(database)) return;
      // Of those who share a lock another may have written it since.
      if (readHolder(options.path)?.pid === process.pid) rmSync(holderPath(options.path), { force: true });
      database.close();
    },
  };
}

/** A lock that several want and one has, until it is gone. */
export interface Turn {
  /** Whether it is ours now; taken over when nobody has it. */
  isOurs(): Promise<boolean>;
  release(): void;
}

export function createTurn(options: LockOptions): Turn {
  let lock: HeldLock | null = null;
  return {
    async isOurs() {
      // Looking takes no time; trying waits for whoever only looks.
      if (!lock && !inspectLock(options.path).held) lock = await tryAcquireLock(options);
      return lock !== null;
    },
    release() {
      lock?.release();
      lock = null;
    },
  };
}

export interface LockState {
  readonly held: boolean;
  /** Null when nobody holds it, or the holder could not say who it is. */
  readonly holder: LockHolder | null;
}

/** Whether the lock is held and by whom. Takes a shared lock for an instant and writes nothing. */
export function inspectLock(path: string): LockState {
  const free: LockState = { held: false, holder: null };
  let database: Database.Database;
  try {
    database = new Database(path, { readonly: true, fileMustExist: true, timeout: 0 });
  } catch {
    return free;
  }
  try {
    if (tryLock(database, LOOK, path)) return free;
  } finally {
    database.close();
  }
  return { held: true, holder: readHolder(path) };
}

function openDatabase({ path, subject, mode }: LockOptions): Database.Database {
  try {
    if (mode !== undefined) closeSync(openSync(path, 'a', mode));
    return new Database(path, { timeout: 0 });
  } catch (error) {
    throw cannotLock(`${subject} cannot be locked`, path, error);
  }
}

/** @returns false when another process is in the way */
function tryLock(database: Database.Database, statement: string, path: string): boolean {
  try {
    if (statement.startsWith('SELECT')) database.prepare(statement).get();
    else database.exec(statement);
    return true;
  } catch (error) {
    if (error instanceof Database.SqliteError && error.code.startsWith('SQLITE_BUSY')) return false;
    throw cannotLock('The lock cannot be used', path, error);
  }
}

function cannotLock(what: string, path: string, error: unknown): PipelineError {
  return new PipelineError('config_invalid', `${what}: ${path}: ${explainFsError(error)}.`, {
    hint: 'The folder must be writable and on a file system with working file locks. The lock file holds no data and may be deleted while no reachback runs.',
    context: { path },
    cause: error,
  });
}

function heldByOther({ path, subject, heldKind = 'config_invalid' }: LockOptions): PipelineError {
  const holder = readHolder(path);
  const who =
    holder === null
      ? 'another process'
      : `process ${holder.pid} on ${holder.host} since ${holder.since}: ${holder.command}` +
        (holder.workspace === undefined ? '' : `, workspace ${holder.workspace}`);
  return new PipelineError(heldKind, `${subject} is in use by ${who} (lock ${path}).`, {
    hint:
      holder === null
        ? 'Wait until it has finished.'
        : `Wait until it has finished, stop it with Ctrl-C where it runs, or with: kill ${holder.pid}`,
    context: {
      path,
      pid: holder?.pid,
      command: holder?.command,
      since: holder?.since,
      workspace: holder?.workspace,
    },
  });
}

function readHolder(path: string): LockHolder | null {
  try {
    return JSON.parse(readFileSync(holderPath(path), 'utf8')) as LockHolder;
  } catch {
    return null;
  }
}

/** `lock.db` → `lock.json` */
function holderPath(path: string): string {
  return `${path.replace(/\.db$/, '')}.json`;
}
