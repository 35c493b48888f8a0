/** Rows of `slices`, the latest that is known of each slice of a day, and their sums per day. */
import { sql } from 'kysely';
import type { Insertable, Kysely, RawBuilder, Selectable, Transaction } from 'kysely';
import type { ProductSlug } from '../core/product.ts';
import type { Day } from '../core/time/day.ts';
import type { Ledger, RequestFailureRow, SliceRow } from './ledger.ts';
import type { LedgerTables, RequestFailuresTable, SliceDaysTable, SlicesTable } from './schema.ts';
import { storableText } from './storable-text.ts';

export type SliceStore = Pick<
  Ledger,
  'slices' | 'putSlice' | 'putSlices' | 'resetSliceFailures' | 'retainSlices' | 'putRequestFailure' | 'requestFailures'
>;

/** Rows per statement: 15 values each, far below SQLite's limit of 32,766 and PostgreSQL's of 65,535. */
const ROWS_PER_INSERT = 500;

export function createSliceStore(db: Kysely<LedgerTables>): SliceStore {
  const putSlices = (rows: readonly SliceRow[]): Promise<void> =>
    db.transaction().execute(async (trx) => {
      for (let from = 0; from < rows.length; from += ROWS_PER_INSERT) {
        await upsertSlices(trx, rows.slice(from, from + ROWS_PER_INSERT));
      }
      const days = new Map(rows.map(({ product, day }) => [`${product} ${day}`, { product, day }]));
      for (const { product, day } of days.values()) await sumUpDay(trx, product, day);
    });
  return {
    async slices(product, day) {
      const rows = await db
        .selectFrom('slices')
        .selectAll()
        .where('product', '=', product)
        .where('day', '=', day)
        .orderBy('start_ms')
        .execute();
      return rows.map(toSlice);
    },

    putSlice: (row) => putSlices([row]),
    putSlices,

    async resetSliceFailures(product, day) {
      await db
        .updateTable('slices')
        .set({ failures: 0 })
        .where('product', '=', product)
        .where('day', '=', day)
        .where('failures', '!=', 0)
        .execute();
    },

    async retainSlices(product, day, intervals) {
      const wanted = new Set(intervals.map((interval) => `${interval.startMs}-${interval.endMs}`));
      await db.transaction().execute(async (trx) => {
        const ofDay = trx.selectFrom('slices').where('product', '=', product).where('day', '=', day);
        const rows = await ofDay.select(['start_ms', 'end_ms']).execute();
        const dropped = rows.filter((row) => !wanted.has(`${row.start_ms}-${row.end_ms}`)).map((row) => row.start_ms);
        if (dropped.length === 0) return;
        await trx
          .deleteFrom('slices')
          .where('product', '=', product)
          .where('day', '=', day)
          .where('start_ms', 'in', dropped)
          .execute();
        await sumUpDay(trx, product, day);
      });
    },

    async putRequestFailure(failure) {
      await db
        .insertInto('request_failures')
        .values(toFailureRow(failure))
        .onConflict((conflict) => conflict.columns(['product', 'day', 'start_ms', 'ended_at']).doNothing())
        .execute();
    },

    async requestFailures(product, day) {
      const rows = await db
        .selectFrom('request_failures')
        .selectAll()
        .where('product', '=', product)
        .where('day', '=', day)
        .orderBy('start_ms')
        .orderBy('ended_at')
        .execute();
      return rows.map(toFailure);
    },
  };
}

/** Every column but the key's: one that is added to the table and not here does not compile. */
const REPLACED: Readonly<Record<Exclude<keyof SlicesTable, 'product' | 'day' | 'start_ms'>, true>> = {
  end_ms: true,
  status: true,
  http_status: true,
  records: true,
  bytes: true,
  sha256: true,
  failures: true,
  error_kind: true,
  error_detail: true,
  seconds: true,
  updated_at: true,
  outside: true,
};
const REPLACED_COLUMNS = Object.keys(REPLACED) as (keyof typeof REPLACED)[];

