/** Rows of other telemetry files into `attempts`, each once, however often they are brought. */
import type { Kysely, Transaction } from 'kysely';
import { appendAttempt } from './attempts.ts';
import type { LedgerTables } from './schema.ts';
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

export function createAttemptImport(db: Kysely<LedgerTables>, paths: WorkspacePaths): AttemptImport {
  return {
    importAttempts: (attempts) =>
      db.transaction().execute(async (trx) => {
        let added = 0;
        for (const attempt of attempts) {
          if (await isKnown(trx, attempt)) continue;
          await appendAttempt(trx, {
            ...attempt,
            artifact_path: stored(attempt.artifact_path, paths),
            product_path: stored(attempt.product_path, paths),
          });
          added += 1;
        }
        return added;
      }),
  };
}

function stored(path: string | null | undefined, paths: WorkspacePaths): string | null {
  return path == null ? null : paths.toStored(path);
}

async function isKnown(trx: Transaction<LedgerTables>, attempt: ImportedAttempt): Promise<boolean> {
  const finished = attempt.finished_at ?? null;
  const found = await trx
    .selectFrom('attempts')
    .select('seq')
    .where('product', '=', attempt.product)
    .where('day', '=', attempt.day)
    .where('status', '=', attempt.status)
    .where('run_id', '=', attempt.run_id)
    .where('started_at', '=', attempt.started_at)
    .where('finished_at', finished === null ? 'is' : '=', finished)
    .limit(1)
    .executeTakeFirst();
  return found !== undefined;
}
