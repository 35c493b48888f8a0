import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { PipelineError } from '../../src/core/errors.ts';
import { Secret } from '../../src/core/secret.ts';
import { isOutdatedLedger, openLedger, openLedgerForReading, openLedgerIfAny } from '../../src/ledger/index.ts';
import { openPostgresLedger } from '../../src/ledger/postgres.ts';
import type { SqlLedger } from '../../src/ledger/sql-ledger.ts';
import { describeAlerts } from './alerts-contract.ts';
import { describeLedger } from './contract.ts';
import type { LedgerFactory } from './contract.ts';
import { describeImport } from './import-contract.ts';
import { describeZarrRecords } from './zarr-contract.ts';
import { PASSWORD, startPostgres } from './postgres-server.ts';
import type { PostgresServer } from './postgres-server.ts';
import { DAY, NEXT_DAY, QUICKLOOK, attempt, download, slice, temporaryFolder } from './support.ts';

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.remove());

const open: LedgerFactory = async (root, now) => {
  const ledger = await openPostgresLedger({ url: await server.newSchema(), shown: 'postgres://test', root, now });
  onTestFinished(() => ledger.close());
  return ledger;
};
describeLedger('PostgreSQL', open);
describeZarrRecords('PostgreSQL', open);

describeAlerts('PostgreSQL', open);
describeImport('PostgreSQL', open);

function workspaceIn(root: string) {
  return { root, ledgerPath: join(root, 'reachback.db'), telemetryFile: join(root, 'download_telemetry.csv') };
}

async function openAt(url: Secret, root = temporaryFolder()): Promise<SqlLedger> {
  const { ledger } = await openLedger({ workspace: workspaceIn(root), url });
  onTestFinished(() => ledger.close());
  return ledger;
}

async function refusal(opening: Promise<unknown>): Promise<PipelineError> {
  const error: unknown = await opening.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(PipelineError);
  const { message, hint = '', context, stack = '' } = error as PipelineError;
  const told = [message, hint, stack, JSON.stringify(context)].join('\n');
  for (const secret of [PASSWORD, encodeURIComponent(PASSWORD)]) expect(told).not.toContain(secret);
  return error as PipelineError;
}

/** Opens the ledger in a process of its own and begins `count` attempts. */
async function writeInProcess(url: Secret, name: string, count: number): Promise<void> {
  const at = (path: string): string => JSON.stringify(join(import.meta.dirname, '../../src', path));
  const script = `
    import { Secret } from ${at('core/secret.ts')};
    import { openPostgresLedger } from ${at('ledger/postgres.ts')};
    const [, name, count] = process.argv;
    const ledger = await openPostgresLedger({ url: new Secret(process.env.URL), shown: 'postgres://test', root: '/srv/ws' });
    for (let i = 0; i < Number(count); i += 1) {
      await ledger.openStage({ runId: name + i, workflowRunId: name + i, product: '${QUICKLOOK}', day: '${DAY}', stage: 'download' });
    }
    await ledger.close();`;
  const env = { PATH: process.env['PATH'], URL: url.reveal() };
  await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script, name, String(count)], { env });
}

