import { sql } from 'kysely';
import type { Kysely, Transaction } from 'kysely';
import { availabilityPct } from '../core/records/counts.ts';
import { expectedRecords, parseProductSlug } from '../core/product.ts';
import type { ProductSlug } from '../core/product.ts';
import type { Day } from '../core/time/day.ts';
import { toArtifact, toDelivery } from './artifacts.ts';
import { readDayHistory } from './day-history.ts';
import { readGapDays } from './gap-facts.ts';
import { isFinal } from '../core/backfill/recheck.ts';
import { CHECK_STATES } from '../core/records/source-check.ts';
import { checkIntegrity } from './integrity.ts';
import { RAW_UNPROCESSED } from './ledger.ts';
import type { CheckCount, DayLine, DayScope, FailureRow, LedgerReports, ReportScope } from './reports.ts';
import type { LedgerTables } from './schema.ts';
import { inScope } from './scope.ts';
import { readTransaction } from './transactions.ts';
import type { WorkspacePaths } from './workspace-paths.ts';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type Db = Kysely<LedgerTables> | Transaction<LedgerTables>;

export function createSqlReports(db: Kysely<LedgerTables>, paths: WorkspacePaths): LedgerReports {
  return {
    async products() {
      const fromAttempts = db.selectFrom('attempts').select('product').distinct();
      const rows = await fromAttempts.union(db.selectFrom('artifacts').select('product').distinct()).execute();
      return rows.map((row) => row.product).toSorted();
    },

    async stateCounts(scope = {}) {
      const rows = await db
        .selectFrom('day_states')
        .select((select) => ['product', 'phase', 'destination', 'status', select.fn.countAll<number>().as('days')])
        .where(inScope(scope))
        .groupBy(['product', 'phase', 'destination', 'status'])
        .orderBy('product')
        .orderBy('phase')
        .orderBy('destination')
        .orderBy('status')
        .execute();
      return rows.map((row) => ({ ...row, destination: row.phase === 'upload' ? row.destination : null }));
    },

    checkCounts: (today, scope = {}) => countChecks(db, today, scope),

    async latestFailures(limit, scope = {}) {
      const rows = await db
        .selectFrom(
          db
            .selectFrom('day_states')
            .selectAll()
            .where('status', '=', 'FAILED')
            .where(inScope(scope))
            .orderBy('seq', 'desc')
            .limit(limit)
            .as('failed'),
        )
        .innerJoin('attempts', 'attempts.seq', 'failed.seq')
        .selectAll('failed')
        .select(['attempts.run_id', 'attempts.error_message'])
        .orderBy('failed.seq', 'desc')
        .execute();
      return rows.map((row) => ({
        seq: row.seq,
        product: row.product,
        day: row.day,
        phase: row.phase,
        destination: row.phase === 'upload' ? row.destination : null,
        runId: row.run_id,
        kind: (row.error_type ?? 'unknown') as FailureRow['kind'],
        message: row.error_message ?? '',
        failedAt: row.told_at,
      }));
    },

    failureCauses(scope = {}) {
      return db
        .selectFrom('day_states')
        .select((select) => [
          'product',
          'phase',
          select.fn.coalesce('error_type', sql<string>`'unknown'`).as('kind'),
          select.fn.countAll<number>().as('days'),
          select.fn.min('day').as('firstDay'),
          select.fn.max('day').as('lastDay'),
        ])
        .where('status', '=', 'FAILED')
        .where(inScope(scope))
        .groupBy(['product', 'phase', 'error_type'])
        .orderBy('product')
        .orderBy('phase')
        .orderBy('error_type')
        .execute();
    },

    hostRefusals: () =>
      db
        .selectFrom('request_failures')
        .select((select) => [
          'host',
          'kind',
          select.fn.countAll<number>().as('requests'),
          select.fn.max('ended_at').as('latestAt'),
        ])
        .groupBy(['host', 'kind'])
        .orderBy('requests', 'desc')
        .orderBy('host')
        .orderBy('kind')
        .execute(),

    async unreadSlices() {
      const row = await db
        .selectFrom('slice_days')
        .innerJoin('slices', (join) =>
          join.onRef('slices.product', '=', 'slice_days.product').onRef('slices.day', '=', 'slice_days.day'),
        )
        .select((select) => select.fn.countAll<number>().as('slices'))
        .where('slice_days.failed', '>', 0)
        .where('status', '=', 'failed')
        .where('error_kind', '=', RAW_UNPROCESSED)
        .executeTakeFirstOrThrow();
      return row.slices;
    },

    async throughput(sinceIso) {
      const row = await db
        .selectFrom('day_states')
        .leftJoin('slice_days', (join) =>
          join.onRef('slice_days.product', '=', 'day_states.product').onRef('slice_days.day', '=', 'day_states.day'),
        )
        .select((select) => [
          select.fn.countAll<number>().as('days'),
          select.fn.coalesce(select.fn.sum<number>('records'), sql<number>`0`).as('records'),
          select.fn.coalesce(select.fn.sum<number>('bytes'), sql<number>`0`).as('bytes'),
          select.fn.min('told_at').as('firstAt'),
          select.fn.max('told_at').as('lastAt'),
        ])
        .where('status', '=', 'DOWNLOADED')
        .where('phase', '=', 'download')
        .where('told_at', '>=', sinceIso)
        .executeTakeFirstOrThrow();
      return row;
    },

    async dayHistories(day, product = null) {
      const fromStates = db.selectFrom('day_states').select('product').where('day', '=', day);
      const found = await fromStates
        .union(db.selectFrom('artifacts').select('product').where('day', '=', day))
        .execute();
      const products = found.map((row) => row.product).filter((each) => product === null || each === product);
      return Promise.all(products.toSorted().map((each) => readDayHistory(db, paths, each, day)));
    },

    async knownRange(product) {
      const row = await db
        .selectFrom('day_states')
        .select((select) => [select.fn.min('day').as('first'), select.fn.max('day').as('last')])
        .where('product', '=', product)
        .executeTakeFirst();
      return row?.first == null ? null : { first: row.first, last: row.last };
    },

    async presentFiles(scope = {}) {
      const rows = await db
        .selectFrom('artifacts')
        .selectAll()
        .where(inScope(scope))
        .where('superseded_at', 'is', null)
        .where('released_at', 'is', null)
        .orderBy('product')
        .orderBy('day')
        .orderBy('kind')
        .execute();
      return rows.map((row) => toArtifact(row, paths));
    },

    async supersededFiles(scope = {}) {
      const rows = await db
        .selectFrom('artifacts')
        .selectAll()
        .where(inScope(scope))
        .where('superseded_at', 'is not', null)
        .orderBy('product')
        .orderBy('day')
        .orderBy('kind')
        .orderBy('id')
        .execute();
      return rows.map((row) => ({ ...toArtifact(row, paths), supersededAt: row.superseded_at ?? '' }));
    },

    async deliveries(scope = {}) {
      const rows = await db
        .selectFrom('deliveries')
        .selectAll()
        .where(inScope(scope))
        .orderBy('product')
        .orderBy('day')
        .orderBy('destination')
        .execute();
      return rows.map(toDelivery);
    },

    checkIntegrity: () => checkIntegrity(db),

    gapDays: (question) => readGapDays(db, question),

    dayLines: (scope = {}) => readTransaction(db, (trx) => readDayLines(trx, paths, scope)),
  };
}

