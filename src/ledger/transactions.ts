import type { Kysely, Transaction } from 'kysely';
import type { LedgerTables } from './schema.ts';

/** Reads that all see one moment, whoever writes meanwhile. Takes no lock that a writer would wait for. */
export function readTransaction<T>(
  db: Kysely<LedgerTables>,
  read: (trx: Transaction<LedgerTables>) => Promise<T>,
): Promise<T> {
  // SQLite's transactions are of one moment anyway; its driver does not look at the level.
  return db.transaction().setAccessMode('read only').setIsolationLevel('repeatable read').execute(read);
}
