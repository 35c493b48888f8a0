import { execFile } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import Database from 'better-sqlite3';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { PipelineError } from '../../src/core/errors.ts';
import { Secret } from '../../src/core/secret.ts';
import { isOutdatedLedger, openLedger, openLedgerForReading, openLedgerIfAny } from '../../src/ledger/index.ts';
import { MIGRATIONS } from '../../src/ledger/migrations/index.ts';
import { openSqliteLedger } from '../../src/ledger/sqlite.ts';
import { DAY, NEXT_DAY, QUICKLOOK, attempt, openIn, slice, temporaryFolder } from './support.ts';

function workspaceIn(root: string) {
  const ledgerPath = join(root, 'state', 'reachback.db');
  return { root, ledgerPath, telemetryFile: join(root, 'downloads', 'download_telemetry.csv') };
}

async function refusal(opening: Promise<unknown>): Promise<PipelineError> {
  const error: unknown = await opening.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(PipelineError);
  return error as PipelineError;
}

/** Opens the ledger in a process of its own and begins `count` attempts. */
async function writeInProcess(root: string, name: string, count: number): Promise<void> {
  const script = `
    import { openSqliteLedger } from ${JSON.stringify(join(import.meta.dirname, '../../src/ledger/sqlite.ts'))};
    const [, root, name, count] = process.argv;
    const ledger = await openSqliteLedger({ file: root + '/state/reachback.db', root });
    for (let i = 0; i < Number(count); i += 1) {
      await ledger.openStage({ runId: name + i, workflowRunId: name + i, product: '${QUICKLOOK}', day: '${DAY}', stage: 'download' });
    }
    await ledger.close();`;
  await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script, root, name, String(count)]);
}

/** SQLite's journal of a commit to a file that was empty: no page to be restored, zero pages to be left. */
function journalOfFirstCommit(): Buffer {
  const header = Buffer.alloc(512);
  header.writeBigUInt64BE(0xd9d505f920a163d7n, 0);
  header.writeUInt32BE(512, 20);
  header.writeUInt32BE(4_096, 24);
  return header;
}

/** A finished ledger file with a row, closed. */
async function closedLedger(): Promise<ReturnType<typeof workspaceIn>> {
  const workspace = workspaceIn(temporaryFolder());
  const { ledger } = await openLedger({ workspace });
  await ledger.openStage(attempt());
  await ledger.close();
  return workspace;
}

test('a file that another workspace has written to is refused, with the way to one of its own', async () => {
  const { ledgerPath, ...workspace } = workspaceIn(temporaryFolder());
  const url = new Secret(`sqlite:${ledgerPath}`);
  await mkdir(join(workspace.root, 'state'));
  const open = (name: string) => openLedger({ workspace: { ...workspace, ledgerPath: '/nowhere', name }, url });
  await (await open('first-1f2e')).ledger.close();
  const error = await refusal(open('second-77aa'));
  expect(error).toMatchObject({
    kind: 'config_invalid',
    message: `The ledger ${ledgerPath} is that of the workspace first-1f2e, not of second-77aa (${workspace.root}).`,
    hint: expect.stringContaining('unset REACHBACK_LEDGER_URL'),
  });
  await (await open('first-1f2e')).ledger.close();
});

