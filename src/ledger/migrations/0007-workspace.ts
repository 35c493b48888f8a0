/** Whose ledger it is: the first workspace that writes to it. */
import { sql } from 'kysely';
import type { Kysely } from 'kysely';
import { columnsOf } from './columns.ts';

export async function up(db: Kysely<unknown>): Promise<void> {
  const { text, integer, strict } = columnsOf(db);
  await db.schema
    .createTable('workspace')
    .addColumn('id', integer, (column) => column.primaryKey().check(sql`id = 1`))
    .addColumn('name', text, (column) => column.notNull())
    .addColumn('claimed_at', text, (column) => column.notNull())
    .modifyEnd(strict)
    .execute();
}
