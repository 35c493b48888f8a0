/** Which days a Zarr store holds in which edition, and which of the ledger's products it lacks. */
import type { Kysely } from 'kysely';
import type { ProductSlug } from '../core/product.ts';
import type { Day } from '../core/time/day.ts';
import type { ZarrDay } from '../core/zarr.ts';
import type { LedgerTables } from './schema.ts';
import type { WorkspacePaths } from './workspace-paths.ts';

export interface ZarrDayRow extends ZarrDay {
  /** SHA-256 of the day's objects by array; null where the day has none. */
  readonly objects: Readonly<Record<string, string | null>>;
}

/** What the ledger keeps of Zarr stores, named by their URI. Methods may be called twice. */
export interface ZarrRecords {
  /**
   * Current products that the store does not hold in this edition, ascending: the list that a sync works on. Follows from
   * hashes alone, never from times of files.
   *
   * @param after - only later days; null for all
   */
  zarrChanges(store: string, product: ProductSlug, after: Day | null, limit: number): Promise<ZarrDay[]>;
  /** Notes what was committed. */
  putZarrDays(store: string, product: ProductSlug, rows: readonly ZarrDayRow[]): Promise<void>;
  /** Days that the store was given, ascending. */
  zarrDays(store: string): Promise<ZarrDayRow[]>;
  /** For a store that is gone, or is made anew. */
  forgetZarrDays(store: string): Promise<void>;
  /** What is known of one store from now on is known of the other. */
  renameZarrStore(from: string, to: string): Promise<void>;
}

export interface ZarrRecordsOptions {
  readonly db: Kysely<LedgerTables>;
  readonly paths: WorkspacePaths;
  readonly now: () => number;
}

export function createZarrRecords({ db, paths, now }: ZarrRecordsOptions): ZarrRecords {
  return {
    async zarrChanges(store, product, after, limit) {
      const rows = await db
        .selectFrom('artifacts')
        .leftJoin('zarr_days', (join) =>
          join.onRef('zarr_days.day', '=', 'artifacts.day').on('zarr_days.store', '=', store),
        )
        .select(['artifacts.day', 'artifacts.path', 'artifacts.sha256'])
        .where('artifacts.kind', '=', 'product')
        .where('artifacts.product', '=', product)
        .where('artifacts.superseded_at', 'is', null)
        .where('artifacts.day', '>', after ?? ('' as Day))
        .where((where) =>
          where.or([
            where('zarr_days.source_sha256', 'is', null),
            where('zarr_days.source_sha256', '!=', where.ref('artifacts.sha256')),
          ]),
        )
        .orderBy('artifacts.day')
        .limit(limit)
        .execute();
      return rows.map(({ day, path, sha256 }) => ({ day, path: paths.toAbsolute(path), sha256 }));
    },

    async putZarrDays(store, product, rows) {
      const synced_at = new Date(now()).toISOString();
      await db.transaction().execute(async (trx) => {
        for (const { day, path, sha256, objects } of rows) {
          const row = {
            store,
            day,
            product,
            source_path: paths.toStored(path),
            source_sha256: sha256,
            objects: JSON.stringify(objects),
            synced_at,
          };
          await trx
            .insertInto('zarr_days')
            .values(row)
            .onConflict((conflict) => conflict.columns(['store', 'day']).doUpdateSet(row))
            .execute();
        }
      });
    },

    async zarrDays(store) {
      const rows = await db.selectFrom('zarr_days').selectAll().where('store', '=', store).orderBy('day').execute();
      return rows.map((row) => ({
        day: row.day,
        path: paths.toAbsolute(row.source_path),
        sha256: row.source_sha256,
        objects: JSON.parse(row.objects) as ZarrDayRow['objects'],
      }));
    },

    async forgetZarrDays(store) {
      await db.deleteFrom('zarr_days').where('store', '=', store).execute();
    },

    async renameZarrStore(from, to) {
      await db.transaction().execute(async (trx) => {
        const held = trx.selectFrom('zarr_days').select('day').where('store', '=', from).limit(1);
        if ((await held.executeTakeFirst()) === undefined) return;
        await trx.deleteFrom('zarr_days').where('store', '=', to).execute();
        await trx.updateTable('zarr_days').set({ store: to }).where('store', '=', from).execute();
      });
    },
  };
}