describe('opening', () => {
  test('a new ledger has strict tables, WAL and its schema noted; opening again finds the rows', async () => {
    const { root, ledgerPath } = await closedLedger();
    const raw = new Database(ledgerPath, { readonly: true });
    const tables = raw
      .prepare<[], { name: string; strict: number }>(`select name, strict from pragma_table_list where schema = 'main'`)
      .all()
      .filter(({ name }) => !/^(sqlite|kysely)_/.test(name));
    expect(tables.map(({ strict }) => strict)).toEqual(tables.map(() => 1));
    expect(tables.map(({ name }) => name).toSorted()).toEqual([
      'alert_days',
      'alerts',
      'artifacts',
      'attempts',
      'counts',
      'day_states',
      'deliveries',
      'generation_dates',
      'input_files',
      'outbox',
      'passes',
      'request_failures',
      'slice_days',
      'slices',
      'source_checks',
      'telemetry_exports',
      'workspace',
      'zarr_days',
    ]);
    expect(raw.pragma('journal_mode', { simple: true })).toBe('wal');
    expect(raw.prepare('select name from kysely_migration').pluck().all()).toEqual(Object.keys(MIGRATIONS));
    raw.close();
    const again = await openIn(root);
    expect(await again.attemptsAfter(0, 10)).toHaveLength(1);
  });

  test('attempts is append-only, for whoever opens the file', async () => {
    const { ledgerPath } = await closedLedger();
    const raw = new Database(ledgerPath);
    onTestFinished(() => {
      raw.close();
    });
    expect(() => raw.exec(`update attempts set status = 'FAILED'`)).toThrow(/append-only/);
    expect(() => raw.exec('delete from attempts')).toThrow(/append-only/);
    expect(() =>
      raw.exec(`insert into attempts (stage, edge, product, day, run_id, status, started_at)
      values ('download', 'closing', 'p', '2025-09-01', 'r', 'NO_SUCH_STATUS', '')`),
    ).toThrow(/CHECK/);
  });

  test('processes that make the same ledger at once all succeed', async () => {
    const root = temporaryFolder();
    await Promise.all(['a', 'b', 'c'].map((name) => writeInProcess(root, name, 5)));
    const ledger = await openIn(root);
    expect(await ledger.attemptsAfter(0, 100)).toHaveLength(15);
  });

  test('a new file that another process holds at that moment is waited for, not refused as locked', async () => {
    const { root, ledgerPath } = workspaceIn(temporaryFolder());
    await mkdir(join(root, 'state'));
    const other = new Database(ledgerPath);
    other.exec('begin immediate; create table reserved (x)');
    const opening = openSqliteLedger({ file: ledgerPath, root });
    // Not before the opener has met the lock, which it does before it first waits.
    setTimeout(() => other.exec('rollback').close(), 30);
    const ledger = await opening;
    expect(await ledger.attemptsAfter(0, 1)).toEqual([]);
    await ledger.close();
  });

  describe('left by a kill while it was made', () => {
    const made = (file: string): Database.Database => {
      const sqlite = new Database(file);
      sqlite.pragma('journal_mode = WAL');
      return sqlite;
    };
    const states: Record<string, (file: string) => void> = {
      'an empty file': (file) => writeFileSync(file, ''),
      'an empty file and its journal': (file) => {
        writeFileSync(file, '');
        writeFileSync(`${file}-journal`, journalOfFirstCommit());
      },
      'the first page, its journal not yet removed': (file) => {
        made(file).close();
        writeFileSync(`${file}-journal`, journalOfFirstCommit());
      },
      'the first page alone': (file) => made(file).close(),
      'the first page and an empty log': (file) => {
        made(file).close();
        writeFileSync(`${file}-wal`, '');
      },
    };

    test.for(Object.entries(states))('%s: no ledger yet for who reads, made for who writes', async ([, leave]) => {
      const workspace = workspaceIn(temporaryFolder());
      await mkdir(join(workspace.root, 'state'));
      leave(workspace.ledgerPath);
      const before = readFileSync(workspace.ledgerPath);
      expect(await openLedgerIfAny(workspace)).toBeNull();
      expect(await refusal(openLedgerForReading(workspace))).toMatchObject({
        kind: 'config_invalid',
        message: `There is no ledger at ${workspace.ledgerPath}.`,
      });
      expect(readFileSync(workspace.ledgerPath)).toEqual(before);
      const { ledger } = await openLedger({ workspace });
      await ledger.openStage(attempt());
      await ledger.close();
      const reader = await openLedgerForReading(workspace);
      expect(await reader.stateCounts()).toHaveLength(1);
      await reader.close();
    });
  });

  test('closing twice is allowed', async () => {
    const { ledger } = await openLedger({ workspace: workspaceIn(temporaryFolder()) });
    await ledger.close();
    await expect(ledger.close()).resolves.toBeUndefined();
  });
});

