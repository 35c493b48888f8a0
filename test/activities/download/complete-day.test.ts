import { createHash } from 'node:crypto';
import { readFile, readdir, stat, utimes, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { parse } from 'csv-parse/sync';
import { describe, expect, test } from 'vitest';
import { discardSlices, downloadDay } from '../../../src/activities/download/index.ts';
import type {
  DownloadDependencies,
  DownloadOutcome,
  DownloadProgress,
  DownloadRequest,
} from '../../../src/activities/download/index.ts';
import { addDays } from '../../../src/core/time/day.ts';
import { readManifest } from '../../../src/storage/manifest.ts';
import { sendJson } from '../../sources/udl/scripted-server.ts';
import type { ScriptedServer } from '../../sources/udl/scripted-server.ts';
import { ARCHIVE, DAY, START, TOKEN, answerFrom, record } from './set-up.ts';
import type { TestLedger, Workspace } from './set-up.ts';
import { useDownloads } from './use-downloads.ts';

const ONE: DownloadRequest = { product: 'reach-101/quicklook', day: DAY, sliceMode: 'half-open' };
const ALL: DownloadRequest = { ...ONE, product: 'reach-all/quicklook' };
/** Records of the day itself, in order. */
const OF_DAY = ARCHIVE.slice(0, 16);

let server: ScriptedServer;
let folders: Workspace;
let ledger: TestLedger;
let deps: DownloadDependencies;

useDownloads(answerFrom(ARCHIVE), (place) => {
  ({ server, folders, ledger, deps } = place);
});

type Done = Extract<DownloadOutcome, { outcome: 'done' }>;

async function download(request: DownloadRequest): Promise<Done> {
  const outcome = await downloadDay(deps, request);
  if (outcome.outcome !== 'done') throw new Error(outcome.reason);
  return outcome;
}

async function readRows(path: string): Promise<Record<string, string>[]> {
  return parse(await readFile(path, 'utf8'), { columns: true });
}

describe('the artifact', () => {
  test('UDL-27, UDL-29: named after the day, CSV with CRLF, records in order, manifest beside it', async () => {
    const done = await download(ONE);
    expect(basename(done.path)).toBe('REACH-101_20260101T000000_20260102T000000.csv');
    const text = await readFile(done.path, 'utf8');
    const lines = text.split('\r\n');
    expect(lines[0]).toBe('id,idSensor,obTime,senPos,seoList');
    expect(lines[1]).toBe(
      `id-0,REACH-101,2026-01-01T00:00:00.000Z,"[1.5, 2, -3]","[{'obValue': 0.5, 'obDescription': 'DOSE1'}]"`,
    );
    expect((await readRows(done.path)).map(({ id }) => id)).toEqual(OF_DAY.map(({ id }) => id));
    expect(done).toMatchObject({
      sizeBytes: Buffer.byteLength(text),
      sha256: createHash('sha256').update(text).digest('hex'),
      counts: { records: 16, distinctReadings: 16, recordsPerSensor: { 'REACH-101': 16 } },
      slices: 4,
      emptySlices: 0,
      requests: 4,
      adopted: false,
    });
    const { path: _path, outcome: _outcome, requests: _requests, adopted: _adopted, check, ...facts } = done;
    expect(check).toBeNull();
    expect(await readManifest(done.path)).toMatchObject({
      kind: 'download',
      product: ONE.product,
      day: DAY,
      sliceMode: 'half-open',
      ...facts,
    });
  });

  test('UDL-30: JSON, one slice a line', async () => {
    const done = await download({ ...ONE, product: 'reach-101/quicklook/json' });
    const text = await readFile(done.path, 'utf8');
    expect(basename(done.path)).toBe('REACH-101_20260101T000000_20260102T000000.json');
    expect(JSON.parse(text)).toEqual(OF_DAY);
    const lines = text.split('\n');
    expect(lines).toHaveLength(6);
    expect([lines[0], lines[5]]).toEqual(['[', ']']);
    expect(lines[1]).toMatch(/^\{"id": "id-0", "idSensor": "REACH-101", .*\}, \{"id": "id-500", .*\},$/);
    expect(lines[4]).toMatch(/\}\]\}$/);
  });

  test('UDL-12, UDL-13: ALL asks 288 slices, one request each', async () => {
    const done = await download(ALL);
    expect(server.seen).toHaveLength(288);
    expect(new Set(server.seen.map(({ url }) => url)).size).toBe(288);
    expect(done).toMatchObject({ requests: 288, slices: 288, counts: { records: 16 } });
    expect(done.emptySlices).toBe(288 - 8);
  });

  test('UDL-26: slices in the order of time, whatever the order of answers', async () => {
    const answer = answerFrom(ARCHIVE);
    server.script = (response, request) =>
      void setTimeout(() => answer(response, request), request.startMs === START ? 150 : 0);
    const rows = await readRows((await download(ONE)).path);
    expect(rows.map(({ id }) => id)).toEqual(OF_DAY.map(({ id }) => id));
  });

  test('SAFE-5: no other file than artifact, manifest and slices appears', async () => {
    const done = await download(ONE);
    expect((await readdir(folders.downloads)).toSorted()).toEqual([
      `.${basename(done.path)}.manifest`,
      '.slices',
      basename(done.path),
    ]);
  });
});

