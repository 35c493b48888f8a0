/** How an import finds whether a row of another telemetry file is in the ledger already. */
import { sql } from 'kysely';
import type { Kysely } from 'kysely';

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`create index attempts_told on attempts (run_id, day, started_at)`.execute(db);
}
