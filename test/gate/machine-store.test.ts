import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import Database from 'better-sqlite3';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { Secret } from '../../src/core/secret.ts';
import { createGate, createMachineStore, readGateReport } from '../../src/gate/index.ts';
import type { Gate, GateStore } from '../../src/gate/index.ts';
import { describeGate } from './contract.ts';

const ORIGIN = 'https://source.example';
const TOKEN = 'Basic c29tZW9uZTp2ZXJ5LXNlY3JldA==';

let stateHome: string;

beforeEach(() => {
  stateHome = mkdtempSync(join(tmpdir(), 'reachback-gate-'));
  onTestFinished(() => rmSync(stateHome, { recursive: true, force: true }));
});

interface Asked {
  readonly origin?: string;
  readonly token?: string;
  readonly workspace?: string;
}

const pointer = (): string => join(stateHome, 'gate.json');

function storeOf(asked: Asked = {}, notices: string[] = []): GateStore {
  return createMachineStore({
    stateHome,
    origin: asked.origin ?? ORIGIN,
    credential: new Secret(asked.token ?? TOKEN),
    command: 'reachback run --start-date 2025-09-01',
    workspace: asked.workspace ?? '/srv/first',
    initialRate: 5,
    pointer: pointer(),
    onNotice: (notice) => notices.push(notice),
  });
}

function makeGate(asked: Asked = {}, notices: string[] = []): Gate {
  const gate = createGate({ store: storeOf(asked, notices), config: { initialRate: 1_000, maxRate: 1_000 } });
  onTestFinished(() => gate.close());
  return gate;
}

const files = (): string[] =>
  readdirSync(stateHome, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
const stateFile = (): string => files().find((path) => path.endsWith('state.db'))!;

describeGate('files of the machine', () =>
  Promise.resolve({
    start: (config) => createGate({ config, store: storeOf() }),
    report: () => readGateReport(pointer()),
  }),
);

describe('SAFE-3: one downloading process per origin and credential', () => {
  test('a second one is refused with pid, command and workspace of the holder, and may go on when it has gone', async () => {
    const first = makeGate();
    await first.open();
    const second = makeGate({ workspace: '/srv/second' });
    const refused = { kind: 'gate_held', context: { pid: process.pid, workspace: '/srv/first' } };
    await expect(second.acquire()).rejects.toMatchObject(refused);
    await expect(second.open()).rejects.toMatchObject({
      ...refused,
      message: expect.stringMatching(
        new RegExp(
          `gate of ${ORIGIN}.*process ${process.pid} .*reachback run --start-date 2025-09-01, workspace /srv/first`,
        ),
      ),
    });
    await first.close();
    await expect(second.open()).resolves.toBeUndefined();
  });

  test('another origin and another credential are other gates', async () => {
    await makeGate().open();
    await makeGate({ origin: 'https://source.example:8443' }).open();
    await makeGate({ token: 'Basic other' }).open();
    expect(files().filter((path) => path.endsWith('state.db'))).toHaveLength(3);
  });

  test('nothing is made before the first request or plan needs it', () => {
    makeGate();
    expect(files()).toEqual([]);
  });
});

describe('what is on the disk', () => {
  test('folders are 0700, files 0600, and none tells the credential: not its text, not a plain hash of it', async () => {
    const gate = makeGate();
    (await gate.acquire()).release({ kind: 'auth_rejected', status: 401 });
    const folder = join(stateHome, 'reachback', 'gate');
    const folders = [
      folder,
      ...readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
        entry.isDirectory() ? [join(folder, entry.name)] : [],
      ),
    ];
    expect(folders.map((path) => (statSync(path).mode & 0o777).toString(8))).toEqual(['700', '700']);
    const own = files().filter((path) => path.startsWith(folder));
    expect(own.map((path) => path.split('/').at(-1))).toEqual(
      expect.arrayContaining(['key', 'lock.db', 'lock.json', 'state.db']),
    );
    expect(own.filter((path) => (statSync(path).mode & 0o777) !== 0o600)).toEqual([]);
    for (const path of files()) {
      for (const secret of [TOKEN, TOKEN.slice(6), 'very-secret']) {
        expect(`${path}${readFileSync(path, 'latin1')}`).not.toContain(secret);
      }
    }
    // Another machine's key gives the same credential another name.
    const [name] = folders[1]!.split('/').slice(-1);
    await gate.close();
    rmSync(join(folder, 'key'));
    await makeGate().open();
    expect(readdirSync(folder).filter((entry) => /^[0-9a-f]{32}$/.test(entry) && entry !== name)).toHaveLength(1);
  });

  test('a pause is on the disk when the 429 was reported: the next process respects it, whatever became of the first', async () => {
    const gate = makeGate();
    const permit = await gate.acquire();
    permit.report429({ retryAfter: '300', date: null });
    // Read by another process, as after a kill.
    const { stdout } = await promisify(execFile)(process.execPath, [
      '--input-type=module',
      '-e',
      `import Database from 'better-sqlite3';
       console.log(new Database(process.argv[1], { readonly: true }).prepare('SELECT state FROM gate').get().state);`,
      stateFile(),
    ]);
    expect(JSON.parse(stdout)).toMatchObject({ cooldown: { inARow: 1, why: expect.stringContaining('300 s') } });
    await gate.close();
    await expect(makeGate().acquire()).rejects.toMatchObject({ kind: 'rate_limited' });
  });

  test('others read rate, pause, incident, holder and receipts beside the holder', async () => {
    expect(await readGateReport(pointer())).toBeNull();
    const gate = makeGate();
    const permit = await gate.forRun({ runId: 'r1', workspace: 'ws-1' }).acquire();
    permit.report429({ retryAfter: '300', date: null });
    const report = await readGateReport(pointer());
    expect(report).toMatchObject({
      origin: ORIGIN,
      rate: 500,
      cooldown: { why: 'the source answered 429 with Retry-After 300 s' },
      incident: null,
      holder: { pid: process.pid, workspace: '/srv/first' },
      receipts: { runs: [{ runId: 'r1', workspace: 'ws-1', requests: 1, rateLimited: 1 }] },
    });
    expect(Math.abs(Date.parse(report!.cooldown!.until) - Date.now() - 300_000)).toBeLessThan(10_000);
    await gate.close();
    expect(await readGateReport(pointer())).toMatchObject({ holder: null, cooldown: report!.cooldown });
  });
});

