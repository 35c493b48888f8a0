/** Which edition of a day a Zarr store holds, and what its objects hash to. */
import type { Kysely } from 'kysely';
import { columnsOf } from './columns.ts';

export async function up(db: Kysely<unknown>): Promise<void> {
  const { text, strictByKey } = columnsOf(db);
  await db.schema
    .createTable('zarr_days')
    .addColumn('store', text, (column) => column.notNull())
    .addColumn('day', text, (column) => column.notNull())
    .addColumn('product', text, (column) => column.notNull())
    .addColumn('source_path', text, (column) => column.notNull())
    .addColumn('source_sha256', text, (column) => column.notNull())
    .addColumn('objects', text, (column) => column.notNull())
    .addColumn('synced_at', text, (column) => column.notNull())
    .addPrimaryKeyConstraint('zarr_days_key', ['store', 'day'])
    .modifyEnd(strictByKey)
    .execute();
}