describe('UDL-D6, UDL-D7: both end rules', () => {
  test.for<[string, (request: { startMs: number }) => boolean]>([
    ['end included', () => true],
    ['end excluded', () => false],
    ['a mixture within the day', ({ startMs }) => startMs % (2 * 21_600_000) === 0],
  ])('%s: nothing lost, nothing doubled, the next midnight not kept', async ([, inclusive]) => {
    server.script = (response, request) => answerFrom(ARCHIVE, inclusive(request))(response, request);
    const done = await download(ONE);
    expect((await readRows(done.path)).map(({ id }) => id)).toEqual(OF_DAY.map(({ id }) => id));
    expect(done.counts.records).toBe(16);
  });

  test('compat keeps what lies on a boundary, drops and counts the next midnight, and misses the open second after one', async () => {
    const done = await download({ ...ONE, sliceMode: 'compat' });
    const lost = [1, 2, 3].map((quarter) => `id-${quarter * 21_600_000 + 500}`);
    expect((await readRows(done.path)).map(({ id }) => id)).toEqual(
      OF_DAY.map(({ id }) => id).filter((id) => !lost.includes(id as string)),
    );
    expect(done.outsideSlice).toBe(1);
  });
});

describe('UDL-D2: columns', () => {
  test('reordered, missing and extra keys land under their names; the header is the union in slice order', async () => {
    const slices = [
      [{ obTime: '2026-01-01T01:00:00.000Z', id: 'a', lat: 1 }],
      [{ id: 'b', lat: 2, obTime: '2026-01-01T07:00:00.000Z' }],
      [{ obTime: '2026-01-01T13:00:00.000Z', id: 'c', note: 'x,"y"\n', senPos: [1, 2] }],
      [{ obTime: '2026-01-01T19:00:00.000Z', lat: 4.5 }],
    ];
    server.script = (response, { startMs }) => sendJson(response, slices[(startMs - START) / 21_600_000]);
    const done = await download(ONE);
    expect(done.columns).toEqual(['obTime', 'id', 'lat', 'note', 'senPos']);
    expect(await readFile(done.path, 'utf8')).toBe(
      [
        'obTime,id,lat,note,senPos',
        '2026-01-01T01:00:00.000Z,a,1,,',
        '2026-01-01T07:00:00.000Z,b,2,,',
        '2026-01-01T13:00:00.000Z,c,,"x,""y""\n","[1, 2]"',
        '2026-01-01T19:00:00.000Z,,4.5,,',
        '',
      ].join('\r\n'),
    );
  });

  test('a slice with the same columns is copied byte by byte, one without them mapped, with the same notation', async () => {
    const odd = record(21_600_000, { extra: 'plain' });
    server.script = answerFrom([record(0), odd, record(43_200_000)]);
    const mapped = await readFile((await download(ONE)).path, 'utf8');
    const rows = mapped.split('\r\n');
    expect(rows[1]).toBe(
      `id-0,REACH-101,2026-01-01T00:00:00.000Z,"[1.5, 2, -3]","[{'obValue': 0.5, 'obDescription': 'DOSE1'}]",`,
    );
    expect(rows[2]).toMatch(/^id-21600000,.*"\[\{.*\}\]",plain$/);
  });
});

