/** Rows of `source_checks`: the latest comparison of each day with the source. */
import type { Kysely, Selectable } from 'kysely';
import type { CheckRow, Ledger } from './ledger.ts';
import type { LedgerTables } from './schema.ts';

export function createSourceChecks(db: Kysely<LedgerTables>): Pick<Ledger, 'putCheck'> {
  return {
    async putCheck(check) {
      const row = {
        product: check.product,
        day: check.day,
        artifact_sha256: check.artifactSha256,
        state: check.state,
        kept: check.kept,
        counted: check.counted,
        reason: check.reason,
        checked_at: check.checkedAt,
        asked_at: check.askedAt,
      };
      await db
        .insertInto('source_checks')
        .values(row)
        .onConflict((conflict) => conflict.columns(['product', 'day']).doUpdateSet(row))
        .execute();
    },
  };
}

export function toCheck(row: Selectable<LedgerTables['source_checks']>): CheckRow {
  return {
    product: row.product,
    day: row.day,
    artifactSha256: row.artifact_sha256,
    state: row.state,
    kept: row.kept,
    counted: row.counted,
    reason: row.reason,
    checkedAt: row.checked_at,
    askedAt: row.asked_at,
  };
}
