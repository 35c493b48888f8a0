/** TRACK-3: every documented query runs against the schema of today, and finds what it promises to find. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addDays } from '../../src/core/time/day.ts';
import { openLedger } from '../../src/ledger/index.ts';
import type { SqlLedger } from '../../src/ledger/sql-ledger.ts';
import { startPostgres } from '../ledger/postgres-server.ts';
import type { PostgresServer } from '../ledger/postgres-server.ts';
import { DAY, NEXT_DAY, QUICKLOOK, attempt, download, product, slice, temporaryFolder } from '../ledger/support.ts';

const TEXT = readFileSync(join(import.meta.dirname, '../../docs/queries.md'), 'utf8');
/** Heading and query. */
const QUERIES = [...TEXT.matchAll(/^## (.+)\n(?:(?!^## )[^])*?```sql\n([^]*?)```/gm)].map(
  ([, title = '', query = '']) => [title, query] as const,
);
const DESTINATION = 'file:///mnt/out';

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.remove());

/** One day done, one failed, one replaced file, one empty slice, one page instead of data. */
async function fill(ledger: SqlLedger, root: string): Promise<void> {
  const { path } = download(root);
  await ledger.putArtifact(download(root, { sha256: 'd'.repeat(64) }));
  await ledger.putArtifact(download(root));
  await ledger.closeStage(attempt(), { status: 'DOWNLOADED', seconds: 2, records: 8, sizeBytes: 629, path });
  await ledger.putCounts(QUICKLOOK, DAY, 'a'.repeat(64), { records: 8, distinctReadings: 7, recordsPerSensor: {} });
  await ledger.putSlices([slice(), slice({ startMs: slice().endMs, endMs: slice().endMs + 1, status: 'empty' })]);
  await ledger.putArtifact(product(root));
  const key = 'l1c/x.cdf';
  await ledger.putDelivery({
    product: QUICKLOOK,
    day: DAY,
    destination: DESTINATION,
    key,
    sizeBytes: 2_000_000,
    sha256: 'b'.repeat(64),
    deliveredAt: '2025-11-21T05:05:54.421Z',
  });
  await ledger.failStage(attempt({ workflowRunId: 'wf-2', day: NEXT_DAY }), {
    stage: 'download',
    kind: 'slice_exhausted',
    message: 'HTTP 503',
  });
  await ledger.putRequestFailure({
    product: QUICKLOOK,
    day: addDays(DAY, 1),
    startMs: 0,
    endedAt: '2025-11-21T05:05:54.421Z',
    host: 'a:1',
    kind: 'wrong_kind',
    httpStatus: 200,
    retryAfter: null,
    detail: '<html>',
    seconds: 1,
  });
}

test('there are queries, each under a question', () => {
  expect(QUERIES.length).toBe(TEXT.match(/```sql/g)?.length);
  expect(QUERIES.length).toBeGreaterThan(8);
  expect(QUERIES.filter(([title]) => !title.endsWith('?') && !title.includes('?,'))).toEqual([]);
});

describe('every query of docs/queries.md has one answer, the same on both databases', () => {
  test('SQLite and PostgreSQL', async () => {
    const root = temporaryFolder();
    const workspace = { root, ledgerPath: join(root, 'l.db'), telemetryFile: join(root, 't.csv') };
    const url = await server.newSchema();
    for (const address of [null, url]) {
      const { ledger } = await openLedger({ workspace, url: address });
      await fill(ledger, root);
      await ledger.close();
    }
    const sqlite = new Database(workspace.ledgerPath, { readonly: true });
    const answers = QUERIES.map(([title, query]) => [title, sqlite.prepare(query).all()] as const);
    sqlite.close();
    for (const [index, [title, rows]] of answers.entries()) {
      const others = await server.query(url, QUERIES[index]![1]);
      // Times are of two moments, and the administrator's client gives large numbers as text.
      const comparable = (list: readonly unknown[]): unknown =>
        JSON.parse(
          JSON.stringify(list, (name, value) =>
            /_at$|latest/.test(name) ? 'time' : typeof value === 'number' ? String(value) : value,
          ),
        );
      expect([title, comparable(others)]).toEqual([title, comparable(rows)]);
      expect([title, rows.length > 0]).toEqual([title, true]);
    }
  });
});
