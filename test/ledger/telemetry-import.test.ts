/** What an import asks of SQLite; what it does is in `import-contract.ts`, over both databases. */
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { Kysely, SqliteDialect } from 'kysely';
import { expect, onTestFinished, test } from 'vitest';
import type { LedgerTables } from '../../src/ledger/schema.ts';
import { statesBehind } from '../../src/ledger/telemetry-import.ts';
import { openIn, temporaryFolder } from './support.ts';

test('TRACK-4: a batch of an import looks at its own rows, however many the ledger has', async () => {
  const root = temporaryFolder();
  await openIn(root);
  const raw = new Database(join(root, 'state', 'reachback.db'));
  onTestFinished(() => void raw.close());
  const db = new Kysely<LedgerTables>({ dialect: new SqliteDialect({ database: raw }) });
  const { sql, parameters } = statesBehind(1_000).compile(db);
  const plan = raw.prepare(`explain query plan ${sql}`).all(...parameters) as { detail: string }[];
  expect(plan.map(({ detail }) => detail).filter((detail) => /\battempts\b/.test(detail))).toEqual([
    'SEARCH attempts USING INTEGER PRIMARY KEY (rowid=?)',
    'SEARCH attempts USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)',
  ]);
});