describe('TRACK-16: a schema that is not ours or not of our time is named and left alone', () => {
  test('written by a newer version', async () => {
    const url = await server.newSchema();
    await (await openAt(url)).openStage(attempt());
    await server.query(url, `insert into kysely_migration (name, timestamp) values ('0099-from-the-future', '2030')`);
    // One after the other: a refusal that nobody waits for yet would be an unhandled one.
    for (const opening of [() => openAt(url), () => openLedgerForReading(workspaceIn('/srv/ws'), { url })]) {
      const error = await refusal(opening());
      expect(error.kind).toBe('config_invalid');
      expect(error.message).toContain('0099-from-the-future');
      expect(error.hint).toContain('newer reachback');
    }
    expect(await server.query(url, 'select count(*)::int as n from attempts')).toEqual([{ n: 1 }]);
  });

  test('left by an older version: who reads is told so and upgrades nothing, who writes upgrades it with its rows', async () => {
    const url = await server.newSchema();
    await (await openAt(url)).openStage(attempt());
    await server.query(url, `drop index attempts_told`);
    await server.query(url, `delete from kysely_migration where name = '0010-told-attempts'`);
    const read = () => openLedgerForReading(workspaceIn('/srv/ws'), { url });
    const error = await refusal(read());
    expect(error.hint).toContain('reachback run');
    expect(isOutdatedLedger(error)).toBe(true);
    await openAt(url);
    const reader = await read();
    expect(await reader.attemptsAfter(0, 10)).toHaveLength(1);
    await reader.close();
  });

  test("somebody else's tables, with the way to a schema of one's own", async () => {
    const url = await server.newSchema();
    await server.query(url, 'create table songs (title text)');
    const error = await refusal(openAt(url));
    expect(error).toMatchObject({ kind: 'config_invalid', message: expect.stringContaining('songs') });
    expect(error.hint).toContain('search_path');
    expect(
      await server.query(url, 'select tablename from pg_tables where schemaname = current_schema() order by 1'),
    ).toEqual([{ tablename: 'songs' }]);
  });

  test('a schema that does not exist', async () => {
    const url = new URL((await server.newSchema()).reveal());
    url.searchParams.set('options', '-csearch_path=nowhere');
    const error = await refusal(openAt(new Secret(url.href)));
    expect(error).toMatchObject({ kind: 'config_invalid', hint: expect.stringContaining('create schema') });
  });
});

