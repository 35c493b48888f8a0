/** What others may read about a gate, wherever it is kept. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { LockHolder } from '../storage/lock.ts';
import { inspectLock } from '../storage/lock.ts';
import type { PostgresPlace } from '../storage/postgres/index.ts';
import { readFleetReport } from './fleet/report.ts';
import { LOCK_NAME, STATE_NAME } from './machine-store.ts';
import { readStateFile } from './state-file.ts';
import type { Receipts } from './types.ts';

/** Times are ISO 8601 UTC. */
export interface GateReport {
  readonly origin: string;
  /** Requests per second allowed now. */
  readonly rate: number;
  readonly cooldown: { readonly until: string; readonly why: string } | null;
  readonly incident: {
    readonly id: string;
    readonly reason: string;
    readonly since: string;
    readonly why: string;
  } | null;
  /** Who may send requests now, of several the first; null when nobody downloads. */
  readonly holder: LockHolder | null;
  /** All who may: more than one where hosts share the gate. */
  readonly holders: readonly LockHolder[];
  readonly receipts: Receipts;
}

/**
 * The gate that a workspace used last, as it was at most two seconds ago. Writes nothing.
 *
 * @param pointer - the file that names the gate, see `MachineStoreOptions`
 * @param database - of the ledger, where hosts share the gate; null for a ledger in a file
 * @returns null when the workspace has used none, or it cannot be read here
 * @throws PipelineError `ledger_unavailable` when the database that has it does not answer
 */
export async function readGateReport(
  pointer: string,
  database: PostgresPlace | null = null,
): Promise<GateReport | null> {
  let named: { origin?: unknown; folder?: unknown; fleet?: unknown };
  try {
    named = JSON.parse(await readFile(pointer, 'utf8')) as typeof named;
  } catch {
    return null;
  }
  const { origin, folder, fleet } = named;
  if (typeof fleet === 'string') return database && (await readFleetReport(database, fleet));
  return typeof origin === 'string' && typeof folder === 'string' ? readMachineReport(origin, folder) : null;
}

function readMachineReport(origin: string, folder: string): GateReport | null {
  const row = readStateFile(join(folder, STATE_NAME));
  if (!row) return null;
  const { pace, cooldown, breaker, receipts } = row.state;
  // To the second: the two clocks differ by fractions of a millisecond from save to save.
  const wall = (ms: number): number => Math.round((row.wallMs + (ms - row.keptMs)) / 1_000) * 1_000;
  const until = wall(cooldown.untilMs);
  const { incident } = breaker;
  const { holder } = inspectLock(join(folder, LOCK_NAME));
  return {
    origin,
    rate: pace.rate,
    cooldown: until > Date.now() ? { until: new Date(until).toISOString(), why: cooldown.why } : null,
    incident: incident && {
      id: incident.id,
      reason: incident.reason,
      since: new Date(wall(incident.openedMs)).toISOString(),
      why: incident.why,
    },
    holder,
    holders: holder ? [holder] : [],
    receipts,
  };
}
