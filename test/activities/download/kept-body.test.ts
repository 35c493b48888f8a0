/** TRACK-10: answers that came whole and cannot be read are kept, and completed days from them later, without the source. */
import { readFile, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { downloadDay, allKeptBodies, reprocessDay, surveyKeptDay } from '../../../src/activities/download/index.ts';
import type { DownloadDependencies, DownloadRequest } from '../../../src/activities/download/index.ts';
import { bodyOf, keepBody } from '../../../src/activities/download/kept-body.ts';
import { daySlices } from '../../../src/core/slices.ts';
import type { Slice } from '../../../src/core/slices.ts';
import { send } from '../../sources/udl/scripted-server.ts';
import type { Script, ScriptedServer } from '../../sources/udl/scripted-server.ts';
import { ARCHIVE, DAY, START, answerFrom, drive, record } from './set-up.ts';
import type { TestLedger, TestRecord, Workspace } from './set-up.ts';
import { undisturbedHash, useDownloads } from './use-downloads.ts';

const ONE: DownloadRequest = { product: 'reach-101/quicklook', day: DAY, sliceMode: 'half-open' };
const QUARTER_MS = 21_600_000;
const SLICES = daySlices(DAY, 'REACH-101', 'half-open');
const GOOD = answerFrom(ARCHIVE);

let server: ScriptedServer;
let folders: Workspace;
let ledger: TestLedger;
let deps: DownloadDependencies;
let undisturbed: string;

useDownloads(GOOD, (place) => {
  ({ server, folders, ledger, deps } = place);
});

beforeAll(async () => {
  undisturbed = await undisturbedHash(ONE);
});

const folder = (): string => join(folders.slices, 'reach-101/quicklook', DAY);

/** The slices of these quarters of the day are answered by `fault`. */
function bad(quarters: readonly number[], fault: Script): Script {
  return (response, request) =>
    (quarters.some((quarter) => request.startMs === START + quarter * QUARTER_MS) ? fault : GOOD)(response, request);
}

/** What the source answers for a slice. */
function recordsOf({ queryStartMs, queryEndMs }: Slice): TestRecord[] {
  return ARCHIVE.filter(({ obTime }) => Date.parse(obTime) >= queryStartMs && Date.parse(obTime) <= queryEndMs);
}

/** Ends the day FAILED, its bad slices with answers that are kept whole. */
async function fail(quarters: readonly number[], body = '[{"id": NaN}]'): Promise<void> {
  server.script = bad(quarters, (response) => send(response, 200, body));
  await expect(drive(deps, ONE)).rejects.toMatchObject({ kind: 'slice_exhausted' });
  server.seen.length = 0;
}

/** As an earlier version would have kept what this one can read. */
async function keepReadable(quarter: number, records = recordsOf(SLICES[quarter]!), asked = SLICES[quarter]!) {
  const { startMs, endMs } = SLICES[quarter]!;
  const { product, day, sliceMode } = ONE;
  const facts = { product, day, sliceMode, startMs, endMs, asked, httpStatus: 200, why: 'a former version' };
  const bytes = Buffer.from(JSON.stringify(records));
  const body = { bytes, mayBeData: true, contentType: 'application/json', encoding: null };
  return await keepBody(folder(), folders.slices, { ...facts, fetchedAt: '2026-01-09T00:00:00.000Z' }, body);
}

const offline = () => reprocessDay({ ledger, folders }, ONE);

describe('what is kept', () => {
  test('the same answer six times: one file, whole; the ledger calls the slice raw_unprocessed and says where', async () => {
    const body = `[{"id": NaN, "note": "${'x'.repeat(100_000)}"}]`;
    await fail([1], body);
    const kept = await allKeptBodies(folders.slices);
    expect(kept).toMatchObject([{ header: { startMs: START + QUARTER_MS, httpStatus: 200, bytes: body.length } }]);
    expect(kept[0]!.path).toMatch(/20260101T060000000-20260101T120000000-01\.raw$/);
    expect(Buffer.from((await bodyOf(kept[0]!))!).toString()).toBe(body);
    const row = ledger.rows.get(START + QUARTER_MS)!;
    expect(row).toMatchObject({ status: 'failed', errorKind: 'raw_unprocessed', failures: 6 });
    expect(row.errorDetail).toContain(`[kept whole in ${kept[0]!.path}]`);
    expect(new Set(ledger.requestFailures.map(({ kind }) => kind))).toEqual(new Set(['wrong_kind']));
  });

  test('other answers beside it, none in its place; pages and nothing at all are not among them', async () => {
    const bodies = ['[{"id": 1}', '[{"id": 2}', '<html>', '', '[{"id": 1}', '[{"id": 3}'];
    server.script = bad([1], (response, { time }) => send(response, 200, bodies[time - 1]!));
    await expect(drive(deps, ONE)).rejects.toMatchObject({ kind: 'slice_exhausted' });
    const kept = (await readdir(folder())).filter((name) => name.endsWith('.raw'));
    expect(kept).toHaveLength(3);
    expect(ledger.rows.get(START + QUARTER_MS)).toMatchObject({ errorKind: 'raw_unprocessed' });
  });

  test('no more than the workspace may keep; then the start alone, and the detail says so', async () => {
    const answers = ['', '[{"id": NaN}]', '<html>'];
    server.script = bad([1, 2], (response, { startMs }) =>
      send(response, 200, answers[(startMs - START) / QUARTER_MS]!),
    );
    await expect(drive(deps, ONE)).rejects.toMatchObject({ kind: 'slice_exhausted' });
    const [kept] = await allKeptBodies(folders.slices);
    await truncate(kept!.path, 1 << 30);
    answers[2] = '[{"other": NaN}]';
    await expect(drive(deps, ONE)).rejects.toMatchObject({ kind: 'slice_exhausted' });
    expect(ledger.rows.get(START + 2 * QUARTER_MS)).toMatchObject({
      errorKind: 'wrong_kind',
      errorDetail: expect.stringContaining('[start kept in ') as string,
    });
  });

  test('a later good answer makes the day as ever', async () => {
    await fail([1]);
    server.script = GOOD;
    expect(await downloadDay(deps, ONE)).toMatchObject({ outcome: 'done', sha256: undisturbed, requests: 1 });
    expect(ledger.rows.get(START + QUARTER_MS)).toMatchObject({ status: 'done', errorKind: null });
  });
});

describe('TRACK-10: re-processing needs no network', () => {
  test('the day is completed from what is kept, byte by byte as the source would have had it, and called uncounted', async () => {
    await fail([1, 3]);
    await keepReadable(1);
    await keepReadable(3);
    const check = { state: 'uncounted', checkedAt: '2026-01-09T00:00:00.000Z' };
    expect(await offline()).toMatchObject({ outcome: 'done', sha256: undisturbed, requests: 0, check });
    expect(ledger.rows.get(START + QUARTER_MS)).toMatchObject({ status: 'done', errorKind: null, failures: 6 });
    expect(server.seen).toEqual([]);
    expect(await offline()).toMatchObject({ outcome: 'done', sha256: undisturbed, adopted: true });
  });

  test('a slice that was empty long ago counts, where a download would ask again', async () => {
    server.script = bad([0, 2], (response) => send(response, 200, '[]'));
    await fail([1]);
    await keepReadable(1);
    for (const name of (await readdir(folder())).filter((each) => each.endsWith('.slice'))) {
      const path = join(folder(), name);
      const text = await readFile(path, 'utf8');
      await writeFile(path, text.replace(/"fetchedAt":"20../, '"fetchedAt":"2024'));
    }
    expect(await offline()).toMatchObject({ outcome: 'done', slices: 4 });
    expect(server.seen).toEqual([]);
  });

  const UNREADABLE: readonly (readonly [string, string, () => Promise<unknown>])[] = [
    ['still unreadable', 'record 1 is no JSON', async () => undefined],
    ['damaged on disk', 'is damaged', damageKept],
    ['the answer to a part', 'answers a part', () => keepReadable(1, ARCHIVE.slice(4, 6), partOf(SLICES[1]!))],
    ['perhaps cut', 'it has 1000 records, which may not be all', () => keepReadable(1, many(1_000))],
  ];

  async function damageKept(): Promise<void> {
    const [kept] = await allKeptBodies(folders.slices);
    const content = await readFile(kept!.path);
    await writeFile(kept!.path, content.subarray(0, -10));
  }

  test.for(UNREADABLE)('%s: the survey and the error say why, nothing is lost', async ([, words, prepare]) => {
    await fail([1]);
    await prepare();
    const survey = await surveyKeptDay(folders, await allKeptBodies(folders.slices));
    expect(survey).toMatchObject({ product: ONE.product, day: DAY, missing: 1 });
    expect(survey.bodies.map(({ problem }) => problem).join()).toContain(words);
    const before = await readdir(folder());
    await expect(offline()).rejects.toMatchObject({
      kind: 'slice_exhausted',
      hint: expect.stringContaining('--retry-failed') as string,
    });
    expect(await readdir(folder())).toEqual(before);
    expect(server.seen).toEqual([]);
  });

  test('a slice of which nothing is kept: the error names it', async () => {
    await fail([1]);
    await rm((await allKeptBodies(folders.slices))[0]!.path);
    await expect(offline()).rejects.toThrow('(06:00:00..12:00:00: nothing is kept of it)');
  });

  test('the survey sees what would be complete, and writes nothing', async () => {
    await fail([1]);
    await keepReadable(1);
    const before = await readdir(folder());
    const { missing, bodies } = await surveyKeptDay(folders, await allKeptBodies(folders.slices));
    expect([missing, bodies.map(({ problem }) => problem === null)]).toEqual([0, [false, true]]);
    expect(await readdir(folder())).toEqual(before);
  });
});

function partOf(slice: Slice): Slice {
  return { ...slice, endMs: slice.startMs + QUARTER_MS / 2, queryEndMs: slice.startMs + QUARTER_MS / 2 };
}

function many(count: number): TestRecord[] {
  return Array.from({ length: count }, (_, index) => record(QUARTER_MS + index));
}