async function readDayLines(trx: Db, paths: WorkspacePaths, scope: DayScope): Promise<DayLine[]> {
  const lines = new Map<string, Mutable<DayLine>>();
  const lineOf = (row: { product: ProductSlug; day: Day }): Mutable<DayLine> => {
    const key = `${row.product} ${row.day}`;
    const line = lines.get(key) ?? emptyLine(row.product, row.day);
    lines.set(key, line);
    return line;
  };

  const states = trx.selectFrom('day_states').selectAll().where(inScope(scope)).orderBy('seq');
  const isMeant = ({ destination }: { destination: string }): boolean =>
    scope.destination == null || destination === scope.destination;
  for (const row of await states.execute()) {
    if (row.phase === 'upload' && !isMeant(row)) continue;
    lineOf(row)[row.phase] = row.status;
  }
  await fillSeconds(trx, scope, lineOf);
  const artifacts = trx.selectFrom('artifacts').selectAll().where(inScope(scope)).where('superseded_at', 'is', null);
  for (const row of await artifacts.execute()) {
    const line = lineOf(row);
    if (row.kind === 'download') {
      line.records = row.records;
      line.availabilityPct = availabilityPct(row.records, expectedRecords(parseProductSlug(row.product)));
      line.downloadBytes = row.size_bytes;
    } else {
      line.productBytes = row.size_bytes;
      line.productPath = paths.toAbsolute(row.path);
    }
  }
  await fillDistinctReadings(trx, scope, lineOf);
  const checks = trx.selectFrom('source_checks').select(['product', 'day', 'state', 'reason']).where(inScope(scope));
  for (const row of await checks.execute()) {
    const line = lineOf(row);
    line.check = row.state;
    line.checkReason = row.reason;
  }
  const deliveries = trx.selectFrom('deliveries').selectAll().where(inScope(scope)).orderBy('delivered_at');
  for (const row of await deliveries.execute()) {
    if (!isMeant(row)) continue;
    const line = lineOf(row);
    line.destination = row.destination;
    line.deliveredKey = row.object_key;
  }
  return [...lines.entries()].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, line]) => line);
}

