/** The first schema. Never edited once released: a change is a further migration. */
import { sql } from 'kysely';
import type { Kysely } from 'kysely';
import { columnsOf } from './columns.ts';

const STATUSES = [
  'DOWNLOAD_PENDING',
  'DOWNLOADED',
  'SKIPPED_NO_DATA',
  'FAILED',
  'PROCESS_PENDING',
  'PROCESSED',
  'UPLOAD_PENDING',
  'UPLOADED',
  'SKIPPED_NO_INPUT',
];

function oneOf(column: string, values: readonly string[]) {
  return sql`${sql.ref(column)} in (${sql.join(values.map((value) => sql.lit(value)))})`;
}

async function createAttempts(db: Kysely<unknown>): Promise<void> {
  const { isPostgres, text, integer, real, counting, strict } = columnsOf(db);
  await db.schema
    .createTable('attempts')
    .addColumn('seq', integer, counting)
    .addColumn('workflow_run_id', text)
    .addColumn('stage', text, (column) => column.notNull())
    .addColumn('destination', text, (column) => column.notNull().defaultTo(''))
    .addColumn('edge', text, (column) => column.notNull())
    .addColumn('product', text, (column) => column.notNull())
    .addColumn('day', text, (column) => column.notNull())
    .addColumn('run_id', text, (column) => column.notNull())
    .addColumn('status', text, (column) => column.notNull())
    .addColumn('records', integer)
    .addColumn('expected', integer)
    .addColumn('download_seconds', real)
    .addColumn('artifact_bytes', integer)
    .addColumn('artifact_path', text)
    .addColumn('error_type', text)
    .addColumn('error_message', text)
    .addColumn('started_at', text, (column) => column.notNull())
    .addColumn('finished_at', text)
    .addColumn('build_seconds', real)
    .addColumn('product_bytes', integer)
    .addColumn('product_path', text)
    .addColumn('upload_seconds', real)
    .addColumn('bucket', text)
    .addColumn('object_key', text)
    .addUniqueConstraint('attempts_once', ['workflow_run_id', 'stage', 'destination', 'edge'])
    .addCheckConstraint('attempts_stage', oneOf('stage', ['download', 'count', 'build', 'upload']))
    .addCheckConstraint('attempts_edge', oneOf('edge', ['opening', 'closing']))
    .addCheckConstraint('attempts_status', oneOf('status', STATUSES))
    .modifyEnd(strict)
    .execute();
  await db.schema
    .createIndex('attempts_latest')
    .on('attempts')
    .columns(['product', 'day', 'stage', 'destination', 'seq'])
    .execute();
  await (isPostgres ? refuseChangesInPostgres(db) : refuseChangesInSqlite(db));
}

async function refuseChangesInSqlite(db: Kysely<unknown>): Promise<void> {
  for (const change of ['update', 'delete']) {
    await sql`create trigger ${sql.ref(`attempts_no_${change}`)} before ${sql.raw(change)} on attempts
      begin select raise(abort, 'attempts is append-only'); end`.execute(db);
  }
}

async function refuseChangesInPostgres(db: Kysely<unknown>): Promise<void> {
  await sql`create function attempts_are_append_only() returns trigger language plpgsql as
    'begin raise exception ''attempts is append-only''; end'`.execute(db);
  await sql`create trigger attempts_no_change before update or delete or truncate on attempts
    for each statement execute function attempts_are_append_only()`.execute(db);
}

async function createArtifacts(db: Kysely<unknown>): Promise<void> {
  const { text, integer, real, counting, strict } = columnsOf(db);
  await db.schema
    .createTable('artifacts')
    .addColumn('id', integer, counting)
    .addColumn('kind', text, (column) => column.notNull())
    .addColumn('product', text, (column) => column.notNull())
    .addColumn('day', text, (column) => column.notNull())
    .addColumn('path', text, (column) => column.notNull())
    .addColumn('size_bytes', integer, (column) => column.notNull())
    .addColumn('sha256', text, (column) => column.notNull())
    .addColumn('mtime_ms', real, (column) => column.notNull())
    .addColumn('records', integer, (column) => column.notNull())
    .addColumn('input_sha256', text)
    .addColumn('profile', text)
    .addColumn('version', text)
    .addColumn('created_at', text, (column) => column.notNull())
    .addColumn('released_at', text)
    .addColumn('superseded_at', text)
    .addColumn('superseded_by', integer, (column) => column.references('artifacts.id'))
    .addCheckConstraint('artifacts_kind', oneOf('kind', ['download', 'product']))
    .modifyEnd(strict)
    .execute();
  await db.schema
    .createIndex('artifacts_current')
    .unique()
    .on('artifacts')
    .columns(['product', 'day', 'kind'])
    .where(sql.ref('superseded_at'), 'is', null)
    .execute();
  await db.schema
    .createIndex('artifacts_owner')
    .unique()
    .on('artifacts')
    .column('path')
    .where(sql.ref('superseded_at'), 'is', null)
    .execute();
  await db.schema.createIndex('artifacts_by_day').on('artifacts').columns(['kind', 'day']).execute();
}

