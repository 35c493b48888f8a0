/** What operators are told: failures grouped by cause, the days of each group, and the messages on their way. */
import { sql } from 'kysely';
import type { Kysely } from 'kysely';
import { columnsOf } from './columns.ts';

export async function up(db: Kysely<unknown>): Promise<void> {
  const { text, integer, counting, strict, strictByKey } = columnsOf(db);
  await db.schema
    .createTable('alerts')
    .addColumn('id', text, (column) => column.primaryKey().notNull())
    .addColumn('product', text, (column) => column.notNull())
    .addColumn('phase', text, (column) => column.notNull())
    .addColumn('cause', text, (column) => column.notNull())
    .addColumn('detail', text)
    .addColumn('days', integer, (column) => column.notNull())
    .addColumn('opened_at', text, (column) => column.notNull())
    .addColumn('announced_at', text)
    .addColumn('closed_at', text)
    .modifyEnd(strict)
    .execute();
  await db.schema
    .createIndex('alerts_open')
    .unique()
    .on('alerts')
    .columns(['product', 'phase', 'cause'])
    .where(sql.ref('closed_at'), 'is', null)
    .execute();
  await db.schema
    .createTable('alert_days')
    .addColumn('product', text, (column) => column.notNull())
    .addColumn('day', text, (column) => column.notNull())
    .addColumn('phase', text, (column) => column.notNull())
    .addColumn('destination', text, (column) => column.notNull())
    .addColumn('alert', text, (column) => column.notNull().references('alerts.id'))
    .addPrimaryKeyConstraint('alert_days_key', ['product', 'day', 'phase', 'destination'])
    .modifyEnd(strictByKey)
    .execute();
  await db.schema.createIndex('alert_days_by_alert').on('alert_days').columns(['alert', 'day']).execute();
  await db.schema
    .createTable('outbox')
    .addColumn('id', integer, counting)
    .addColumn('alert', text, (column) => column.notNull().references('alerts.id'))
    .addColumn('kind', text, (column) => column.notNull())
    .addColumn('body', text, (column) => column.notNull())
    .addColumn('tries', integer, (column) => column.notNull())
    .addColumn('due_at', text, (column) => column.notNull())
    .addColumn('claimed_until', text)
    .addColumn('sent_at', text)
    .addColumn('last_error', text)
    .addUniqueConstraint('outbox_once', ['alert', 'kind'])
    .modifyEnd(strict)
    .execute();
}
