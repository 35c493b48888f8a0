import { readFile, readdir, truncate, utimes, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { OWN_PART } from '../../../src/activities/download/day-part.ts';
import { downloadDay } from '../../../src/activities/download/index.ts';
import type { DownloadDependencies, DownloadRequest } from '../../../src/activities/download/index.ts';
import type { UdlSource } from '../../../src/sources/udl/index.ts';
import { startScriptedServer } from '../../sources/udl/scripted-server.ts';
import type { ScriptedServer } from '../../sources/udl/scripted-server.ts';
import { ARCHIVE, DAY, START, answerFrom, makeWorkspace, memoryLedger, openGate, testSource } from './set-up.ts';
import type { TestLedger, Workspace } from './set-up.ts';

const ALL: DownloadRequest = { product: 'reach-all/quicklook', day: DAY, sliceMode: 'half-open' };
const ONE: DownloadRequest = { ...ALL, product: 'reach-101/quicklook' };
const GOOD = answerFrom(ARCHIVE);

let server: ScriptedServer;
let source: UdlSource;
let folders: Workspace;
let ledger: TestLedger;
let deps: DownloadDependencies;

beforeAll(async () => {
  server = await startScriptedServer(GOOD);
  source = testSource(server.url);
});

beforeEach(async () => {
  server.seen.length = 0;
  server.script = GOOD;
  folders = await makeWorkspace();
  ledger = memoryLedger();
  deps = { gate: openGate(), source, ledger, folders };
});

afterEach(() => folders.remove());

afterAll(async () => {
  await source.close();
  await server.close();
});

/** Stops the download when `count` slices are done. @returns how many files are there then */
async function stopAfter(request: DownloadRequest, count: number): Promise<number> {
  const abort = new AbortController();
  const stop = new Error('stopped');
  const onProgress = ({ slicesDone }: { slicesDone: number }): void => void (slicesDone >= count && abort.abort(stop));
  await expect(downloadDay(deps, request, { signal: abort.signal, onProgress })).rejects.toBe(stop);
  return (await sliceFiles(request)).length;
}

async function sliceFiles({ product }: DownloadRequest): Promise<string[]> {
  const folder = join(folders.slices, product, DAY);
  const names = (await readdir(folder)).filter((name) => name.endsWith('.slice'));
  return names.map((name) => join(folder, name)).toSorted();
}

test('stopped in the middle: the next run asks only for what has no file, also without the ledger', async () => {
  const calm = await makeWorkspace();
  const whole = await downloadDay({ ...deps, ledger: memoryLedger(), folders: calm }, ALL);
  await calm.remove();
  server.seen.length = 0;

  const kept = await stopAfter(ALL, 120);
  expect(kept).toBeGreaterThanOrEqual(120);
  const lost = memoryLedger();
  const done = await downloadDay({ ...deps, ledger: lost }, ALL);
  expect(done).toMatchObject({ outcome: 'done', requests: 288 - kept });
  if (done.outcome !== 'done' || whole.outcome !== 'done') throw new Error('no artifact');
  expect(done.sha256).toBe(whole.sha256);
  // At most one repeated slice per request under way at the stop.
  expect(server.seen.length).toBeLessThanOrEqual(288 + 4);
  expect(lost.rows.size).toBe(288);
});

test('a stop cancels the requests under way, at the server too (SAFE-10)', async () => {
  const abort = new AbortController();
  server.script = (response, request) => (request.startMs === START ? undefined : GOOD(response, request));
  const running = downloadDay(deps, ONE, {
    signal: abort.signal,
    onProgress: ({ slicesDone }) => void (slicesDone === 3 && abort.abort(new Error('stopped'))),
  });
  await expect(running).rejects.toThrow('stopped');
  await expect.poll(() => server.seen.find(({ startMs }) => startMs === START)?.aborted).toBe(true);
  expect(deps.gate.snapshot()).toMatchObject({ inFlight: 0, waiting: 0 });
  expect(server.seen).toHaveLength(4);
});

test.for<[string, (path: string) => Promise<void>]>([
  ['cut short', (path) => truncate(path, 300)],
  ['cut inside its first line', (path) => truncate(path, 20)],
  ['empty', (path) => truncate(path, 0)],
  [
    'altered',
    async (path) => {
      const bytes = await readFile(path);
      bytes[bytes.length - 4] = 0x21;
      await writeFile(path, bytes);
    },
  ],
  ['longer than it should be', (path) => writeFile(path, 'more', { flag: 'a' })],
  [
    'of another day',
    async (path) =>
      writeFile(path, (await readFile(path, 'latin1')).replace('"day":"2026-01-01"', '"day":"2026-01-02"'), 'latin1'),
  ],
])('SAFE-7: a slice file that is %s is fetched again, the others are not', async ([, damage]) => {
  const before = await downloadDay(deps, ONE);
  await writeFile(join(folders.downloads, '.REACH-101_20260101T000000_20260102T000000.csv.manifest'), 'gone');
  await damage((await sliceFiles(ONE))[1]!);
  server.seen.length = 0;
  expect(await downloadDay(deps, ONE)).toEqual({ ...before, requests: 1 });
  expect(server.seen.map(({ startMs }) => startMs)).toEqual([START + 21_600_000]);
});

test('leftovers of a kill and slices of the other mode are removed and never mixed in', async () => {
  server.script = (response, request) => (request.startMs < START + 43_200_000 ? GOOD(response, request) : undefined);
  await stopAfter({ ...ONE, sliceMode: 'compat' }, 2);
  server.script = GOOD;
  const folder = join(folders.slices, ONE.product, DAY);
  await writeFile(join(folder, '.20260101T000000000-20260101T060000000.slice.99-0badf00d.tmp'), 'half');
  server.seen.length = 0;
  const done = await downloadDay(deps, ONE);
  expect(done).toMatchObject({ outcome: 'done', requests: 4, counts: { records: 16 } });
  expect((await readdir(folder)).toSorted()).toEqual([
    ...(await sliceFiles(ONE)).map((path) => basename(path)),
    OWN_PART,
  ]);
  expect(await sliceFiles(ONE)).toHaveLength(4);
  expect(ledger.rows.size).toBe(4);
});

test('UDL-D14: an empty answer is believed for a day after a stop, not for ever', async () => {
  server.script = answerFrom([]);
  await downloadDay(deps, ONE);
  expect(await downloadDay(deps, ONE)).toMatchObject({ outcome: 'no_data', requests: 0 });
  const [path] = await sliceFiles(ONE);
  const text = await readFile(path!, 'utf8');
  await writeFile(path!, text.replace(/"fetchedAt":"[^"]*"/, '"fetchedAt":"2026-01-02T00:00:00.000Z"'));
  await utimes(path!, new Date(), new Date());
  server.script = GOOD;
  expect(await downloadDay(deps, ONE)).toMatchObject({ outcome: 'done', requests: 1, counts: { records: 4 } });
});
