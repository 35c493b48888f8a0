/** TRACK-16: what an older version left is upgraded without a loss, and roll-ups are made of it. */
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import { Kysely, SqliteDialect } from 'kysely';
import { expect, test } from 'vitest';
import { openLedgerForReading } from '../../src/ledger/index.ts';
import * as initial from '../../src/ledger/migrations/0001-initial.ts';
import { DAY, QUICKLOOK, openIn, temporaryFolder } from './support.ts';

test('a ledger of the first schema: kept, readable after one opening for writing, its days and slices summed up', async () => {
  const root = temporaryFolder();
  const file = join(root, 'state', 'reachback.db');
  mkdirSync(dirname(file));
  const sqlite = new Database(file);
  const db = new Kysely<unknown>({ dialect: new SqliteDialect({ database: sqlite }) });
  await initial.up(db);
  sqlite.exec(`
    create table kysely_migration (name varchar(255) not null primary key, timestamp varchar(255) not null);
    create table kysely_migration_lock (id varchar(255) not null primary key, is_locked integer default 0 not null);
    insert into kysely_migration values ('0001-initial', '2025-11-21T00:00:00.000Z');
    insert into kysely_migration_lock values ('migration_lock', 0);
    insert into attempts (workflow_run_id, stage, edge, product, day, run_id, status, error_type, started_at, finished_at) values
      ('w1', 'download', 'opening', '${QUICKLOOK}', '${DAY}', 'r', 'DOWNLOAD_PENDING', null, '2025-11-21T01:00:00+00:00', null),
      ('w1', 'download', 'closing', '${QUICKLOOK}', '${DAY}', 'r', 'DOWNLOADED', null, '2025-11-21T01:00:00+00:00', '2025-11-21T01:01:00+00:00'),
      ('w1', 'count', 'closing', '${QUICKLOOK}', '${DAY}', 'r', 'FAILED', 'input_invalid', '2025-11-21T01:00:00+00:00', '2025-11-21T01:02:00+00:00');
    insert into slices (product, day, start_ms, end_ms, status, records, bytes, failures, seconds, updated_at) values
      ('${QUICKLOOK}', '${DAY}', 0, 1, 'done', 8, 100, 0, 0.5, ''),
      ('${QUICKLOOK}', '${DAY}', 1, 2, 'empty', 0, 2, 0, 0.25, ''),
      ('${QUICKLOOK}', '${DAY}', 2, 3, 'failed', null, null, 6, null, '');`);
  await db.destroy();
  const location = { root, ledgerPath: file };
  await expect(openLedgerForReading(location)).rejects.toMatchObject({
    kind: 'config_invalid',
    hint: expect.stringContaining('reachback run'),
  });

  const ledger = await openIn(root);
  expect(await ledger.attemptsAfter(0, 10)).toHaveLength(3);
  expect(await ledger.stateCounts()).toEqual([
    { product: QUICKLOOK, phase: 'download', destination: null, status: 'FAILED', days: 1 },
  ]);
  expect(await ledger.latestFailures(5)).toMatchObject([
    { day: DAY, kind: 'input_invalid', failedAt: '2025-11-21T01:02:00+00:00' },
  ]);
  const raw = new Database(file, { readonly: true });
  expect(raw.prepare('select * from slice_days').all()).toEqual([
    {
      product: QUICKLOOK,
      day: DAY,
      slices: 3,
      done: 1,
      empty: 1,
      failed: 1,
      records: 8,
      fewest_records: 8,
      bytes: 102,
      seconds: 0.75,
    },
  ]);
  raw.close();
});