/** Every day whose download ended well, with its latest comparison. */
async function countChecks(db: Db, today: Day, scope: ReportScope): Promise<CheckCount[]> {
  const rows = await db
    .selectFrom(
      db
        .selectFrom('day_states')
        .select(['product', 'day', 'told_at'])
        .where(inScope(scope))
        .where('phase', '=', 'download')
        .where('status', 'in', ['DOWNLOADED', 'SKIPPED_NO_DATA'])
        .as('ended'),
    )
    .leftJoin('source_checks as checks', (join) =>
      join.onRef('checks.product', '=', 'ended.product').onRef('checks.day', '=', 'ended.day'),
    )
    .select(['ended.product', 'ended.day', 'ended.told_at', 'checks.state', 'checks.checked_at'])
    .execute();
  const counts = new Map<string, Mutable<CheckCount>>();
  for (const { product, day, told_at, state, checked_at } of rows) {
    const known = state ?? 'uncounted';
    const key = `${product} ${CHECK_STATES.indexOf(known)}`;
    const count = counts.get(key) ?? { product, state: known, days: 0, notFinal: 0 };
    counts.set(key, count);
    count.days += 1;
    const { descriptor } = parseProductSlug(product);
    if (!isFinal(day, descriptor, checked_at ?? told_at, today)) count.notFinal += 1;
  }
  return [...counts.entries()].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, count]) => count);
}

type LineOf = (row: { product: ProductSlug; day: Day }) => Mutable<DayLine>;

/** Of the latest good end of each phase; rows come oldest first, so that the latest stays. */
async function fillSeconds(trx: Db, scope: ReportScope, lineOf: LineOf): Promise<void> {
  const rows = await trx
    .selectFrom('attempts')
    .select(['product', 'day', 'status', 'download_seconds', 'build_seconds', 'upload_seconds'])
    .where(inScope(scope))
    .where('status', 'in', ['DOWNLOADED', 'PROCESSED', 'UPLOADED'])
    .orderBy('seq')
    .execute();
  for (const row of rows) {
    const line = lineOf(row);
    if (row.status === 'DOWNLOADED') line.downloadSeconds = row.download_seconds;
    else if (row.status === 'PROCESSED') line.buildSeconds = row.build_seconds;
    else line.uploadSeconds = row.upload_seconds;
  }
}

async function fillDistinctReadings(trx: Db, scope: ReportScope, lineOf: LineOf): Promise<void> {
  const current = trx
    .selectFrom('artifacts')
    .select(['product', 'day', 'sha256'])
    .where(inScope(scope))
    .where('kind', '=', 'download')
    .where('superseded_at', 'is', null);
  const rows = await trx
    .selectFrom('counts')
    .innerJoin(current.as('current'), (join) =>
      join
        .onRef('current.product', '=', 'counts.product')
        .onRef('current.day', '=', 'counts.day')
        .onRef('current.sha256', '=', 'counts.artifact_sha256'),
    )
    .select(['counts.product', 'counts.day', 'counts.distinct_readings'])
    .execute();
  for (const row of rows) lineOf(row).distinctReadings = row.distinct_readings;
}

function emptyLine(product: ProductSlug, day: Day): Mutable<DayLine> {
  return {
    product,
    day,
    download: null,
    build: null,
    upload: null,
    records: null,
    distinctReadings: null,
    availabilityPct: null,
    downloadBytes: null,
    productBytes: null,
    downloadSeconds: null,
    buildSeconds: null,
    uploadSeconds: null,
    productPath: null,
    destination: null,
    deliveredKey: null,
    check: null,
    checkReason: null,
  };
}
