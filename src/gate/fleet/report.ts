/** What others may read about a gate that hosts share. Writes nothing. */
import type { LockHolder } from '../../storage/lock.ts';
import { explainPostgresError } from '../../storage/postgres/index.ts';
import type { PostgresPlace } from '../../storage/postgres/index.ts';
import type { GateReport } from '../report.ts';
import type { Receipts } from '../types.ts';
import { LEASE_MS, READ_GATE, READ_RECEIPTS } from './statements.ts';
import { MOST_RUNS, openPool, readRow } from './store.ts';

interface GateRow {
  readonly origin: string;
  readonly version: number;
  readonly state: string;
  readonly workers: Readonly<Record<string, { readonly who: LockHolder; readonly seenMs: number }>>;
  readonly now_ms: number;
}

interface ReceiptRow {
  readonly run_id: string;
  readonly workspace: string;
  readonly requests: number;
  readonly rate_limited: number;
  readonly seconds_waited: number;
  readonly worst_second: number;
  readonly last_ms: number;
}

/** The tables are not there, or not this user's to read. */
const NOT_FOR_US: readonly unknown[] = ['42P01', '42501'];

/**
 * @returns null when the database has no such gate, or this user may not read it
 * @throws PipelineError `ledger_unavailable`, `config_invalid`
 */
export async function readFleetReport(place: PostgresPlace, id: string): Promise<GateReport | null> {
  const pool = openPool(place, 1);
  try {
    const row = (await pool.query<GateRow>(READ_GATE, [id])).rows[0];
    if (!row) return null;
    const receipts = (await pool.query<ReceiptRow>(READ_RECEIPTS, [id, MOST_RUNS])).rows;
    return reportOf(row, receipts, place);
  } catch (error) {
    if (NOT_FOR_US.includes((error as { code?: unknown }).code)) return null;
    throw explainPostgresError(error, place);
  } finally {
    await pool.end();
  }
}

function reportOf(row: GateRow, receipts: readonly ReceiptRow[], { shown }: PostgresPlace): GateReport {
  const { pace, cooldown, breaker } = readRow(row, shown).state;
  // By the clock of whoever reads, to the second.
  const wall = (ms: number): string =>
    new Date(Math.round((Date.now() + ms - row.now_ms) / 1_000) * 1_000).toISOString();
  const holders = Object.values(row.workers).filter(({ seenMs }) => seenMs > row.now_ms - LEASE_MS);
  const { incident } = breaker;
  return {
    origin: row.origin,
    rate: pace.rate,
    cooldown: cooldown.untilMs > row.now_ms ? { until: wall(cooldown.untilMs), why: cooldown.why } : null,
    incident: incident && {
      id: incident.id,
      reason: incident.reason,
      since: wall(incident.openedMs),
      why: incident.why,
    },
    holder: holders[0]?.who ?? null,
    holders: holders.map(({ who }) => who),
    receipts: receiptsOf(receipts),
  };
}

function receiptsOf(rows: readonly ReceiptRow[]): Receipts {
  const all = rows.map((row) => ({
    runId: row.run_id,
    workspace: row.workspace,
    requests: row.requests,
    rateLimited: row.rate_limited,
    secondsWaited: row.seconds_waited,
    worstSecond: row.worst_second,
    lastMs: row.last_ms,
  }));
  const total = all.find(({ runId }) => runId === '');
  const { requests = 0, rateLimited = 0, secondsWaited = 0, worstSecond = 0 } = total ?? {};
  return {
    total: { requests, rateLimited, secondsWaited, worstSecond },
    runs: all.filter(({ runId }) => runId !== '').toReversed(),
  };
}
