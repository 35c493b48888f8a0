/** What `gaps` asks: of days that have everything, one row; slices only of days where some are poor. */
import { sql } from 'kysely';
import type { Kysely, SqlBool, Transaction } from 'kysely';
import type { GapDay, PoorSlice } from '../core/report/gaps.ts';
import { daysBetween } from '../core/time/day.ts';
import type { Day } from '../core/time/day.ts';
import type { TelemetryStatus } from './ledger.ts';
import type { GapQuestion } from './reports.ts';
import type { LedgerTables } from './schema.ts';
import { inScope } from './scope.ts';
import { readTransaction } from './transactions.ts';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const STATE_OF: Partial<Record<TelemetryStatus, GapDay['download']>> = {
  DOWNLOAD_PENDING: 'pending',
  DOWNLOADED: 'done',
  SKIPPED_NO_DATA: 'noData',
  FAILED: 'failed',
};

export function readGapDays(db: Kysely<LedgerTables>, question: GapQuestion): Promise<GapDay[]> {
  const days = new Map(daysBetween(question.first, question.last).map((day) => [day, unknownDay(day)]));
  return readTransaction(db, async (trx) => {
    for (const { day, status, told_at } of await downloadStates(trx, question)) {
      const known = days.get(day)!;
      known.download = STATE_OF[status] ?? 'none';
      known.toldAt = told_at;
    }
    for (const { day, checked_at } of await comparisons(trx, question)) days.get(day)!.checkedAt = checked_at;
    // The download's own number counts; a product made of a file that was brought by hand has one too.
    for (const row of await currentFiles(trx, question)) days.get(row.day)!.records = row.records;
    for (const { day } of await daysWithSlices(trx, question)) days.get(day)!.hasSlices = true;
    for (const [day, slices] of await poorSlices(trx, question)) days.get(day)!.poorSlices = slices;
    return [...days.values()];
  });
}

function unknownDay(day: Day): Mutable<GapDay> {
  return { day, download: 'none', toldAt: null, checkedAt: null, records: null, poorSlices: [], hasSlices: false };
}

function downloadStates(trx: Transaction<LedgerTables>, question: GapQuestion) {
  return trx
    .selectFrom('day_states')
    .select(['day', 'status', 'told_at'])
    .where(inScope(question))
    .where('phase', '=', 'download')
    .execute();
}

function comparisons(trx: Transaction<LedgerTables>, question: GapQuestion) {
  return trx.selectFrom('source_checks').select(['day', 'checked_at']).where(inScope(question)).execute();
}

function currentFiles(trx: Transaction<LedgerTables>, question: GapQuestion) {
  return trx
    .selectFrom('artifacts')
    .select(['day', 'records'])
    .where(inScope(question))
    .where('superseded_at', 'is', null)
    .orderBy('kind', 'desc')
    .execute();
}

function daysWithSlices(trx: Transaction<LedgerTables>, question: GapQuestion) {
  return trx.selectFrom('slice_days').select('day').where(inScope(question)).execute();
}

/** Empty and failed slices by their index; short ones only on days whose sums tell that there are any. */
async function poorSlices(trx: Transaction<LedgerTables>, question: GapQuestion): Promise<Map<Day, PoorSlice[]>> {
  const rows = [...(await withoutData(trx, question)), ...(await shortOnes(trx, question))];
  const byDay = new Map<Day, PoorSlice[]>();
  for (const { day, start_ms, end_ms, status, records } of rows.toSorted((a, b) => a.start_ms - b.start_ms)) {
    const ofDay = byDay.get(day) ?? [];
    ofDay.push({ startMs: start_ms, endMs: end_ms, status, records: records ?? 0 });
    byDay.set(day, ofDay);
  }
  return byDay;
}

function withoutData(trx: Transaction<LedgerTables>, question: GapQuestion) {
  return (
    trx
      .selectFrom('slices')
      .select(['day', 'start_ms', 'end_ms', 'status', 'records'])
      .where(inScope(question))
      // Word for word the condition of the index `slices_poor`, and its first column, or SQLite would walk the whole key.
      .where(sql<SqlBool>`status <> 'done' and status in ('empty', 'failed')`)
      .execute()
  );
}

async function shortOnes(trx: Transaction<LedgerTables>, question: GapQuestion) {
  const { product, fewerThan } = question;
  const days = await trx
    .selectFrom('slice_days')
    .select('day')
    .where(inScope(question))
    .where('done', '>', 0)
    .where('fewest_records', '<', fewerThan)
    .execute();
  const short = [];
  for (let from = 0; from < days.length; from += DAYS_PER_QUERY) {
    const some = days.slice(from, from + DAYS_PER_QUERY).map(({ day }) => day);
    const rows = await trx
      .selectFrom('slices')
      .select(['day', 'start_ms', 'end_ms', 'status', 'records'])
      .where('product', '=', product)
      .where('day', 'in', some)
      .where('status', '=', 'done')
      .where('records', '<', fewerThan)
      .execute();
    short.push(...rows);
  }
  return short;
}

/** Databases limit the parameters of a statement. */
const DAYS_PER_QUERY = 500;