describe('a ledger has one workspace', () => {
  const workspaceOf = (name: string | null) => ({ ...workspaceIn('/srv/ws'), name });

  test('a second one that comes upon its schema is refused, with the commands to a schema of its own, and reads nothing', async () => {
    const url = await server.newSchema();
    const open = async (name: string) => {
      const { ledger } = await openLedger({ workspace: workspaceOf(name), url });
      onTestFinished(() => ledger.close());
      return ledger;
    };
    await (await open('data-1f2e')).openStage(attempt());
    for (const opening of [() => open('data-77aa'), () => openLedgerForReading(workspaceOf('data-77aa'), { url })]) {
      const error = await refusal(opening());
      expect(error).toMatchObject({ kind: 'config_invalid', context: { owner: 'data-1f2e', workspace: 'data-77aa' } });
      expect(error.message).toContain('is that of the workspace data-1f2e, not of data-77aa (/srv/ws)');
      expect(error.hint).toContain(`-c 'create schema reachback_data_77aa'`);
      expect(error.hint).toContain('search_path%3Dreachback_data_77aa');
    }
    expect(await server.query(url, 'select name from workspace')).toEqual([{ name: 'data-1f2e' }]);
    // The same workspace from another host or folder, and a place that is no workspace yet, are no strangers.
    await open('data-1f2e');
    const reader = await openLedgerForReading(workspaceOf(null), { url });
    onTestFinished(() => reader.close());
    expect(await reader.dayLines()).toHaveLength(1);
  });

  test('of two that come first at once one gets it', async () => {
    const url = await server.newSchema();
    await (await openAt(url)).close();
    const opened = await Promise.allSettled(
      ['data-1f2e', 'data-77aa'].map((name) => openLedger({ workspace: workspaceOf(name), url })),
    );
    for (const each of opened) if (each.status === 'fulfilled') onTestFinished(() => each.value.ledger.close());
    expect(opened.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
  });
});

describe('reading', () => {
  test('never makes or upgrades a ledger, and never writes to one', async () => {
    const url = await server.newSchema();
    const workspace = workspaceIn('/srv/ws');
    expect(await openLedgerIfAny(workspace, { url })).toBeNull();
    expect(await refusal(openLedgerForReading(workspace, { url }))).toMatchObject({ kind: 'config_invalid' });
    expect(await server.query(url, `select 1 from pg_tables where schemaname = current_schema()`)).toEqual([]);
    await (await openAt(url)).openStage(attempt());
    const reader = await openLedgerForReading(workspace, { url });
    onTestFinished(() => reader.close());
    expect(await reader.dayLines()).toHaveLength(1);
    await expect(reader.putSlice(slice())).rejects.toThrow(/read-only transaction/);
    await expect(reader.openStage(attempt({ workflowRunId: 'wf-9', runId: 'r-9' }))).rejects.toThrow(/read-only/);
  });

  test('a report is of one moment, and holds no writer up', async () => {
    const url = await server.newSchema();
    const writer = await openAt(url);
    const reader = await openLedgerForReading(workspaceIn('/srv/ws'), { url });
    onTestFinished(() => reader.close());
    const state = { writing: true };
    const write = async () => {
      for (let index = 0; index < 60; index += 1) {
        await writer.closeStage(attempt({ workflowRunId: `wf-${index}`, runId: `r-${index}`, stage: 'upload' }), {
          status: 'UPLOADED',
          seconds: 1,
          bucket: 'b',
          key: 'k',
        });
      }
      state.writing = false;
    };
    const read = async () => {
      while (state.writing) expect((await reader.attemptsAfter(0, 1000)).length % 2).toBe(0);
    };
    await Promise.all([write(), read()]);
    expect(await reader.attemptsAfter(0, 1000)).toHaveLength(120);
  });
});

describe('several writers', () => {
  test('processes that make the same ledger at once all succeed, and rows come to light in the order of their numbers', async () => {
    const url = await server.newSchema();
    const seen: number[] = [];
    const state = { writing: true };
    const watch = async () => {
      while (state.writing) {
        const reader = await openLedgerIfAny(workspaceIn('/srv/ws'), { url });
        if (reader === null) continue;
        while (state.writing) {
          const rows = await reader.attemptsAfter(seen.at(-1) ?? 0, 1000);
          seen.push(...rows.map(({ seq }) => seq));
        }
        await reader.close();
      }
    };
    const writers = ['a', 'b', 'c'].map((name) => writeInProcess(url, name, 40));
    await Promise.all([Promise.all(writers).finally(() => (state.writing = false)), watch()]);
    const ledger = await openAt(url);
    const all = (await ledger.attemptsAfter(0, 1000)).map(({ seq }) => seq);
    expect(all).toHaveLength(120);
    // A telemetry CSV is written by number: a row that came late with a smaller one would be left out for ever.
    expect(seen).toEqual(all.slice(0, seen.length));
  });

  test('two workers at the same stage, file and slice leave what one leaves', async () => {
    const url = await server.newSchema();
    const root = temporaryFolder();
    const workers = [await openAt(url, root), await openAt(url, root)];
    const each = (work: (ledger: SqlLedger) => Promise<unknown>) => Promise.all([...workers, ...workers].map(work));
    for (let index = 0; index < 10; index += 1) {
      const workflowRunId = `wf-${index}`;
      await each((ledger) => ledger.openStage(attempt({ workflowRunId, runId: workflowRunId })));
      await each((ledger) => ledger.failStage(attempt({ workflowRunId, runId: workflowRunId }), FAILURE));
      await each((ledger) => ledger.putArtifact(download(root, { sha256: String(index).repeat(64) })));
      await each((ledger) => ledger.putSlice(slice({ failures: index })));
    }
    const [ledger] = workers as [SqlLedger];
    expect(await ledger.attemptsAfter(0, 100)).toHaveLength(20);
    expect(await ledger.slices(QUICKLOOK, DAY)).toEqual([slice({ failures: 9 })]);
    expect(await server.query(url, 'select count(*)::int as n from artifacts where superseded_at is null')).toEqual([
      { n: 1 },
    ]);
    expect(await server.query(url, 'select count(*)::int as n from artifacts')).toEqual([{ n: 10 }]);
  });

  test('transactions that cross are run again', async () => {
    const url = await server.newSchema();
    const ledger = await openAt(url);
    // Stands for a server that calls off a transaction: the first two writes of slices only.
    await server.query(
      url,
      `create sequence tries; create function cross_once() returns trigger language plpgsql as
       'begin if nextval(''tries'') <= 2 then raise exception ''crossed'' using errcode = ''40P01''; end if; return new; end';
       create trigger crossing before insert on slices for each row execute function cross_once()`,
    );
    await ledger.putSlice(slice());
    expect(await ledger.slices(QUICKLOOK, DAY)).toEqual([slice()]);
    await server.query(url, `alter sequence tries minvalue -1000 restart with -1000`);
    const error: unknown = await ledger.putSlice(slice({ day: NEXT_DAY })).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: '40P01' });
  });

  test('attempts is append-only, for whoever connects', async () => {
    const url = await server.newSchema();
    await (await openAt(url)).openStage(attempt());
    for (const change of [`update attempts set status = 'FAILED'`, 'delete from attempts', 'truncate attempts']) {
      await expect(server.query(url, change)).rejects.toThrow(/append-only/);
    }
  });
});

