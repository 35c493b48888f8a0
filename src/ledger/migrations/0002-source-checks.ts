/** Days compared with the number of records that the source counts, and what a slice's answer held beyond its end. */
import { sql } from 'kysely';
import type { Kysely } from 'kysely';
import { columnsOf } from './columns.ts';

const STATES = ['verified', 'uncounted', 'differs'];

export async function up(db: Kysely<unknown>): Promise<void> {
  const { text, integer, strict } = columnsOf(db);
  await db.schema
    .createTable('source_checks')
    .addColumn('product', text, (column) => column.notNull())
    .addColumn('day', text, (column) => column.notNull())
    .addColumn('artifact_sha256', text)
    .addColumn('state', text, (column) => column.notNull())
    .addColumn('kept', integer, (column) => column.notNull())
    .addColumn('counted', integer)
    .addColumn('reason', text)
    .addColumn('checked_at', text, (column) => column.notNull())
    .addColumn('asked_at', text, (column) => column.notNull())
    .addPrimaryKeyConstraint('source_checks_key', ['product', 'day'])
    .addCheckConstraint(
      'source_checks_state',
      sql`${sql.ref('state')} in (${sql.join(STATES.map((state) => sql.lit(state)))})`,
    )
    .modifyEnd(strict)
    .execute();
  await db.schema.alterTable('slices').addColumn('outside', integer).execute();
}
