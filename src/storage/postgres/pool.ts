/** Connections to a PostgreSQL database. */
import { Pool, types } from 'pg';
import { PipelineError } from '../../core/errors.ts';
import type { PostgresPlace } from './errors.ts';

/** Milliseconds. */
export interface PoolLimits {
  readonly connections: number;
  readonly connectMs: number;
  /** The server ends a statement after this time, waiting for locks included. */
  readonly statementMs: number;
  /** A connection over which nothing comes back for this time is given up. */
  readonly silentMs: number;
}

/** Whole numbers and sums come as text, since they may be beyond 2^53; ours are not. */
const NUMBER_TYPES = [types.builtins.INT8, types.builtins.NUMERIC];

/** @throws PipelineError `config_invalid` for an address with options that are not understood */
export function createPool({ url, shown }: PostgresPlace, limits: PoolLimits): Pool {
  let pool: Pool;
  try {
    pool = new Pool({
      connectionString: url.reveal(),
      application_name: 'reachback',
      max: limits.connections,
      connectionTimeoutMillis: limits.connectMs,
      statement_timeout: limits.statementMs,
      idle_in_transaction_session_timeout: limits.statementMs,
      query_timeout: limits.silentMs,
      keepAlive: true,
      types: {
        getTypeParser: (id: number, format?: 'text' | 'binary') =>
          NUMBER_TYPES.includes(id) ? Number : (types.getTypeParser(id, format) as (text: string) => unknown),
      },
    });
  } catch {
    // What the parser says may hold the password.
    throw new PipelineError('config_invalid', `REACHBACK_LEDGER_URL (${shown}) has options that are not understood.`, {
      hint: 'Use postgres://user:password@host:5432/database, with percent-encoded special characters in the password.',
    });
  }
  // A connection that breaks is told by the query that uses it, and replaced; unheard it would end the process.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => void client.on('error', () => undefined));
  return pool;
}