/** One statement for all rows; of two with one key the later stands. */
async function upsertSlices(trx: Transaction<LedgerTables>, slices: readonly SliceRow[]): Promise<void> {
  const byKey = new Map(slices.map((row) => [`${row.product} ${row.day} ${row.startMs}`, toRow(row)]));
  await trx
    .insertInto('slices')
    .values([...byKey.values()])
    .onConflict((conflict) =>
      conflict
        .columns(['product', 'day', 'start_ms'])
        .doUpdateSet((expression) =>
          Object.fromEntries(REPLACED_COLUMNS.map((column) => [column, expression.ref(`excluded.${column}`)])),
        ),
    )
    .execute();
}

/** Brings a day's row of `slice_days` up to date from its slices: at most a few hundred, in the order of the key. */
async function sumUpDay(trx: Transaction<LedgerTables>, product: ProductSlug, day: Day): Promise<void> {
  await trx.deleteFrom('slice_days').where('product', '=', product).where('day', '=', day).execute();
  await sql`
    insert into slice_days
      (product, day, slices, done, empty, failed, records, fewest_records, bytes, seconds)
    ${sliceSums(sql`product = ${product} and day = ${day}`)}`.execute(trx);
}

/** What `slice_days` holds, made anew from the slices; also what checks compare it with. */
export function sliceSums(condition: RawBuilder<unknown>) {
  return sql<Selectable<SliceDaysTable>>`
    select product, day, count(*) as slices, sum(case status when 'done' then 1 else 0 end) as done,
      sum(case status when 'empty' then 1 else 0 end) as empty,
      sum(case status when 'failed' then 1 else 0 end) as failed,
      coalesce(sum(records), 0) as records, coalesce(min(case status when 'done' then records end), 0) as fewest_records,
      coalesce(sum(bytes), 0) as bytes, coalesce(sum(seconds), 0.0) as seconds
    from slices where ${condition} group by product, day`;
}

function toFailureRow(failure: RequestFailureRow): Insertable<RequestFailuresTable> {
  return {
    product: failure.product,
    day: failure.day,
    start_ms: failure.startMs,
    ended_at: failure.endedAt,
    host: failure.host,
    kind: failure.kind,
    http_status: failure.httpStatus,
    retry_after: failure.retryAfter,
    detail: storableText(failure.detail),
    seconds: failure.seconds,
  };
}

function toFailure(row: Selectable<RequestFailuresTable>): RequestFailureRow {
  return {
    product: row.product,
    day: row.day,
    startMs: row.start_ms,
    endedAt: row.ended_at,
    host: row.host,
    kind: row.kind,
    httpStatus: row.http_status,
    retryAfter: row.retry_after,
    detail: row.detail,
    seconds: row.seconds,
  };
}

function toSlice(row: Selectable<LedgerTables['slices']>): SliceRow {
  return {
    product: row.product,
    day: row.day,
    startMs: row.start_ms,
    endMs: row.end_ms,
    status: row.status,
    httpStatus: row.http_status,
    records: row.records,
    bytes: row.bytes,
    sha256: row.sha256,
    failures: row.failures,
    errorKind: row.error_kind,
    errorDetail: row.error_detail,
    seconds: row.seconds,
    updatedAt: row.updated_at,
    outside: row.outside,
  };
}

function toRow(slice: SliceRow): Selectable<LedgerTables['slices']> {
  return {
    product: slice.product,
    day: slice.day,
    start_ms: slice.startMs,
    end_ms: slice.endMs,
    status: slice.status,
    http_status: slice.httpStatus,
    records: slice.records,
    bytes: slice.bytes,
    sha256: slice.sha256,
    failures: slice.failures,
    error_kind: slice.errorKind,
    error_detail: slice.errorDetail === null ? null : storableText(slice.errorDetail),
    seconds: slice.seconds,
    updated_at: slice.updatedAt,
    outside: slice.outside ?? null,
  };
}
