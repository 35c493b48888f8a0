/** A source that cuts its answers without a word (at 10,000 records, or at a round number of thousands) costs requests, never records. */
import { readFile } from 'node:fs/promises';
import { parse } from 'csv-parse/sync';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startSimulator } from '../../../simulator/simulator.ts';
import { downloadDay } from '../../../src/activities/download/index.ts';
import type { DownloadDependencies, DownloadRequest } from '../../../src/activities/download/index.ts';
import { send, sendJson } from '../../sources/udl/scripted-server.ts';
import type { Script, ScriptedServer } from '../../sources/udl/scripted-server.ts';
import { DAY, START, record, testSource } from './set-up.ts';
import type { TestLedger, TestRecord } from './set-up.ts';
import { useDownloads } from './use-downloads.ts';

const CSV: DownloadRequest = { product: 'reach-101/quicklook', day: DAY, sliceMode: 'half-open' };
const CAP = 10_000;
const QUARTER_MS = 21_600_000;

let server: ScriptedServer;
let ledger: TestLedger;
let deps: DownloadDependencies;

useDownloads(
  () => undefined,
  (place) => ({ server, ledger, deps } = place),
);

/** `count` records from `fromMs`, `stepMs` apart. */
function series(count: number, fromMs: number, stepMs: number, extra: Record<string, unknown> = {}): TestRecord[] {
  return Array.from({ length: count }, (_, index) => record(fromMs + index * stepMs, extra));
}