describe('an address that leads nowhere is told without its password', () => {
  const changed = async (change: (url: URL) => void): Promise<Secret> => {
    const url = new URL((await server.newSchema()).reveal());
    change(url);
    return new Secret(url.href);
  };

  test.for<[string, string, (url: URL) => void]>([
    ['a wrong password', 'config_invalid', (url) => (url.password = `${encodeURIComponent(PASSWORD)}x`)],
    ['no such database', 'config_invalid', (url) => (url.pathname = '/none')],
    ['nobody there', 'ledger_unavailable', (url) => (url.port = '9')],
  ])('%s: %s', async ([, kind, change]) => {
    const error = await refusal(openAt(await changed(change)));
    expect(error.kind).toBe(kind);
    expect(error.message).toContain('keeper@127.0.0.1');
    expect(error.hint).toContain('REACHBACK_LEDGER_URL');
  });

  test.for([
    `postgres://keeper:${PASSWORD}@[nowhere/x`,
    `postgres://keeper:${PASSWORD}@127.0.0.1/x`,
    'postgres://keeper:12/cd@127.0.0.1:5432/x',
    'postgres://keeper:12?cd@127.0.0.1:5432/x',
    'postgres://keeper:12#cd@127.0.0.1:5432/x',
  ])('a password that was not percent-encoded: %s', async (address) => {
    const error = await refusal(openAt(new Secret(address)));
    expect(error).toMatchObject({ kind: 'config_invalid', hint: expect.stringContaining('percent-encoded') });
    expect(`${error.message} ${error.hint}`).not.toMatch(/cd|rd\/42/);
  });
});

test('a server that goes away in the middle: told as such, nothing lost, and the same ledger goes on when it is back', async () => {
  const url = await server.newSchema();
  const ledger = await openAt(url);
  const waits: number[] = [];
  const sleep = (ms: number): Promise<void> => {
    waits.push(ms);
    return Promise.resolve();
  };
  const reader = await openLedgerForReading(workspaceIn('/srv/ws'), { url, sleep });
  onTestFinished(() => reader.close());
  await ledger.openStage(attempt());
  const inFlight = Array.from({ length: 20 }, (_, index) =>
    ledger.openStage(attempt({ workflowRunId: `wf-x${index}`, runId: `x${index}` })).then(
      () => 'written',
      (error: unknown) => error,
    ),
  );
  await server.stop();
  const ends = await Promise.all(inFlight);
  const cutOff = ends.filter((end) => end !== 'written');
  expect(cutOff.map((end) => (end as PipelineError).kind)).toEqual(cutOff.map(() => 'ledger_unavailable'));
  const error = await refusal(ledger.putSlice(slice()));
  expect(error).toMatchObject({ kind: 'ledger_unavailable', retry: 'later' });
  expect(await refusal(reader.dayLines())).toMatchObject({ kind: 'ledger_unavailable' });
  expect(waits).toEqual([500, 2000]);
  await server.start();
  await ledger.putSlice(slice());
  expect(await reader.slices(QUICKLOOK, DAY)).toEqual([slice()]);
  const told = ends.filter((end) => end === 'written').length;
  // Whether a commit that was cut off came through is the server's to know; asked again, each is there once.
  expect((await ledger.attemptsAfter(0, 100)).length).toBeGreaterThanOrEqual(1 + told);
  for (let index = 0; index < 20; index += 1) {
    await ledger.openStage(attempt({ workflowRunId: `wf-x${index}`, runId: `x${index}` }));
  }
  expect(await ledger.attemptsAfter(0, 100)).toHaveLength(21);
});

const FAILURE = { stage: 'download', kind: 'slice_exhausted', message: 'slice 12 failed 6 times: HTTP 503' } as const;