async function createDayTables(db: Kysely<unknown>): Promise<void> {
  const { text, integer, real, strict, strictByKey } = columnsOf(db);
  await db.schema
    .createTable('slices')
    .addColumn('product', text, (column) => column.notNull())
    .addColumn('day', text, (column) => column.notNull())
    .addColumn('start_ms', integer, (column) => column.notNull())
    .addColumn('end_ms', integer, (column) => column.notNull())
    .addColumn('status', text, (column) => column.notNull())
    .addColumn('http_status', integer)
    .addColumn('records', integer)
    .addColumn('bytes', integer)
    .addColumn('sha256', text)
    .addColumn('failures', integer, (column) => column.notNull())
    .addColumn('error_kind', text)
    .addColumn('error_detail', text)
    .addColumn('seconds', real)
    .addColumn('updated_at', text, (column) => column.notNull())
    .addPrimaryKeyConstraint('slices_key', ['product', 'day', 'start_ms'])
    .addCheckConstraint('slices_status', oneOf('status', ['done', 'empty', 'failed']))
    .modifyEnd(strictByKey)
    .execute();
  await db.schema
    .createTable('counts')
    .addColumn('product', text, (column) => column.notNull())
    .addColumn('day', text, (column) => column.notNull())
    .addColumn('artifact_sha256', text, (column) => column.notNull())
    .addColumn('records', integer, (column) => column.notNull())
    .addColumn('distinct_readings', integer, (column) => column.notNull())
    .addColumn('records_per_sensor', text, (column) => column.notNull())
    .addPrimaryKeyConstraint('counts_key', ['product', 'day', 'artifact_sha256'])
    .modifyEnd(strict)
    .execute();
  await db.schema
    .createTable('deliveries')
    .addColumn('product', text, (column) => column.notNull())
    .addColumn('day', text, (column) => column.notNull())
    .addColumn('destination', text, (column) => column.notNull())
    .addColumn('object_key', text, (column) => column.notNull())
    .addColumn('size_bytes', integer, (column) => column.notNull())
    .addColumn('sha256', text, (column) => column.notNull())
    .addColumn('delivered_at', text, (column) => column.notNull())
    .addPrimaryKeyConstraint('deliveries_key', ['product', 'day', 'destination'])
    .modifyEnd(strict)
    .execute();
}

async function createMemories(db: Kysely<unknown>): Promise<void> {
  const { text, integer, real, strict } = columnsOf(db);
  await db.schema
    .createTable('generation_dates')
    .addColumn('input_sha256', text, (column) => column.notNull())
    .addColumn('profile', text, (column) => column.notNull())
    .addColumn('writer', text, (column) => column.notNull())
    .addColumn('generation_date', text, (column) => column.notNull())
    .addPrimaryKeyConstraint('generation_dates_key', ['input_sha256', 'profile', 'writer'])
    .modifyEnd(strict)
    .execute();
  await db.schema
    .createTable('input_files')
    .addColumn('path', text, (column) => column.primaryKey().notNull())
    .addColumn('size_bytes', integer, (column) => column.notNull())
    .addColumn('mtime_ms', real, (column) => column.notNull())
    .addColumn('sha256', text, (column) => column.notNull())
    .modifyEnd(strict)
    .execute();
  await db.schema
    .createTable('telemetry_exports')
    .addColumn('path', text, (column) => column.primaryKey().notNull())
    .addColumn('seq', integer, (column) => column.notNull())
    .addColumn('byte_offset', integer, (column) => column.notNull())
    .modifyEnd(strict)
    .execute();
}

export async function up(db: Kysely<unknown>): Promise<void> {
  await createAttempts(db);
  await createArtifacts(db);
  await createDayTables(db);
  await createMemories(db);
}