describe('a state file that is none', () => {
  async function damage(act: (path: string) => void): Promise<void> {
    const gate = makeGate();
    await gate.open();
    await gate.close();
    act(stateFile());
  }

  test.for<[string, (path: string) => void]>([
    ['no database', (path) => writeFileSync(path, 'x'.repeat(8_192))],
    ['no JSON', (path) => new Database(path).exec("UPDATE gate SET state = '{'").close()],
    ['another shape', (path) => new Database(path).exec(`UPDATE gate SET state = '{"pace":{"rate":-1}}'`).close()],
    ['no table', (path) => new Database(path).exec('DROP TABLE gate').close()],
  ])('%s: put aside and told; the first request waits 30 s, for it may have held a pause', async ([, act]) => {
    await damage(act);
    const notices: string[] = [];
    const gate = makeGate({}, notices);
    await gate.open();
    expect(notices).toEqual([expect.stringContaining('state.db.damaged')]);
    expect(gate.snapshot().cooldown).toMatchObject({ why: expect.stringContaining('lost') });
    expect(gate.snapshot().cooldown!.untilMs - Date.now()).toBeGreaterThan(25_000);
    expect(files().some((path) => path.endsWith('state.db.damaged'))).toBe(true);
    await gate.close();
    const next: string[] = [];
    await makeGate({}, next).open();
    expect(next).toEqual([]);
  });

  test('left without its version by a kill while it was made: taken up, what it holds stands', async () => {
    const gate = makeGate();
    await gate.open();
    await gate.close();
    new Database(stateFile()).exec('PRAGMA user_version = 0').close();
    const notices: string[] = [];
    const next = makeGate({}, notices);
    await next.open();
    expect(notices).toEqual([]);
    expect(next.snapshot().cooldown).toBeNull();
    await next.close();
    expect(new Database(stateFile(), { readonly: true }).pragma('user_version', { simple: true })).toBe(1);
  });

  test('of a newer version: refused and unchanged', async () => {
    await damage((path) => new Database(path).exec('PRAGMA user_version = 2').close());
    const before = readFileSync(stateFile());
    await expect(makeGate().open()).rejects.toMatchObject({
      kind: 'config_invalid',
      message: expect.stringContaining('version 2'),
    });
    expect(readFileSync(stateFile())).toEqual(before);
  });

  test('a folder that cannot be made: named, with the way out', async () => {
    writeFileSync(join(stateHome, 'reachback'), 'a file');
    await expect(makeGate().open()).rejects.toMatchObject({
      kind: 'config_invalid',
      message: expect.stringContaining(join(stateHome, 'reachback')),
      hint: expect.stringContaining('XDG_STATE_HOME'),
    });
  });
});
