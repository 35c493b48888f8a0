import type { Kysely } from 'kysely';
import { Migrator } from 'kysely/migration';
import { PipelineError } from '../../core/errors.ts';
import type { LedgerTables } from '../schema.ts';
import { MIGRATIONS } from './index.ts';

/**
 * Applies what is missing in one transaction: all of it or nothing, also when two processes begin at once.
 *
 * @param schema - PostgreSQL's schema of the ledger; without it the migrator would look into all of them
 */
export async function migrateToLatest(db: Kysely<LedgerTables>, schema?: string): Promise<void> {
  await db.transaction().execute(async (transaction) => {
    const provider = { getMigrations: () => Promise.resolve({ ...MIGRATIONS }) };
    const { error } = await new Migrator({
      db: transaction,
      provider,
      allowUnorderedMigrations: true,
      ...(schema !== undefined && { migrationTableSchema: schema }),
    }).migrateToLatest();
    if (error !== undefined) throw error;
  });
}

/** @param place - the file or database, for the message. @throws PipelineError `config_invalid` for steps of a newer version */
export function refuseUnknownSteps(place: string, names: readonly string[]): void {
  const unknown = names.filter((name) => !(name in MIGRATIONS));
  if (unknown.length === 0) return;
  throw new PipelineError(
    'config_invalid',
    `The ledger ${place} was written by a newer reachback: this version does not know its schema step ${unknown.join(', ')}.`,
    { hint: 'Use the newer reachback for this workspace, or choose another workspace folder. Nothing was changed.' },
  );
}