describe('UDL-25, UDL-D1: no data', () => {
  test('every slice answered [] is a typed outcome with sensor and both ends, and leaves no artifact', async () => {
    server.script = answerFrom([]);
    expect(await downloadDay(deps, ALL)).toEqual({
      outcome: 'no_data',
      reason:
        'The source has no QUICKLOOK records of REACH-ALL between 2026-01-01T00:00:00.000Z and 2026-01-02T00:00:00.000Z.',
      slices: 288,
      requests: 288,
      check: null,
    });
    expect(await readdir(folders.downloads)).toEqual(['.slices']);
    expect([...ledger.rows.values()].every(({ status }) => status === 'empty')).toBe(true);
  });

  test('one record is enough for data', async () => {
    server.script = answerFrom([record(86_399_999)]);
    expect(await download(ALL)).toMatchObject({ counts: { records: 1 }, emptySlices: 287 });
  });
});

describe('SAFE-6, SAFE-7: idempotency', () => {
  test('an intact artifact is reported without a request', async () => {
    const first = await download(ONE);
    await discardSlices(folders, ONE.product, DAY);
    const { mtimeMs } = await stat(first.path);
    const again = await download(ONE);
    expect(again).toEqual({ ...first, requests: 0, adopted: true });
    expect(server.seen).toHaveLength(4);
    expect((await stat(first.path)).mtimeMs).toBe(mtimeMs);
  });

  test('a truncated artifact is made again, byte-identical', async () => {
    const first = await download(ONE);
    await discardSlices(folders, ONE.product, DAY);
    await writeFile(first.path, (await readFile(first.path)).subarray(0, 100));
    expect(await download(ONE)).toEqual(first);
    expect(server.seen).toHaveLength(8);
  });

  test('an artifact altered in place, size and time kept, is made again: only the slice that was altered is asked for', async () => {
    const first = await download(ONE);
    const bytes = await readFile(first.path);
    const { atime, mtime } = await stat(first.path);
    bytes[bytes.length - 10] = 0x58;
    await writeFile(first.path, bytes);
    await utimes(first.path, atime, mtime);
    expect((await download(ONE)).sha256).toBe(first.sha256);
    expect(server.seen.slice(4).map(({ startMs }) => startMs)).toEqual([START + 3 * 21_600_000]);
  });

  test('killed between artifact and manifest: slices are there, no request is sent', async () => {
    const first = await download(ONE);
    await writeFile(`${folders.downloads}/.${basename(first.path)}.manifest`, '{"manifestVer');
    expect(await download(ONE)).toEqual({ ...first, requests: 0 });
  });

  test('discarding removes the day from .slices, and only it', async () => {
    await download(ONE);
    await download({ ...ONE, day: addDays(DAY, -1) }).catch(() => undefined);
    await discardSlices(folders, ONE.product, DAY);
    expect(await readdir(`${folders.slices}/reach-101/quicklook`)).toEqual(['2025-12-31']);
    await discardSlices(folders, ONE.product, addDays(DAY, -1));
    expect(await readdir(folders.downloads)).not.toContain('.slices');
    await discardSlices(folders, ONE.product, DAY);
  });

  test('UDL-27: an intact artifact of another product at the same path is never overwritten', async () => {
    const first = await download(ONE);
    await expect(download({ ...ONE, product: 'reach-101/provisional' })).rejects.toMatchObject({
      kind: 'path_owned',
      context: { path: first.path },
    });
    expect(server.seen).toHaveLength(4);
  });
});

test('CLI-D1: the token is in no file and no ledger row', async () => {
  await download(ONE);
  const files = (await readdir(folders.downloads, { recursive: true, withFileTypes: true })).filter((entry) =>
    entry.isFile(),
  );
  const texts = await Promise.all(files.map((entry) => readFile(`${entry.parentPath}/${entry.name}`, 'utf8')));
  expect(texts.length).toBeGreaterThan(5);
  expect([...texts, JSON.stringify([...ledger.rows.values()])].join('\n')).not.toContain(TOKEN.slice(6));
});

test('progress tells slices, records, bytes and the rate, from the first to the last', async () => {
  const told: DownloadProgress[] = [];
  await downloadDay(deps, ONE, { onProgress: (progress) => told.push(progress) });
  expect(told[0]).toMatchObject({ slicesDone: 0, slicesTotal: 4, records: 0, bytes: 0 });
  expect(told.at(-1)).toMatchObject({ slicesDone: 4, slicesTotal: 4, records: 16, rate: expect.any(Number) });
  expect(told.at(-1)?.bytes).toBeGreaterThan(2_000);
});
