/** Which workspace a ledger belongs to: two that share one would take each other's days for their own. */
import type { Kysely } from 'kysely';
import type { LedgerTables } from './schema.ts';

export interface LedgerOwnership {
  /** Makes the ledger that workspace's unless it is somebody's already. @returns whose it is */
  claim(workspace: string): Promise<string>;
  /** Null while nobody has written to it. */
  owner(): Promise<string | null>;
}

export function createOwnership(db: Kysely<LedgerTables>, now: () => number): LedgerOwnership {
  const owner = async (): Promise<string | null> => {
    const row = await db.selectFrom('workspace').select('name').executeTakeFirst();
    return row?.name ?? null;
  };
  return {
    owner,
    async claim(name) {
      const known = await owner();
      if (known !== null) return known;
      await db
        .insertInto('workspace')
        .values({ id: 1, name, claimed_at: new Date(now()).toISOString() })
        .onConflict((conflict) => conflict.doNothing())
        .execute();
      return (await owner()) ?? name;
    },
  };
}
