/**
 * The way to a PostgreSQL database: connections with limits, and its errors in the pipeline's words without secrets. Knows
 * nothing of what is kept there (the ledger, and the gate that hosts share).
 */
export { createPool } from './pool.ts';
export { explainPostgresError, retryCrossed } from './errors.ts';
export type { PostgresPlace } from './errors.ts';
