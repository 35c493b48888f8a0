/** Rows of `slices`: the latest that is known of each slice of a day. */
import type { Kysely, Selectable } from 'kysely';
import type { Ledger, SliceRow } from './ledger.ts';
import type { LedgerTables } from './schema.ts';

export type SliceStore = Pick<Ledger, 'slices' | 'putSlice' | 'resetSliceFailures' | 'retainSlices'>;

export function createSliceStore(db: Kysely<LedgerTables>): SliceStore {
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

    async putSlice(slice) {
      const row = toRow(slice);
      await db
        .insertInto('slices')
        .values(row)
        .onConflict((conflict) => conflict.columns(['product', 'day', 'start_ms']).doUpdateSet(row))
        .execute();
    },

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
      });
    },
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
    error_detail: slice.errorDetail,
    seconds: slice.seconds,
    updated_at: slice.updatedAt,
  };
}
