/** What planning asks: everything known of each day of a range, in five queries whatever its length. */
import type { Kysely, Selectable, Transaction } from 'kysely';
import type { ProductSlug } from '../core/product.ts';
import { daysBetween } from '../core/time/day.ts';
import type { Day } from '../core/time/day.ts';
import { toArtifact, toCounts, toDelivery } from './artifacts.ts';
import type { AttemptFact, DayFacts } from './ledger.ts';
import type { AttemptsTable, LedgerTables } from './schema.ts';
import { toCheck } from './source-checks.ts';
import { readTransaction } from './transactions.ts';
import type { WorkspacePaths } from './workspace-paths.ts';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

interface Range {
  readonly product: ProductSlug;
  readonly first: Day;
  readonly last: Day;
  readonly destination: string | null;
}

/** Facts for every day of the range, ascending, all of one moment. */
export function readDayFacts(db: Kysely<LedgerTables>, paths: WorkspacePaths, range: Range): Promise<DayFacts[]> {
  const days = new Map(daysBetween(range.first, range.last).map((day) => [day, emptyFacts(day)]));
  return readTransaction(db, async (trx) => {
    for (const row of await latestAttempts(trx, range)) {
      const facts = days.get(row.day)!;
      const phase = row.stage === 'count' ? 'download' : row.stage;
      if ((facts[phase]?.seq ?? 0) < row.seq) facts[phase] = toFact(row);
    }
    for (const row of await currentArtifacts(trx, range)) {
      days.get(row.day)![row.kind === 'download' ? 'artifact' : 'productFile'] = toArtifact(row, paths);
    }
    for (const row of await countsOf(trx, range)) {
      const facts = days.get(row.day)!;
      if (facts.artifact?.sha256 === row.artifact_sha256) facts.counts = toCounts(row);
    }
    for (const row of await checksOf(trx, range)) days.get(row.day)!.check = toCheck(row);
    if (range.destination !== null) {
      for (const row of await deliveriesTo(trx, range, range.destination)) {
        days.get(row.day)!.delivery = toDelivery(row);
      }
    }
    return [...days.values()];
  });
}

function emptyFacts(day: Day): Mutable<DayFacts> {
  return {
    day,
    download: null,
    build: null,
    upload: null,
    artifact: null,
    productFile: null,
    delivery: null,
    counts: null,
    check: null,
  };
}

function latestAttempts(trx: Transaction<LedgerTables>, { product, first, last, destination }: Range) {
  return (
    trx
      .selectFrom('attempts')
      .selectAll()
      .where('seq', 'in', (inner) =>
        inner
          .selectFrom('attempts')
          .select((select) => select.fn.max('seq').as('seq'))
          .where('product', '=', product)
          .where('day', '>=', first)
          .where('day', '<=', last)
          .where('destination', 'in', destination === null ? [''] : ['', destination])
          .groupBy(['day', 'stage', 'destination']),
      )
      // With no destination asked for, uploads are nobody's business; '' would be one without a destination.
      .$if(destination === null, (query) => query.where('stage', '!=', 'upload'))
      .execute()
  );
}

function currentArtifacts(trx: Transaction<LedgerTables>, { product, first, last }: Range) {
  return trx
    .selectFrom('artifacts')
    .selectAll()
    .where('product', '=', product)
    .where('day', '>=', first)
    .where('day', '<=', last)
    .where('superseded_at', 'is', null)
    .execute();
}

function countsOf(trx: Transaction<LedgerTables>, { product, first, last }: Range) {
  return trx
    .selectFrom('counts')
    .selectAll()
    .where('product', '=', product)
    .where('day', '>=', first)
    .where('day', '<=', last)
    .execute();
}

function checksOf(trx: Transaction<LedgerTables>, { product, first, last }: Range) {
  return trx
    .selectFrom('source_checks')
    .selectAll()
    .where('product', '=', product)
    .where('day', '>=', first)
    .where('day', '<=', last)
    .execute();
}

function deliveriesTo(trx: Transaction<LedgerTables>, { product, first, last }: Range, destination: string) {
  return trx
    .selectFrom('deliveries')
    .selectAll()
    .where('product', '=', product)
    .where('day', '>=', first)
    .where('day', '<=', last)
    .where('destination', '=', destination)
    .execute();
}

function toFact(row: Selectable<AttemptsTable>): AttemptFact {
  return {
    seq: row.seq,
    runId: row.run_id,
    status: row.status,
    stage: row.stage,
    startedAt: row.started_at,
    finishedAt: row.finished_at,
    records: row.records,
    errorType: row.error_type,
    errorMessage: row.error_message,
  };
}
