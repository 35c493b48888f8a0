/**
 * What reports read instead of all rows: the latest word of every phase of a day, and the sums of a day's slices. Beside
 * them the requests that brought nothing: what `explain` tells of a day's failures, pauses and retries.
 */
import { sql } from 'kysely';
import type { Kysely } from 'kysely';
import { columnsOf } from './columns.ts';

export async function up(db: Kysely<unknown>): Promise<void> {
  await createDayStates(db);
  await createSliceDays(db);
  await createRequestFailures(db);
  // Few slices are empty or failed: reports find them without passing the others.
  await sql`create index slices_poor on slices (status, product, day) where status <> 'done'`.execute(db);
}

async function createDayStates(db: Kysely<unknown>): Promise<void> {
  const { text, integer, strictByKey } = columnsOf(db);
  await db.schema
    .createTable('day_states')
    .addColumn('product', text, (column) => column.notNull())
    .addColumn('day', text, (column) => column.notNull())
    .addColumn('phase', text, (column) => column.notNull())
    .addColumn('destination', text, (column) => column.notNull())
    .addColumn('seq', integer, (column) => column.notNull())
    .addColumn('status', text, (column) => column.notNull())
    .addColumn('error_type', text)
    .addColumn('told_at', text, (column) => column.notNull())
    .addPrimaryKeyConstraint('day_states_key', ['product', 'day', 'phase', 'destination'])
    .modifyEnd(strictByKey)
    .execute();
  await db.schema.createIndex('day_states_by_status').on('day_states').columns(['status', 'seq']).execute();
  await sql`
    insert into day_states (product, day, phase, destination, seq, status, error_type, told_at)
    select product, day, case stage when 'count' then 'download' else stage end, destination, seq, status, error_type,
      coalesce(finished_at, started_at)
    from attempts
    where seq in (
      select max(seq) from attempts
      group by product, day, case stage when 'count' then 'download' else stage end, destination
    )`.execute(db);
}

async function createSliceDays(db: Kysely<unknown>): Promise<void> {
  const { text, integer, real, strictByKey } = columnsOf(db);
  await db.schema
    .createTable('slice_days')
    .addColumn('product', text, (column) => column.notNull())
    .addColumn('day', text, (column) => column.notNull())
    .addColumn('slices', integer, (column) => column.notNull())
    .addColumn('done', integer, (column) => column.notNull())
    .addColumn('empty', integer, (column) => column.notNull())
    .addColumn('failed', integer, (column) => column.notNull())
    .addColumn('records', integer, (column) => column.notNull())
    .addColumn('fewest_records', integer, (column) => column.notNull())
    .addColumn('bytes', integer, (column) => column.notNull())
    .addColumn('seconds', real, (column) => column.notNull())
    .addPrimaryKeyConstraint('slice_days_key', ['product', 'day'])
    .modifyEnd(strictByKey)
    .execute();
  await sql`
    insert into slice_days
      (product, day, slices, done, empty, failed, records, fewest_records, bytes, seconds)
    select product, day, count(*), sum(case status when 'done' then 1 else 0 end),
      sum(case status when 'empty' then 1 else 0 end), sum(case status when 'failed' then 1 else 0 end),
      coalesce(sum(records), 0), coalesce(min(case status when 'done' then records end), 0), coalesce(sum(bytes), 0), coalesce(sum(seconds), 0.0)
    from slices group by product, day`.execute(db);
}

async function createRequestFailures(db: Kysely<unknown>): Promise<void> {
  const { text, integer, real, strictByKey } = columnsOf(db);
  await db.schema
    .createTable('request_failures')
    .addColumn('product', text, (column) => column.notNull())
    .addColumn('day', text, (column) => column.notNull())
    .addColumn('start_ms', integer, (column) => column.notNull())
    .addColumn('ended_at', text, (column) => column.notNull())
    .addColumn('host', text, (column) => column.notNull())
    .addColumn('kind', text, (column) => column.notNull())
    .addColumn('http_status', integer)
    .addColumn('retry_after', text)
    .addColumn('detail', text, (column) => column.notNull())
    .addColumn('seconds', real)
    .addPrimaryKeyConstraint('request_failures_key', ['product', 'day', 'start_ms', 'ended_at'])
    .modifyEnd(strictByKey)
    .execute();
  await db.schema.createIndex('request_failures_by_kind').on('request_failures').columns(['kind', 'host']).execute();
}
