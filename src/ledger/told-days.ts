/** What the rows of `attempts` say of each day's files: where `adopt` and `ledger rebuild` look. */
import { sql } from 'kysely';
import type { Kysely } from 'kysely';
import type { ProductSlug } from '../core/product.ts';
import type { Day } from '../core/time/day.ts';
import { isAfter } from './roll-up.ts';
import type { DayKey } from './roll-up.ts';
import type { LedgerTables } from './schema.ts';
import { deliveryOf } from './telemetry-rows.ts';
import type { WorkspacePaths } from './workspace-paths.ts';

/** Paths are absolute. Sizes are bytes, to a ten-thousandth of a MiB; null where no row says. */
export interface ToldDay {
  readonly product: ProductSlug;
  readonly day: Day;
  readonly download: {
    readonly path: string;
    readonly sizeBytes: number | null;
    readonly records: number | null;
  } | null;
  readonly build: {
    readonly path: string;
    readonly sizeBytes: number | null;
    readonly inputPath: string | null;
  } | null;
  /** Of what was built last. */
  readonly upload: { readonly destination: string; readonly key: string; readonly finishedAt: string } | null;
}

export interface ToldDays {
  /**
   * Days of which some row says that a file was made, in the order of product and day.
   *
   * @param after - the last day of the former call; null for the first
   */
  toldDaysAfter(after: DayKey | null, most: number): Promise<ToldDay[]>;
}

interface ToldRow extends DayKey {
  readonly seq: number;
  readonly status: 'DOWNLOADED' | 'PROCESSED' | 'UPLOADED';
  readonly artifact_path: string | null;
  readonly artifact_bytes: number | null;
  readonly records: number | null;
  readonly product_path: string | null;
  readonly product_bytes: number | null;
  readonly bucket: string | null;
  readonly object_key: string | null;
  readonly finished_at: string | null;
}

const MADE = sql`status in ('DOWNLOADED', 'PROCESSED', 'UPLOADED')`;

export function createToldDays(db: Kysely<LedgerTables>, paths: WorkspacePaths): ToldDays {
  return {
    async toldDaysAfter(after, most) {
      const { rows } = await sql<ToldRow>`
        select told.product, told.day, told.seq, told.status, artifact_path, artifact_bytes, records, product_path,
          product_bytes, bucket, object_key, finished_at
        from attempts as told join (
          select product, day, max(seq) as seq from attempts
          where ${MADE} and (product, day) in (
            select distinct product, day from attempts where ${MADE} and ${isAfter(after)}
            order by product, day limit ${sql.lit(most)}
          )
          group by product, day, status
        ) as latest on told.seq = latest.seq
        order by told.product, told.day, told.seq`.execute(db);
      const days = new Map<string, ToldRow[]>();
      for (const row of rows) {
        const key = `${row.product} ${row.day}`;
        days.set(key, [...(days.get(key) ?? []), row]);
      }
      return [...days.values()].map((of) => toldDay(of, paths));
    },
  };
}

/** @param rows - the latest of each status, in the order of writing; at least one */
function toldDay(rows: readonly ToldRow[], paths: WorkspacePaths): ToldDay {
  const [{ product, day }] = rows as [ToldRow];
  const of = (status: ToldRow['status']): ToldRow | undefined => rows.find((row) => row.status === status);
  const absolute = (path: string | null): string => (path === null ? '' : paths.toAbsolute(path));
  const [download, build, upload] = [of('DOWNLOADED'), of('PROCESSED'), of('UPLOADED')];
  return {
    product,
    day,
    download: download
      ? { path: absolute(download.artifact_path), sizeBytes: download.artifact_bytes, records: download.records }
      : null,
    build: build
      ? {
          path: absolute(build.product_path),
          sizeBytes: build.product_bytes,
          inputPath: absolute(build.artifact_path) || null,
        }
      : null,
    upload:
      upload && upload.seq > (build?.seq ?? 0)
        ? {
            ...deliveryOf({ s3_bucket: upload.bucket ?? '', s3_key: upload.object_key ?? '' }),
            finishedAt: upload.finished_at ?? '',
          }
        : null,
  };
}
