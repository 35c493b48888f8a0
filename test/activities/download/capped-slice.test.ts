/** A source that cuts its answers at 10,000 records without a word costs requests, never records. */
import { readFile } from 'node:fs/promises';
import { parse } from 'csv-parse/sync';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { downloadDay } from '../../../src/activities/download/index.ts';
import type { DownloadDependencies, DownloadRequest } from '../../../src/activities/download/index.ts';
import type { UdlSource } from '../../../src/sources/udl/index.ts';
import { send, sendJson, startScriptedServer } from '../../sources/udl/scripted-server.ts';
import type { Script, ScriptedServer } from '../../sources/udl/scripted-server.ts';
import { DAY, START, drive, makeWorkspace, memoryLedger, openGate, record, testSource } from './set-up.ts';
import type { TestLedger, TestRecord, Workspace } from './set-up.ts';

const CSV: DownloadRequest = { product: 'reach-101/quicklook', day: DAY, sliceMode: 'half-open' };
const CAP = 10_000;
const QUARTER_MS = 21_600_000;

let server: ScriptedServer;
let source: UdlSource;
let folders: Workspace;
let ledger: TestLedger;
let deps: DownloadDependencies;

beforeAll(async () => {
  server = await startScriptedServer(() => undefined);
  source = testSource(server.url);
});

beforeEach(async () => {
  server.seen.length = 0;
  folders = await makeWorkspace();
  ledger = memoryLedger();
  deps = { gate: openGate(), source, ledger, folders };
});

afterEach(() => folders.remove());

afterAll(async () => {
  await source.close();
  await server.close();
});

/** `count` records from `fromMs`, `stepMs` apart. */
function series(count: number, fromMs: number, stepMs: number, extra: Record<string, unknown> = {}): TestRecord[] {
  return Array.from({ length: count }, (_, index) => record(fromMs + index * stepMs, extra));
}

/** Gives the first 10,000 records of what was asked for and keeps silent about the others. */
function cappedAnswer(archive: readonly TestRecord[]): Script {
  const times = archive.map(({ obTime }) => Date.parse(obTime));
  return (response, { startMs, endMs }) => {
    const inRange = archive.filter((_, index) => times[index]! >= startMs && times[index]! <= endMs);
    sendJson(response, inRange.slice(0, CAP));
  };
}

async function ids(request: DownloadRequest): Promise<string[]> {
  const done = await downloadDay(deps, request);
  if (done.outcome !== 'done') throw new Error(done.reason);
  const text = await readFile(done.path, 'utf8');
  const records = done.path.endsWith('.json')
    ? (JSON.parse(text) as { id: string }[])
    : parse<{ id: string }>(text, { columns: true });
  expect(done.counts.records).toBe(records.length);
  expect(done.requests).toBe(server.seen.length);
  return records.map(({ id }) => id);
}

test.for<[string, DownloadRequest]>([
  ['CSV', CSV],
  ['CSV, compat', { ...CSV, sliceMode: 'compat' }],
  ['JSON', { ...CSV, product: 'reach-101/quicklook/json' }],
])('%s: all records come, in order of time', async ([, request]) => {
  // 21,600 records in the first slice, the last one in its last second; 3 in the third.
  const archive = [...series(21_600, 0, 1_000), ...series(3, 2 * QUARTER_MS + 5_000, 1_000)];
  server.script = cappedAnswer(archive);
  expect(await ids(request)).toEqual(archive.map(({ id }) => id));
  // The slice, its halves of 10,800, their quarters; and three more slices.
  expect(server.seen).toHaveLength(1 + 2 + 4 + 3);
});

test('records that crowd in a short time are asked for down to single seconds', async () => {
  const archive = [...series(9_000, 7_000_000, 0.1), ...series(9_000, 7_001_000, 0.1)].map((each, index) => ({
    ...each,
    id: String(index),
  }));
  server.script = cappedAnswer(archive);
  expect(await ids(CSV)).toEqual(archive.map(({ id }) => id));
});

test('a column that only one half has is kept under its name', async () => {
  const archive = [...series(6_000, 0, 1_000), ...series(6_000, QUARTER_MS / 2, 1_000, { quality: 'good, "so"' })];
  server.script = cappedAnswer(archive);
  const done = await downloadDay(deps, CSV);
  if (done.outcome !== 'done') throw new Error(done.reason);
  const rows = parse<{ id: string; quality: string }>(await readFile(done.path, 'utf8'), { columns: true });
  expect(done.columns.at(-1)).toBe('quality');
  expect(rows.map(({ id, quality }) => [id, quality])).toEqual(archive.map(({ id, quality }) => [id, quality ?? '']));
});

test('9,999 records are an answer like any other', async () => {
  server.script = cappedAnswer(series(9_999, 0, 1_000));
  expect(await ids(CSV)).toHaveLength(9_999);
  expect(server.seen).toHaveLength(4);
});

test('a second that holds the cap is a named failure: nothing is kept as if it were all', async () => {
  server.script = cappedAnswer(series(12_000, 1_000, 0.05));
  const error: unknown = await drive(deps, CSV).catch((caught: unknown) => caught);
  expect(error).toMatchObject({ kind: 'slice_exhausted' });
  expect((error as Error).message).toContain('one second holds 10000 records');
  expect(ledger.rows.get(START)).toMatchObject({ status: 'failed', errorKind: 'wrong_kind' });
});

test('halves that hold less than the whole are a named failure', async () => {
  const archive = series(12_000, 0, 1_000);
  const capped = cappedAnswer(archive);
  server.script = (response, request) =>
    request.endMs - request.startMs < QUARTER_MS ? sendJson(response, []) : capped(response, request);
  await expect(downloadDay(deps, CSV)).rejects.toMatchObject({
    kind: 'source_unavailable',
    message: expect.stringContaining('00:00:00..06:00:00 held 10000 records at once, but 0 in two halves') as string,
  });
});

test('a half that fails fails its slice once; the next pass asks for the slice again', async () => {
  const archive = series(12_000, 0, 1_000);
  const capped = cappedAnswer(archive);
  server.script = (response, request) => {
    if (request.startMs === START + QUARTER_MS / 2 && request.time === 1) send(response, 503, 'busy');
    else capped(response, request);
  };
  await expect(downloadDay(deps, CSV)).rejects.toMatchObject({ kind: 'source_unavailable' });
  expect(ledger.rows.get(START)).toMatchObject({ status: 'failed', failures: 1, httpStatus: 503 });
  // The slice, its halves, and the two quarters of the first one, which is capped as well.
  expect(await downloadDay(deps, CSV)).toMatchObject({ outcome: 'done', requests: 5, counts: { records: 12_000 } });
  expect(deps.gate.snapshot()).toMatchObject({ inFlight: 0, waiting: 0 });
});
