import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { openLedgerForReading } from '../../src/ledger/index.ts';
import { retryRead, withRetriedReads } from '../../src/ledger/retry-reads.ts';
import { DAY, QUICKLOOK, attempt, openIn, slice, temporaryFolder } from './support.ts';

function sqliteError(code: string): Error {
  return new Database.SqliteError('told by SQLite', code);
}

/** Notes the waits instead of waiting. */
function notedWaits() {
  const waits: number[] = [];
  const sleep = (ms: number): Promise<void> => {
    waits.push(ms);
    return Promise.resolve();
  };
  return { waits, sleep };
}

/** A read that fails with these errors one after the other and answers then. */
function failing(...errors: Error[]) {
  return vi.fn<() => Promise<string>>(() => {
    const error = errors.shift();
    return error === undefined ? Promise.resolve('rows') : Promise.reject(error);
  });
}

describe('TRACK-11: a read', () => {
  test.for([
    'SQLITE_BUSY',
    'SQLITE_BUSY_SNAPSHOT',
    'SQLITE_LOCKED',
    'SQLITE_LOCKED_SHAREDCACHE',
    'SQLITE_IOERR',
    'SQLITE_IOERR_READ',
    'SQLITE_PROTOCOL',
    'SQLITE_NOTADB',
  ])('that meets %s is tried three times, after 0.5 s and 2 s', async (code) => {
    const { waits, sleep } = notedWaits();
    const read = failing(sqliteError(code), sqliteError(code));
    expect(await retryRead(read, sleep)).toBe('rows');
    expect(read).toHaveBeenCalledTimes(3);
    expect(waits).toEqual([500, 2000]);
  });

  test('that fails a third time fails with the error of SQLite', async () => {
    const { waits, sleep } = notedWaits();
    const last = sqliteError('SQLITE_BUSY');
    const read = failing(sqliteError('SQLITE_BUSY'), sqliteError('SQLITE_IOERR_SHORT_READ'), last);
    await expect(retryRead(read, sleep)).rejects.toBe(last);
    expect(read).toHaveBeenCalledTimes(3);
    expect(waits).toEqual([500, 2000]);
  });

  test.for([
    sqliteError('SQLITE_CORRUPT'),
    sqliteError('SQLITE_ERROR'),
    sqliteError('SQLITE_READONLY'),
    new RangeError('not about SQLite'),
  ])('that meets what does not pass (%s) is not tried again', async (error) => {
    const { waits, sleep } = notedWaits();
    const read = failing(error);
    await expect(retryRead(read, sleep)).rejects.toBe(error);
    expect(read).toHaveBeenCalledTimes(1);
    expect(waits).toEqual([]);
  });

  test('is any method of a reader, with its arguments', async () => {
    const { waits, sleep } = notedWaits();
    const answers = failing(sqliteError('SQLITE_LOCKED'));
    const reader = withRetriedReads(
      { rowsAfter: async (seq: number, limit: number) => `${await answers()} ${seq} ${limit}` },
      sleep,
    );
    expect(await reader.rowsAfter(7, 9)).toBe('rows 7 9');
    expect(waits).toEqual([500]);
  });
});

describe('TRACK-11: the ledger opened for reading', () => {
  test('answers once the writer lets go, a query within a transaction included', async () => {
    const root = temporaryFolder();
    const writer = await openIn(root);
    await writer.openStage(attempt());
    const { waits, sleep } = notedWaits();
    const reader = await openLedgerForReading({ root, ledgerPath: join(root, 'state', 'reachback.db') }, { sleep });
    onTestFinished(() => reader.close());
    const prepare = Reflect.get(Database.prototype, 'prepare') as (sql: string) => Database.Statement;
    const spy = vi.spyOn(Database.prototype, 'prepare');
    onTestFinished(() => {
      spy.mockRestore();
    });
    let failures = 2;
    spy.mockImplementation(function once(this: Database.Database, sql: string) {
      if (sql.startsWith('select') && (failures -= 1) >= 0) throw sqliteError('SQLITE_BUSY');
      return prepare.call(this, sql);
    });
    expect(await reader.dayFacts(QUICKLOOK, DAY, DAY, null)).toMatchObject([
      { download: { status: 'DOWNLOAD_PENDING' } },
    ]);
    expect(waits).toEqual([500, 2000]);
  });

  test('refuses to write at once', async () => {
    const root = temporaryFolder();
    await openIn(root);
    const { waits, sleep } = notedWaits();
    const reader = await openLedgerForReading({ root, ledgerPath: join(root, 'state', 'reachback.db') }, { sleep });
    onTestFinished(() => reader.close());
    await expect(reader.putSlice(slice())).rejects.toThrow(/readonly/);
    expect(waits).toEqual([]);
  });

  test('that is no database is still refused by name after the third attempt, and left alone', async () => {
    const root = temporaryFolder();
    const ledgerPath = join(root, 'state', 'reachback.db');
    mkdirSync(join(root, 'state'));
    writeFileSync(ledgerPath, 'dear diary, '.repeat(1000));
    const { waits, sleep } = notedWaits();
    await expect(openLedgerForReading({ root, ledgerPath }, { sleep })).rejects.toMatchObject({
      kind: 'config_invalid',
      message: expect.stringContaining(ledgerPath),
    });
    expect(waits).toEqual([500, 2000]);
    expect(readFileSync(ledgerPath, 'utf8')).toBe('dear diary, '.repeat(1000));
  });
});
