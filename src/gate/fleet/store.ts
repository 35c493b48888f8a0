/** The gate's row in the database, for one worker: one statement a call. Knows no rule; times are the database's clock. */
import { randomBytes, scrypt } from 'node:crypto';
import { promisify } from 'node:util';
import type { Pool } from 'pg';
import { PipelineError, isPipelineError } from '../../core/errors.ts';
import type { RateState } from '../../core/rate/restore.ts';
import type { LockHolder } from '../../storage/lock.ts';
import { createPool, explainPostgresError } from '../../storage/postgres/index.ts';
import type { PostgresPlace } from '../../storage/postgres/index.ts';
import type { GateIdentity } from '../place.ts';
import { RATE_STATE } from '../state-shape.ts';
import type { GateStats, RunReceipt } from '../types.ts';
import * as sql from './statements.ts';

/** What every worker says with each statement; the strictest bounds count. */
export interface Standing {
  /** Requests under way, permits not used yet included. */
  readonly inFlight: number;
  readonly mostRequests: number;
  /** Requests per second. */
  readonly maxRate: number;
}

export interface FleetRow {
  /** Of the rules' state. */
  readonly version: number;
  readonly state: RateState;
}

export interface Taken extends FleetRow {
  /** When the database answered. */
  readonly nowMs: number;
  /** Instants at which a request may leave each, ascending; about now. */
  readonly slots: readonly number[];
  /** Earliest instant of a permit by the pace alone, should none have been given. */
  readonly nextMs: number;
  /** Permits that more could be given by concurrency, before those that were. */
  readonly room: number;
  /** Slots of the second before `nowMs`, of all workers. */
  readonly recent: readonly number[];
  /** Other workers at work, by id. */
  readonly others: Readonly<Record<string, unknown>>;
}

export interface FleetReceipt extends GateStats {
  /** Empty for all runs. */
  readonly runId: string;
  readonly workspace: string;
  readonly lastMs: number;
}

/** A database that says nothing for so long is away. */
const PATIENCE_MS = 5_000;
/** One for permits, one for what changed, one for receipts. */
const CONNECTIONS = 3;
const SALT_BYTES = 16;
const ID_BYTES = 16;
/** As many runs as a machine's gate remembers. */
export const MOST_RUNS = 50;

interface TakenRow {
  readonly now_ms: number;
  readonly permits: number;
  readonly first_ms: number;
  readonly spacing_ms: number;
  readonly room: number;
  readonly recent: readonly number[];
  readonly others: Readonly<Record<string, unknown>>;
  readonly version: number;
  readonly state: string;
}

export class FleetStore {
  readonly #place: PostgresPlace;
  readonly #worker: string;
  readonly #who: LockHolder;
  readonly #pool: Pool;
  /** Runs whose receipts are in the database. */
  readonly #told = new Set<string>();
  #id = '';

  /** @param who - told to others */
  constructor(place: PostgresPlace, who: LockHolder) {
    this.#place = place;
    this.#who = who;
    this.#worker = `${who.host}/${who.pid}/${randomBytes(4).toString('hex')}`;
    this.#pool = openPool(place, CONNECTIONS);
  }

  /** The gate's name in the database. */
  get id(): string {
    return this.#id;
  }

