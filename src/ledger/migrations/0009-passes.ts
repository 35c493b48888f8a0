/** The engine's goes at the stages of days: one that never ended tells of a worker that was killed or cut off. */
import type { Kysely } from 'kysely';
import { columnsOf } from './columns.ts';

export async function up(db: Kysely<unknown>): Promise<void> {
  const { text, integer, strictByKey } = columnsOf(db);
  await db.schema
    .createTable('passes')
    .addColumn('product', text, (column) => column.notNull())
    .addColumn('day', text, (column) => column.notNull())
    .addColumn('workflow_run_id', text, (column) => column.notNull())
    .addColumn('stage', text, (column) => column.notNull())
    .addColumn('pass', integer, (column) => column.notNull())
    .addColumn('worker', text, (column) => column.notNull())
    .addColumn('began_at', text, (column) => column.notNull())
    .addColumn('ended_at', text)
    .addColumn('outcome', text)
    .addColumn('detail', text)
    .addPrimaryKeyConstraint('passes_key', ['product', 'day', 'workflow_run_id', 'stage', 'pass'])
    .modifyEnd(strictByKey)
    .execute();
}