/** Gives the first `cap` records of what was asked for and keeps silent about the others. */
function cappedAnswer(archive: readonly TestRecord[], cap = CAP): Script {
  const times = archive.map(({ obTime }) => Date.parse(obTime));
  return (response, { startMs, endMs }) => {
    const inRange = archive.filter((_, index) => times[index]! >= startMs && times[index]! <= endMs);
    sendJson(response, inRange.slice(0, cap));
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

test('more than the cap within one second is asked for in milliseconds', async () => {
  const archive = series(12_000, 1_000, 0.05).map((each, index) => ({ ...each, id: String(index) }));
  server.script = cappedAnswer(archive);
  expect(await ids(CSV)).toEqual(archive.map(({ id }) => id));
  expect(server.seen.some(({ url }) => /obTime=[^&]*\.\d*[1-9]\d*Z/.test(url))).toBe(true);
});

test('a millisecond that holds the cap is a named failure: nothing is kept as if it were all', async () => {
  server.script = cappedAnswer(series(12_000, 1_000, 0.00001));
  const error: unknown = await downloadDay(deps, CSV).catch((caught: unknown) => caught);
  expect(error).toMatchObject({ kind: 'source_unavailable' });
  expect((error as Error).message).toMatch(/00:00:0(0.999..00:00:01.000|1.000..00:00:01.001) holds 10000 records/);
  expect(ledger.rows.get(START)).toMatchObject({ status: 'failed', errorKind: 'wrong_kind' });
});

test('a server that knows seconds only is found out, not believed', async () => {
  const capped = cappedAnswer(series(12_000, 1_000, 0.05));
  server.script = (response, request) => {
    const [startMs, endMs] = [request.startMs, request.endMs].map((ms) => Math.floor(ms / 1_000) * 1_000);
    capped(response, { ...request, startMs: startMs!, endMs: endMs! });
  };
  await expect(downloadDay(deps, CSV)).rejects.toMatchObject({
    kind: 'source_unavailable',
    message: expect.stringMatching(/held 10000 records at once, but \d+ in two halves|cannot ask for less/) as string,
  });
});

describe('answers with a round number of thousands', () => {
  test.for([1_000, 2_000, 5_000, 7_000])('a server that cuts at %i without a word loses no record', async (cap) => {
    const archive = [...series(21_600, 0, 1_000), ...series(cap, 2 * QUARTER_MS + 5_000, 1_000)];
    server.script = cappedAnswer(archive, cap);
    expect(await ids(CSV)).toEqual(archive.map(({ id }) => id));
  });

  test('a natural round number is proved by its two halves, round or not, and costs no more', async () => {
    server.script = cappedAnswer([...series(4_000, 0, 5_400), ...series(3_000, QUARTER_MS + 5_000, 1_000)]);
    expect(await ids(CSV)).toHaveLength(7_000);
    // 4,000 in two halves of 2,000; 3,000, all in the first of each two halves until they spread over two.
    const [even, crowded] = [0, 1].map(
      (slice) => server.seen.filter(({ startMs }) => Math.floor((startMs - START) / QUARTER_MS) === slice).length,
    );
    expect(even).toBe(3);
    expect(crowded).toBe(1 + 2 * 3);
    expect(server.seen).toHaveLength(3 + 7 + 2);
  });

  test('a round number in one instant is a named failure, not a loop', async () => {
    server.script = cappedAnswer(series(3_000, 1_000, 0.00001));
    const error: unknown = await downloadDay(deps, CSV).catch((caught: unknown) => caught);
    expect((error as Error).message).toMatch(/00:00:0(0.999..00:00:01.000|1.000..00:00:01.001) holds 3000 records/);
    expect(server.seen.length).toBeLessThan(70);
  });

  test('999 and 1,001 records are answers like any other', async () => {
    server.script = cappedAnswer([...series(999, 0, 1_000), ...series(1_001, QUARTER_MS + 1_000, 1_000)]);
    expect(await ids(CSV)).toHaveLength(2_000);
    expect(server.seen).toHaveLength(4);
  });
});

describe('the simulated source with a silent cap', () => {
  test.for([1_000, 5_000, 10_000])('at %i records a day comes whole', async (cap) => {
    const simulator = await startSimulator({ sensors: ['REACH-101'], cadenceS: 4, cap });
    onTestFinished(() => simulator.close());
    const simulated = testSource(simulator.url);
    onTestFinished(() => simulated.close());
    const done = await downloadDay({ ...deps, source: simulated }, CSV);
    const { records } = simulator.expectedDay(DAY, { descriptor: 'QUICKLOOK', idSensor: 'REACH-101' });
    expect(records).toBeGreaterThan(4 * cap);
    expect(done).toMatchObject({ outcome: 'done', counts: { records } });
    expect(simulator.stats().slicesRepeated).toBe(0);
  });
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

test('one bad answer to a half costs one request: the others are not asked for again', async () => {
  const archive = series(12_000, 0, 1_000);
  const capped = cappedAnswer(archive);
  const bad: Script[] = [
    (response) => send(response, 503, 'busy'),
    (response) => send(response, 200, '<html>Sign in</html>', { 'content-type': 'text/html' }),
    (response) => send(response, 429, 'slowly', { 'retry-after': '1' }),
  ];
  server.script = (response, request) => {
    const script = request.startMs === START + QUARTER_MS / 2 ? bad[request.time - 1] : undefined;
    (script ?? capped)(response, request);
  };
  expect(await downloadDay(deps, CSV)).toMatchObject({ outcome: 'done', counts: { records: 12_000 } });
  // The slice, its halves, the two quarters of the first one, which is capped as well; and three more slices.
  expect(server.seen).toHaveLength(1 + 2 + 2 + 3 + bad.length);
  expect(ledger.requestFailures.map(({ kind, startMs }) => [kind, startMs])).toEqual(
    ['http_error', 'wrong_kind', 'rate_limited'].map((kind) => [kind, START]),
  );
  expect(deps.gate.snapshot()).toMatchObject({ inFlight: 0, waiting: 0 });
});

test('a half that goes on failing fails its slice once; the next pass asks for the slice again', async () => {
  const archive = series(12_000, 0, 1_000);
  const capped = cappedAnswer(archive);
  server.script = (response, request) => {
    if (request.startMs === START + QUARTER_MS / 2 && request.time <= 3) send(response, 503, 'busy');
    else capped(response, request);
  };
  await expect(downloadDay(deps, CSV)).rejects.toMatchObject({ kind: 'source_unavailable' });
  expect(ledger.rows.get(START)).toMatchObject({ status: 'failed', failures: 1, httpStatus: 503 });
  // The slice, its halves, and the two quarters of the first one, which is capped as well.
  expect(await downloadDay(deps, CSV)).toMatchObject({ outcome: 'done', requests: 5, counts: { records: 12_000 } });
  expect(deps.gate.snapshot()).toMatchObject({ inFlight: 0, waiting: 0 });
});