describe('TRACK-16: a file that is not ours or not of our time is named and left alone', () => {
  test('written by a newer version', async () => {
    const { ledgerPath, root } = await closedLedger();
    const raw = new Database(ledgerPath);
    raw.exec(`insert into kysely_migration (name, timestamp) values ('0099-from-the-future', '2030')`);
    raw.close();
    const before = readFileSync(ledgerPath);
    for (const readOnly of [false, true]) {
      const error = await refusal(openSqliteLedger({ file: ledgerPath, root, readOnly }));
      expect(error.kind).toBe('config_invalid');
      expect(error.message).toContain(ledgerPath);
      expect(error.message).toContain('0099-from-the-future');
      expect(error.hint).toContain('newer reachback');
    }
    expect(readFileSync(ledgerPath).equals(before)).toBe(true);
  });

  test("somebody else's database", async () => {
    const root = temporaryFolder();
    const file = join(root, 'other.db');
    const raw = new Database(file);
    raw.exec('create table songs (title text)');
    raw.close();
    const before = readFileSync(file);
    const error = await refusal(openSqliteLedger({ file, root }));
    expect(error).toMatchObject({ kind: 'config_invalid', message: expect.stringContaining(file) });
    expect(readFileSync(file).equals(before)).toBe(true);
    expect(readdirSync(root)).toEqual(['other.db']);
  });

  test('no database at all', async () => {
    const root = temporaryFolder();
    const file = join(root, 'notes.db');
    writeFileSync(file, 'dear diary, '.repeat(1000));
    const error = await refusal(openSqliteLedger({ file, root }));
    expect(error).toMatchObject({ kind: 'config_invalid', message: expect.stringContaining(file) });
    expect(readFileSync(file, 'utf8')).toBe('dear diary, '.repeat(1000));
  });
});

describe('read-only', () => {
  test('refuses every write, and leaves the file as it is', async () => {
    const workspace = await closedLedger();
    const before = readFileSync(workspace.ledgerPath);
    const reader = await openLedgerForReading(workspace);
    expect(await reader.dayFacts(QUICKLOOK, DAY, DAY, null)).toMatchObject([
      { download: { status: 'DOWNLOAD_PENDING' } },
    ]);
    expect(await reader.dayLines()).toHaveLength(1);
    await expect(reader.putSlice(slice())).rejects.toThrow(/readonly/);
    await expect(reader.openStage(attempt({ runId: 'run-9', workflowRunId: 'wf-9' }))).rejects.toThrow(/readonly/);
    await reader.close();
    expect(readFileSync(workspace.ledgerPath).equals(before)).toBe(true);
  });

  test('a missing ledger is said to be missing, and not made', async () => {
    const workspace = workspaceIn(temporaryFolder());
    const error = await refusal(openLedgerForReading(workspace));
    expect(error).toMatchObject({ kind: 'config_invalid', message: expect.stringContaining(workspace.ledgerPath) });
    expect(existsSync(join(workspace.root, 'state'))).toBe(false);
  });

  test('a ledger of an older schema is not upgraded by looking at it', async () => {
    const workspace = workspaceIn(temporaryFolder());
    await mkdir(join(workspace.root, 'state'));
    const raw = new Database(workspace.ledgerPath);
    raw.exec(`create table kysely_migration (name text, timestamp text); create table attempts (seq integer);
      insert into kysely_migration values ('0001-initial', '')`);
    raw.close();
    const error = await refusal(openLedgerForReading(workspace));
    expect(error).toMatchObject({ kind: 'config_invalid', message: expect.stringContaining(workspace.ledgerPath) });
    expect(isOutdatedLedger(error)).toBe(true);
  });
});

test('TRACK-16: a ledger from before the comparisons with the source is upgraded with all its rows', async () => {
  const root = temporaryFolder();
  const before = await openLedger({ workspace: workspaceIn(root) });
  await before.ledger.openStage(attempt());
  await before.ledger.putSlice(slice());
  await before.ledger.close();
  const raw = new Database(workspaceIn(root).ledgerPath);
  raw.exec(`drop index attempts_told; drop index slices_poor; drop table source_checks; alter table slices drop column outside;
    alter table artifacts drop column restored_for;
    drop table day_states; drop table slice_days; drop table request_failures;
    drop table zarr_days; drop table outbox; drop table alert_days; drop table alerts; drop table workspace; drop table passes;
    delete from kysely_migration where name >= '0002'`);
  raw.close();
  const after = await openIn(root);
  expect(await after.attemptsAfter(0, 10)).toHaveLength(1);
  expect(await after.slices(QUICKLOOK, DAY)).toEqual([{ ...slice(), outside: null }]);
  expect((await after.dayFacts(QUICKLOOK, DAY, DAY, null))[0]?.check).toBeNull();
  expect(await after.checkCounts(DAY)).toEqual([]);
});

