/** Everything that is known of one day, for `explain`. */
import type { Kysely } from 'kysely';
import type { ProductSlug } from '../core/product.ts';
import type { Day } from '../core/time/day.ts';
import { toArtifact, toCounts, toDelivery } from './artifacts.ts';
import type { DayHistory } from './reports.ts';
import type { LedgerTables } from './schema.ts';
import { toPass } from './passes.ts';
import { createSliceStore } from './slices.ts';
import { toCheck } from './source-checks.ts';
import { absoluteAttempt } from './telemetry-log.ts';
import { readTransaction } from './transactions.ts';
import type { WorkspacePaths } from './workspace-paths.ts';

export function readDayHistory(
  db: Kysely<LedgerTables>,
  paths: WorkspacePaths,
  product: ProductSlug,
  day: Day,
): Promise<DayHistory> {
  return readTransaction(db, async (trx) => {
    const attempts = await trx
      .selectFrom('attempts')
      .selectAll()
      .where('product', '=', product)
      .where('day', '=', day)
      .orderBy('seq')
      .execute();
    const artifacts = await trx
      .selectFrom('artifacts')
      .selectAll()
      .where('product', '=', product)
      .where('day', '=', day)
      .orderBy('id')
      .execute();
    const counts = await trx
      .selectFrom('counts')
      .selectAll()
      .where('product', '=', product)
      .where('day', '=', day)
      .execute();
    const deliveries = await trx
      .selectFrom('deliveries')
      .selectAll()
      .where('product', '=', product)
      .where('day', '=', day)
      .orderBy('delivered_at')
      .execute();
    const passes = await trx
      .selectFrom('passes')
      .selectAll()
      .where('product', '=', product)
      .where('day', '=', day)
      .orderBy('began_at')
      .execute();
    const check = await trx
      .selectFrom('source_checks')
      .selectAll()
      .where('product', '=', product)
      .where('day', '=', day)
      .executeTakeFirst();
    const { slices, requestFailures } = createSliceStore(trx);
    return {
      product,
      day,
      attempts: attempts.map((row) => absoluteAttempt(row, paths)),
      passes: passes.map(toPass),
      slices: await slices(product, day),
      requestFailures: await requestFailures(product, day),
      files: artifacts.map((row) => ({ ...toArtifact(row, paths), supersededAt: row.superseded_at })),
      counts: counts.map((row) => ({ artifactSha256: row.artifact_sha256, ...toCounts(row) })),
      deliveries: deliveries.map(toDelivery),
      check: check === undefined ? null : toCheck(check),
    };
  });
}
