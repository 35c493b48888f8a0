/** What `gaps` asks of empty and failed slices, all in their index: a look at the row of each would read as many pages. */
import { sql } from 'kysely';
import type { Kysely } from 'kysely';

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`drop index slices_poor`.execute(db);
  await sql`
    create index slices_poor on slices (status, product, day, start_ms, end_ms, records) where status <> 'done'`.execute(
    db,
  );
}