  /**
   * Finds the gate, or makes it.
   *
   * @param first - its state when nobody has used it yet
   * @throws PipelineError `config_invalid`, `ledger_unavailable`
   */
  async open({ origin, credential }: GateIdentity, first: RateState): Promise<void> {
    await this.#do(async () => {
      const salt = await tables(this.#pool);
      const key = `${origin}\n${credential.reveal()}`;
      // Slow on purpose: who may read the table must not come by the credential by trying.
      this.#id = ((await promisify(scrypt)(key, salt, ID_BYTES)) as Buffer).toString('hex');
      await this.#pool.query(sql.MAKE_GATE, [this.#id, origin, JSON.stringify(first), first.pace.rate]);
    });
  }

  /** Asks for permits, at most `wanted`; none only renews the lease and reads. @throws PipelineError `ledger_unavailable` */
  async take(wanted: number, { inFlight, mostRequests, maxRate }: Standing): Promise<Taken> {
    const who = JSON.stringify({ who: this.#who });
    const parameters = [this.#id, this.#worker, wanted, inFlight, mostRequests, maxRate, who];
    const found = await this.#do(() => this.#pool.query<TakenRow>(sql.TAKE, parameters));
    const row = found.rows[0];
    if (!row) throw goneError(this.#place.shown);
    const slots = Array.from({ length: row.permits }, (_, index) => row.first_ms + index * row.spacing_ms);
    const { now_ms: nowMs, first_ms: nextMs, room, recent, others } = row;
    return { nowMs, slots, nextMs, room, recent, others, ...readRow(row, this.#place.shown) };
  }

  /** Puts `state` in the place of the one of `version`. @returns null when that is not the current one any more */
  async change(version: number, state: RateState): Promise<FleetRow | null> {
    const { cooldown, breaker, pace } = state;
    const found = await this.#do(() =>
      this.#pool.query<{ version: number }>(sql.CHANGE, [
        this.#id,
        version,
        JSON.stringify(state),
        pace.rate,
        Math.max(cooldown.untilMs, breaker.closedUntilMs),
        breaker.incident !== null,
        breaker.probing,
      ]),
    );
    const row = found.rows[0];
    return row ? { version: row.version, state } : null;
  }

  /** What this worker has counted so far, in the place of what it had told before. */
  async putReceipts(total: GateStats, runs: readonly RunReceipt[], nowMs: number): Promise<void> {
    const { workspace = '' } = this.#who;
    const all: FleetReceipt[] = [{ ...total, runId: '', workspace, lastMs: nowMs }, ...runs];
    for (const receipt of all) {
      const { requests, rateLimited, secondsWaited, worstSecond } = receipt;
      const counts = [requests, rateLimited, secondsWaited, worstSecond, receipt.lastMs];
      const key = [this.#id, receipt.runId, this.#worker, receipt.workspace];
      await this.#do(() => this.#pool.query(sql.PUT_RECEIPT, [...key, ...counts]));
    }
    const fresh = runs.filter(({ runId }) => !this.#told.has(runId));
    if (fresh.length === 0) return;
    await this.#do(() => this.#pool.query(sql.PRUNE_RECEIPTS, [this.#id, MOST_RUNS]));
    for (const { runId } of fresh) this.#told.add(runId);
  }

  /** Gives up the place among the workers, and the connections. */
  async close(): Promise<void> {
    if (this.#id !== '') await this.#pool.query(sql.LEAVE, [this.#id, this.#worker]).catch(() => undefined);
    await this.#pool.end();
  }

  async #do<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw gateError(error, this.#place);
    }
  }
}

/** For those who only look. */
export function openPool(place: PostgresPlace, connections: number): Pool {
  return createPool(place, {
    connections,
    connectMs: PATIENCE_MS,
    statementMs: PATIENCE_MS,
    silentMs: PATIENCE_MS,
  });
}

/** Finds the tables, or makes them. @returns the salt of names */
async function tables(pool: Pool): Promise<string> {
  const found = await pool.query<{ made: boolean }>(sql.FIND_TABLES);
  if (found.rows[0]?.made !== true) await makeTables(pool);
  const about = await pool.query<{ version: number; salt: string }>('select version, salt from reachback_gate.about');
  const { version = 0, salt = '' } = about.rows[0] ?? {};
  if (version === sql.VERSION) return salt;
  throw new PipelineError(
    'config_invalid',
    `The gate's tables (schema reachback_gate) have version ${version}: this reachback knows ${sql.VERSION}.`,
    { hint: 'Use the reachback that made them; they are unchanged.' },
  );
}

async function makeTables(pool: Pool): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query('begin');
    await client.query(sql.LOCK_TABLES);
    const found = await client.query<{ made: boolean }>(sql.FIND_TABLES);
    if (found.rows[0]?.made !== true) {
      await client.query(sql.MAKE_TABLES);
      const salt = randomBytes(SALT_BYTES).toString('hex');
      await client.query('insert into reachback_gate.about values (1, $1, $2)', [sql.VERSION, salt]);
    }
    await client.query('commit');
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    throw error;
  } finally {
    client.release();
  }
}

export function readRow({ version, state }: { version: number; state: string }, shown: string): FleetRow {
  let value: unknown = null;
  try {
    value = JSON.parse(state);
  } catch {
    // Told below.
  }
  const parsed = RATE_STATE.safeParse(value);
  if (parsed.success) return { version, state: parsed.data };
  throw new PipelineError('config_invalid', `The gate's state in ${shown} is damaged: ${parsed.error.message}.`, {
    hint: 'No request is sent. When no pause of the source is open any more: delete from reachback_gate.receipts; delete from reachback_gate.gates; then start the workers again.',
  });
}

function goneError(shown: string): PipelineError {
  return new PipelineError('config_invalid', `The gate is no longer in ${shown} (schema reachback_gate).`, {
    hint: 'Start the download workers again: they make it anew.',
  });
}

/** What keeps the gate from being asked; nothing leaves meanwhile. */
function gateError(error: unknown, place: PostgresPlace): PipelineError {
  const known = explainPostgresError(error, place);
  if (isPipelineError(known, 'ledger_unavailable')) {
    return new PipelineError('ledger_unavailable', `No request is sent, as hosts share the gate: ${known.message}`, {
      hint: 'Check that the database runs and can be reached (REACHBACK_LEDGER_URL). Downloads go on by themselves when it answers again.',
      context: known.context,
      cause: error,
    });
  }
  if (isPipelineError(known, 'config_invalid') && known.context['code'] === '42501') {
    return new PipelineError('config_invalid', `The gate that hosts share cannot be used: ${known.message}`, {
      hint: 'As the administrator of the database, once: create schema reachback_gate authorization <user of REACHBACK_LEDGER_URL>;',
      cause: error,
    });
  }
  if (isPipelineError(known)) return known;
  const reason = known instanceof Error ? known.message : String(known);
  return new PipelineError(
    'ledger_unavailable',
    `No request is sent, as the gate in ${place.shown} fails: ${reason}.`,
    {
      hint: 'Look at the log of the database server.',
      cause: error,
    },
  );
}
