/** SAFE-11: what stands where the download goes is never lost. */
import { readFile, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { downloadDay } from '../../../src/activities/download/index.ts';
import type { DownloadDependencies, DownloadRequest } from '../../../src/activities/download/index.ts';
import { manifestPath } from '../../../src/storage/manifest.ts';
import { startScriptedServer } from '../../sources/udl/scripted-server.ts';
import type { ScriptedServer } from '../../sources/udl/scripted-server.ts';
import { ARCHIVE, DAY, answerFrom, makeWorkspace, memoryLedger, openGate, record, testSource } from './set-up.ts';
import type { Workspace } from './set-up.ts';

const ONE: DownloadRequest = { product: 'reach-101/quicklook', day: DAY, sliceMode: 'half-open' };
const NAME = 'REACH-101_20260101T000000_20260102T000000.csv';

let server: ScriptedServer;
let folders: Workspace;
let deps: DownloadDependencies;
let path: string;
let warnings: { facts: object; message: string }[];

beforeAll(async () => {
  server = await startScriptedServer(answerFrom(ARCHIVE));
});

beforeEach(async () => {
  server.script = answerFrom(ARCHIVE);
  folders = await makeWorkspace();
  path = join(folders.downloads, NAME);
  warnings = [];
  deps = {
    gate: openGate(),
    source: testSource(server.url),
    ledger: memoryLedger(),
    folders,
    log: { info: () => undefined, warn: (facts, message) => void warnings.push({ facts, message }) },
  };
});

afterEach(async () => {
  await deps.source.close();
  await folders.remove();
});

afterAll(() => server.close());

/** Files below `_backup`, ascending; none when there is no such folder. */
async function backups(): Promise<string[]> {
  const names = await readdir(join(folders.downloads, '_backup'), { recursive: true }).catch(() => []);
  return names
    .filter((name) => name.includes('/'))
    .map((name) => join(folders.downloads, '_backup', name))
    .toSorted();
}

test('a file of somebody else is kept under _backup and both paths are told', async () => {
  await writeFile(path, 'my own notes');
  expect(await downloadDay(deps, ONE)).toMatchObject({ outcome: 'done', path });
  const [backup, ...more] = await backups();
  expect(more).toEqual([]);
  expect(await readFile(backup!, 'utf8')).toBe('my own notes');
  expect(await readFile(path, 'utf8')).toContain('REACH-101');
  expect(warnings).toEqual([{ facts: { path, backup }, message: expect.stringContaining('kept') as string }]);
});

test('so is a file of somebody else where a slice has a column that the first one lacks', async () => {
  server.script = answerFrom([record(0), record(21_600_000, { quality: 'good' })]);
  await writeFile(path, 'my own notes');
  expect(await downloadDay(deps, ONE)).toMatchObject({ outcome: 'done' });
  expect(await readFile((await backups())[0]!, 'utf8')).toBe('my own notes');
  expect(await readFile(path, 'utf8')).toContain('quality');
});

test.for<[string, number, (damaged: Buffer) => Promise<void>]>([
  ['in place of it', 0, (damaged) => rm(path).then(() => writeFile(path, damaged))],
  // What the slices had of it is damaged with it.
  ['in place', 4, ({ length }) => truncate(path, length)],
])('a damaged artifact of ours (%s) is kept with its manifest, then made again', async ([, requests, damage]) => {
  const before = await downloadDay(deps, ONE);
  const whole = await readFile(path);
  const damaged = whole.subarray(0, 100);
  await damage(damaged);
  expect(await downloadDay(deps, ONE)).toEqual({ ...before, requests });
  expect(await readFile(path)).toEqual(whole);
  const kept = await backups();
  expect(kept.map((each) => each.slice(each.lastIndexOf('/') + 1)).toSorted()).toEqual(
    [NAME, manifestPath(NAME)].toSorted(),
  );
  expect(await readFile(kept.find((each) => each.endsWith(`/${NAME}`))!)).toEqual(damaged);
});

test('the same bytes without a manifest, as a kill leaves them, need no backup', async () => {
  const before = await downloadDay(deps, ONE);
  await rm(manifestPath(path));
  expect(await downloadDay(deps, ONE)).toEqual({ ...before, requests: 0 });
  expect(await backups()).toEqual([]);
  expect(warnings).toEqual([]);
});

test('an intact artifact is taken over and nothing is kept', async () => {
  await downloadDay(deps, ONE);
  expect(await downloadDay(deps, ONE)).toMatchObject({ adopted: true });
  expect(await backups()).toEqual([]);
});

test('a download that does not come to its end leaves the other file where it is', async () => {
  server.script = (response) => response.destroy();
  await writeFile(path, 'my own notes');
  await expect(downloadDay(deps, ONE)).rejects.toMatchObject({ kind: 'source_unavailable' });
  expect(await readFile(path, 'utf8')).toBe('my own notes');
  expect(await backups()).toEqual([]);
});
