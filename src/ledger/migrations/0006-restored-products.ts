/** Products that an operator brought back: of which download they hold good although it is not what they were made from. */
import type { Kysely } from 'kysely';
import { columnsOf } from './columns.ts';

export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('artifacts').addColumn('restored_for', columnsOf(db).text).execute();
}
