/** TRACK-5, TRACK-6: what is kept of days beside their rows, made anew from the rows, a chunk of days at a time. */
import { sql } from 'kysely';
import type { Kysely, RawBuilder, Transaction } from 'kysely';
import type { ProductSlug } from '../core/product.ts';
import type { Day } from '../core/time/day.ts';
import type { LedgerTables } from './schema.ts';
import { sliceSums } from './slices.ts';

/** A day of a product, in the order of both. */
export interface DayKey {
  readonly product: ProductSlug;
  readonly day: Day;
}

export interface RollUp {
  /**
   * Makes `day_states` and `slice_days` of the next days anew, all of a chunk or nothing of it.
   *
   * @param after - the last day of the former chunk; null for the first
   * @param most - days of a chunk
   * @returns how many days there were, and the last of them; null when there is none left
   */
  rollUpAfter(after: DayKey | null, most: number): Promise<{ days: number; last: DayKey } | null>;
}

const PHASE = sql`case stage when 'count' then 'download' else stage end`;
/** Tables that know days: what is derived too, so that what no row supports any more goes. */
const KNOWING = ['attempts', 'slices', 'day_states', 'slice_days'] as const;

export function createRollUp(db: Kysely<LedgerTables>): RollUp {
  return {
    rollUpAfter: (after, most) =>
      db.transaction().execute(async (trx) => {
        const keys = await keysAfter(trx, after, most);
        const last = keys.at(-1);
        if (!last) return null;
        const range = sql`${isAfter(after)} and (product, day) <= (${last.product}, ${last.day})`;
        await sql`delete from day_states where ${range}`.execute(trx);
        await latestStates(range).execute(trx);
        await sql`delete from slice_days where ${range}`.execute(trx);
        await sql`
          insert into slice_days (product, day, slices, done, empty, failed, records, fewest_records, bytes, seconds)
          ${sliceSums(range)}`.execute(trx);
        return { days: keys.length, last };
      }),
  };
}

/** An insert into `day_states`: the last row of each phase of a day among those of `attempts` that are `chosen`. */
export function latestStates(chosen: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`
    insert into day_states (product, day, phase, destination, seq, status, error_type, told_at)
    select product, day, ${PHASE}, destination, seq, status, error_type, coalesce(finished_at, started_at)
    from attempts where seq in (
      select max(seq) from attempts where ${chosen} group by product, day, ${PHASE}, destination
    )`;
}

async function keysAfter(trx: Transaction<LedgerTables>, after: DayKey | null, most: number): Promise<DayKey[]> {
  const limit = sql.lit(most);
  const of = KNOWING.map(
    (table) => sql`
      select * from (
        select distinct product, day from ${sql.table(table)} where ${isAfter(after)} order by product, day limit ${limit}
      ) as ${sql.ref(`of_${table}`)}`,
  );
  const { rows } = await sql<DayKey>`
    select product, day from (${sql.join(of, sql` union `)}) as known order by product, day limit ${limit}`.execute(
    trx,
  );
  return rows;
}

export function isAfter(after: DayKey | null): RawBuilder<unknown> {
  return after ? sql`(product, day) > (${after.product}, ${after.day})` : sql`1 = 1`;
}
