/** Rows of other telemetry files into `attempts`, each once, however often they are brought. */
import { sql } from 'kysely';
import type { CompiledQuery, Insertable, Kysely, RawBuilder, Transaction } from 'kysely';
import { latestStates } from './roll-up.ts';
import type { AttemptsTable, LedgerTables } from './schema.ts';
import type { ImportedAttempt } from './telemetry-rows.ts';
import type { WorkspacePaths } from './workspace-paths.ts';

export interface AttemptImport {
  /**
   * Appends those that the ledger does not have, in order, all or none of a call. A row is known by run, product, day, stage,
   * status and times, so that an import that was killed is simply begun again.
   *
   * @returns how many were new
   */
  importAttempts(attempts: readonly ImportedAttempt[]): Promise<number>;
}

/** Three values each, far below SQLite's limit of 32,766 and PostgreSQL's of 65,535. */
const KEYS_PER_QUERY = 2_000;
/** 23 values each. */
const ROWS_PER_INSERT = 250;

export function createAttemptImport(db: Kysely<LedgerTables>, paths: WorkspacePaths): AttemptImport {
  return {
    importAttempts: (attempts) =>
      db.transaction().execute(async (trx) => {
        const known = await knownAmong(trx, attempts);
        const fresh: ImportedAttempt[] = [];
        for (const attempt of attempts) {
          const identity = identityOf(attempt);
          if (known.has(identity)) continue;
          known.add(identity);
          fresh.push({
            ...attempt,
            artifact_path: stored(attempt.artifact_path, paths),
            product_path: stored(attempt.product_path, paths),
          });
        }
        await appendRows(trx, fresh);
        return fresh.length;
      }),
  };
}

function stored(path: string | null | undefined, paths: WorkspacePaths): string | null {
  return path == null ? null : paths.toStored(path);
}

type Told = Pick<ImportedAttempt, 'product' | 'day' | 'status' | 'run_id' | 'started_at' | 'finished_at'>;

function identityOf({ product, day, status, run_id: run, started_at: started, finished_at: finished }: Told): string {
  return JSON.stringify([product, day, status, run, started, finished ?? null]);
}

/** Identities of the ledger's rows that have run, day and start time in common with one of these. */
async function knownAmong(trx: Transaction<LedgerTables>, attempts: readonly ImportedAttempt[]): Promise<Set<string>> {
  const keys = new Map(attempts.map((row) => [`${row.run_id}\n${row.day}\n${row.started_at}`, row]));
  const wanted = [...keys.values()];
  const known = new Set<string>();
  for (let from = 0; from < wanted.length; from += KEYS_PER_QUERY) {
    const values = wanted
      .slice(from, from + KEYS_PER_QUERY)
      .map((row) => sql`(${row.run_id}, ${row.day}, ${row.started_at})`);
    const { rows } = await sql<Told>`
      select product, day, status, run_id, started_at, finished_at from attempts
      where (run_id, day, started_at) in (values ${sql.join(values)})`.execute(trx);
    for (const row of rows) known.add(identityOf(row));
  }
  return known;
}

/**
 * Appends rows that are nobody's workflow run, and makes the last ones the latest word of their phases.
 *
 * @param rows - all with the same columns in the same order
 */
async function appendRows(trx: Transaction<LedgerTables>, rows: readonly Insertable<AttemptsTable>[]): Promise<void> {
  if (rows.length === 0) return;
  const before = await trx
    .selectFrom('attempts')
    .select(({ fn }) => fn.max('seq').as('seq'))
    .executeTakeFirst();
  let whole: CompiledQuery | null = null;
  for (let from = 0; from < rows.length; from += ROWS_PER_INSERT) {
    const chunk = rows.slice(from, from + ROWS_PER_INSERT);
    const isWhole = chunk.length === ROWS_PER_INSERT;
    if (isWhole && whole) {
      // Making the statement anew would take as long as running it.
      await trx.executeQuery({ ...whole, parameters: chunk.flatMap((row) => Object.values(row)) });
      continue;
    }
    const insert = trx.insertInto('attempts').values(chunk).compile();
    if (isWhole) whole = insert;
    await trx.executeQuery(insert);
  }
  // Whoever writes holds the ledger's write lock: all rows behind those of before are these.
  await sql`
    ${statesBehind(before?.seq ?? 0)}
    on conflict (product, day, phase, destination) do update set
      seq = excluded.seq, status = excluded.status, error_type = excluded.error_type, told_at = excluded.told_at`.execute(
    trx,
  );
}

/** The latest states by the rows behind `seq`. With one bound alone SQLite would read an index of all rows that there are. */
export function statesBehind(seq: number): RawBuilder<unknown> {
  return latestStates(sql`seq > ${seq} and seq < ${Number.MAX_SAFE_INTEGER}`);
}