test('TRACK-11: a reader sees whole states while a writer commits', async () => {
  const root = temporaryFolder();
  const writer = await openIn(root);
  await writer.openStage(attempt());
  const reader = await openLedgerForReading(workspaceIn(root));
  onTestFinished(() => reader.close());
  const state = { writing: true };
  const write = async () => {
    for (let index = 0; index < 150; index += 1) {
      await writer.closeStage(attempt({ workflowRunId: `wf-${index}`, stage: 'upload', destination: 'file:///o' }), {
        status: 'UPLOADED',
        seconds: 1,
        bucket: 'file:///o',
        key: 'k',
      });
      await new Promise(setImmediate);
    }
    state.writing = false;
  };
  const read = async () => {
    let reads = 0;
    while (state.writing) {
      const rows = await reader.attemptsAfter(1, 1000);
      // Opening and closing are one transaction: an odd number would be half of one.
      expect(rows.length % 2).toBe(0);
      reads += 1;
      await new Promise(setImmediate);
    }
    return reads;
  };
  const [, reads] = await Promise.all([write(), read()]);
  expect(reads).toBeGreaterThan(1);
  expect(await reader.attemptsAfter(1, 1000)).toHaveLength(300);
});

test('a disk that fills up in the middle of a transaction is told as such, and nothing of it stays', async () => {
  const prepare = vi.spyOn(Database.prototype, 'prepare');
  const ledger = await openIn(temporaryFolder());
  await ledger.openStage(attempt());
  const sqlite = prepare.mock.contexts.at(-1) as Database.Database;
  prepare.mockRestore();
  sqlite.pragma('max_page_count = 1');
  const failing = ledger.failStage(attempt({ day: NEXT_DAY, workflowRunId: 'wf-2' }), {
    stage: 'download',
    kind: 'slice_exhausted',
    message: 'x'.repeat(100_000),
  });
  await expect(failing).rejects.toMatchObject({ code: 'SQLITE_FULL' });
  sqlite.pragma('max_page_count = 100000');
  expect(await ledger.attemptsAfter(0, 10)).toHaveLength(1);
  await ledger.openStage(attempt({ day: NEXT_DAY, workflowRunId: 'wf-2' }));
  expect(await ledger.attemptsAfter(0, 10)).toHaveLength(2);
});

test('two processes write to one ledger without an error and without a lost row', async () => {
  const root = temporaryFolder();
  const ledger = await openIn(root);
  const run = writeInProcess(root, 'other', 100);
  for (let index = 0; index < 100; index += 1) {
    await ledger.openStage(attempt({ runId: `own-${index}`, workflowRunId: `own-${index}` }));
    await new Promise(setImmediate);
  }
  await run;
  expect(await ledger.attemptsAfter(0, 1000)).toHaveLength(200);
});

test('TRACK-13: sums and states that were changed by another hand are found', async () => {
  const { root, ledgerPath } = workspaceIn(temporaryFolder());
  const ledger = await openIn(root);
  await ledger.openStage(attempt());
  await ledger.putSlice(slice());
  expect((await ledger.checkIntegrity()).problems).toEqual([]);
  const raw = new Database(ledgerPath);
  raw.exec(`update slice_days set records = records + 1; delete from day_states`);
  raw.close();
  expect((await ledger.checkIntegrity()).problems).toEqual([
    `day_states: ${QUICKLOOK} ${DAY} is not what the attempts say.`,
    `slice_days: ${QUICKLOOK} ${DAY} is not the sum of its slices.`,
  ]);
});

test('empty and failed slices are found in their index alone, not by walking all slices of ten years', async () => {
  const { root, ledgerPath } = workspaceIn(temporaryFolder());
  await openIn(root);
  const raw = new Database(ledgerPath, { readonly: true });
  onTestFinished(() => {
    raw.close();
  });
  const plan = raw
    .prepare<[], { detail: string }>(
      `explain query plan select day, start_ms, end_ms, status, records from slices where product = 'p' and day >= '2015-01-01' and day <= '2024-12-31'
       and status <> 'done' and status in ('empty', 'failed')`,
    )
    .all();
  expect(plan.map(({ detail }) => detail)).toEqual([expect.stringMatching(/SEARCH .* COVERING INDEX slices_poor/)]);
});
