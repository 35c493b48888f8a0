/** TRACK-13: whether the database is whole, and whether what it keeps twice agrees. Reads only, beside a writer. */
import { PostgresAdapter, sql } from 'kysely';
import type { Kysely, RawBuilder, Transaction } from 'kysely';
import type { IntegrityReport } from './reports.ts';
import type { LedgerTables } from './schema.ts';
import { sliceSums } from './slices.ts';
import { readTransaction } from './transactions.ts';

const TABLES = [
  'attempts',
  'day_states',
  'slices',
  'slice_days',
  'request_failures',
  'artifacts',
  'counts',
  'source_checks',
  'deliveries',
  'generation_dates',
  'input_files',
  'telemetry_exports',
  'alerts',
  'alert_days',
  'outbox',
  'passes',
  'workspace',
] as const satisfies (keyof LedgerTables)[];

/** Findings of one kind that are told one by one. */
const MOST_TOLD = 5;

type Trx = Transaction<LedgerTables>;

export function checkIntegrity(db: Kysely<LedgerTables>): Promise<IntegrityReport> {
  return readTransaction(db, async (trx) => {
    const isPostgres = trx.getExecutor().adapter instanceof PostgresAdapter;
    const damage = isPostgres ? [] : await sqliteDamage(trx);
    // What a damaged file answers to further questions says nothing.
    if (damage.length > 0) return { problems: damage, rows: {} };
    const problems = [...(await wrongStates(trx)), ...(await wrongSums(trx)), ...(await brokenChains(trx))];
    return { problems, rows: await rowCounts(trx) };
  });
}

/** PostgreSQL checks its pages by itself when it was set up with checksums. */
async function sqliteDamage(trx: Trx): Promise<string[]> {
  const { rows } = await sql<{ integrity_check: string }>`pragma integrity_check(20)`.execute(trx);
  const found = rows.map((row) => row.integrity_check).filter((text) => text !== 'ok');
  const foreign = await sql<{ table: string }>`pragma foreign_key_check`.execute(trx);
  return [
    ...found.map((text) => `The database is damaged: ${text}`),
    ...foreign.rows.slice(0, MOST_TOLD).map(({ table }) => `A row of ${table} refers to one that is not there.`),
  ];
}

const PHASE = sql`case stage when 'count' then 'download' else stage end`;

async function wrongStates(trx: Trx): Promise<string[]> {
  const latest = sql`
    select product, day, ${PHASE} as phase, destination, max(seq) as seq from attempts
    group by product, day, ${PHASE}, destination`;
  const kept = sql`select product, day, phase, destination, seq from day_states`;
  const both = await difference(trx, latest, kept);
  return both.map(({ product, day }) => `day_states: ${product} ${day} is not what the attempts say.`);
}

async function wrongSums(trx: Trx): Promise<string[]> {
  const counted = sql`
    select product, day, slices, done, empty, failed, records, fewest_records, bytes from (${sliceSums(sql`1 = 1`)}) as counted`;
  const kept = sql`select product, day, slices, done, empty, failed, records, fewest_records, bytes from slice_days`;
  const both = await difference(trx, counted, kept);
  return both.map(({ product, day }) => `slice_days: ${product} ${day} is not the sum of its slices.`);
}

/** Rows of one that the other lacks, either way; at most a few. */
async function difference(
  trx: Trx,
  one: RawBuilder<unknown>,
  other: RawBuilder<unknown>,
): Promise<{ product: string; day: string }[]> {
  const { rows } = await sql<{ product: string; day: string }>`
    select distinct product, day from (
      select * from (select * from (${one}) as a1 except select * from (${other}) as b1) as only_one
      union all
      select * from (select * from (${other}) as b2 except select * from (${one}) as a2) as only_other
    ) as different
    order by product, day limit ${sql.lit(MOST_TOLD)}`.execute(trx);
  return rows;
}

/** Files that were replaced by nothing, ends without a beginning, deliveries of content that no product ever had. */
async function brokenChains(trx: Trx): Promise<string[]> {
  const { rows: lost } = await sql<{ path: string }>`
    select former.path from artifacts former left join artifacts next on next.id = former.superseded_by
    where former.superseded_at is not null and next.id is null limit ${sql.lit(MOST_TOLD)}`.execute(trx);
  const { rows: strange } = await sql<{ product: string; day: string; object_key: string }>`
    select product, day, object_key from deliveries
    where not exists (
      select 1 from artifacts
      where artifacts.kind = 'product' and artifacts.product = deliveries.product and artifacts.day = deliveries.day
        and artifacts.sha256 = deliveries.sha256
    ) limit ${sql.lit(MOST_TOLD)}`.execute(trx);
  return [
    ...lost.map(({ path }) => `artifacts: ${path} was replaced by a file that the ledger does not know.`),
    ...strange.map(
      ({ product, day, object_key }) =>
        `deliveries: ${product} ${day} delivered ${object_key}, which is none of its products.`,
    ),
  ];
}

async function rowCounts(trx: Trx): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const table of TABLES) {
    const { rows } = await sql<{ rows: number }>`select count(*) as "rows" from ${sql.table(table)}`.execute(trx);
    counts[table] = rows[0]?.rows ?? 0;
  }
  return counts;
}
