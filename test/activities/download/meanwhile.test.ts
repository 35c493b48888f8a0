/** The artifact is put together while slices are still being fetched: same bytes, and nothing of it before the end. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, readdir, rm, stat } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { downloadDay } from '../../../src/activities/download/index.ts';
import type { DownloadDependencies, DownloadOutcome } from '../../../src/activities/download/index.ts';
import { isPipelineError } from '../../../src/core/errors.ts';
import type { ProductSlug } from '../../../src/core/product.ts';
import type { UdlSource } from '../../../src/sources/udl/index.ts';
import type { ScriptedServer, SeenRequest } from '../../sources/udl/scripted-server.ts';
import { ARCHIVE, DAY, START, answerFrom, makeWorkspace, memoryLedger, openGate, record } from './set-up.ts';
import type { TestRecord, Workspace } from './set-up.ts';
import { useDownloads } from './use-downloads.ts';

const SLICE_MS = 21_600_000;
const SLICES = [0, 1, 2, 3];
const CSV: ProductSlug = 'reach-101/quicklook';
const JSON_FILE: ProductSlug = 'reach-101/quicklook/json';
const NAME = 'REACH-101_20260101T000000_20260102T000000.csv';
const MANIFEST = `.${NAME}.manifest`;
const CHILD = fileURLToPath(new URL('./download-process.ts', import.meta.url));

let server: ScriptedServer;
let source: UdlSource;
let folders: Workspace;
let deps: DownloadDependencies;

useDownloads(
  () => undefined,
  (place) => ({ server, source, folders, deps } = place),
);

type Done = Extract<DownloadOutcome, { outcome: 'done' }>;

/**
 * Downloads into a folder of its own.
 *
 * @param afterwards - throw the artifact away and put it together anew from slices that are all there
 * @returns the artifact's facts and bytes
 */
async function downloadApart(product: ProductSlug, afterwards = false): Promise<Partial<Done> & { bytes: Buffer }> {
  const apart = await makeWorkspace();
  try {
    const own = { gate: openGate(), source, ledger: memoryLedger(), folders: apart };
    const download = (): Promise<DownloadOutcome> => downloadDay(own, { product, day: DAY, sliceMode: 'half-open' });
    let outcome = await download();
    if (outcome.outcome !== 'done') throw new Error(outcome.reason);
    if (afterwards) {
      await rm(outcome.path);
      outcome = await download();
      if (outcome.outcome !== 'done' || outcome.requests > 0) throw new Error('the slices were not there');
    }
    const { path, requests: _requests, ...facts } = outcome;
    return { ...facts, bytes: await readFile(path) };
  } finally {
    await apart.remove();
  }
}

/** Answers the four slices one after the other in the order given, once all four have been asked for. */
function inThisOrder(archive: readonly TestRecord[], order: readonly number[]): ScriptedServer['script'] {
  const answer = answerFrom(archive);
  const waiting = new Map<number, () => Promise<unknown>>();
  return (response: ServerResponse, request: SeenRequest) => {
    waiting.set((request.startMs - START) / SLICE_MS, () => {
      const sent = once(response, 'close');
      answer(response, request);
      return sent;
    });
    if (waiting.size === order.length) void order.reduce((before, slice) => before.then(waiting.get(slice)), settled);
  };
}

const settled: Promise<unknown> = Promise.resolve();

const ARCHIVES: Readonly<Record<string, readonly TestRecord[]>> = {
  'the same columns everywhere': ARCHIVE,
  'a column that a later slice brings': [record(0), record(SLICE_MS), record(3 * SLICE_MS, { note: 'x,"y"' })],
  'a column that only the first slice has': [record(0, { note: 'x' }), record(SLICE_MS), record(2 * SLICE_MS)],
  'nothing in the first slice': [record(SLICE_MS), record(2 * SLICE_MS, { note: 'x' }), record(3 * SLICE_MS)],
  'one record in the last slice': [record(4 * SLICE_MS - 1)],
};

describe('UDL-26, UDL-D2: the order in which slices are finished shows nowhere', () => {
  test.for(
    Object.keys(ARCHIVES).flatMap((name): [string, ProductSlug][] => [
      [name, CSV],
      [name, JSON_FILE],
    ]),
  )('%s, as %s', async ([name, product]) => {
    const archive = ARCHIVES[name]!;
    server.script = answerFrom(archive);
    const calm = await downloadApart(product, true);
    await fc.assert(
      fc.asyncProperty(fc.shuffledSubarray(SLICES, { minLength: 4 }), async (order) => {
        server.script = inThisOrder(archive, order);
        expect(await downloadApart(product)).toEqual(calm);
      }),
      { numRuns: 12 },
    );
  });
});

/** Everything is answered but the last slice. */
function holdLast(release: Promise<void>): ScriptedServer['script'] {
  const answer = answerFrom(ARCHIVE);
  return (response, request) => {
    if (request.startMs !== START + 3 * SLICE_MS) answer(response, request);
    else void release.then(() => answer(response, request));
  };
}

/** Bytes of the day's file in the making, among the slices; of whatever process. */
async function partBytes(): Promise<number | undefined> {
  const folder = join(folders.slices, CSV, DAY);
  const name = (await readdir(folder).catch(() => [])).find((each) => each.endsWith('.part'));
  return name === undefined ? undefined : (await stat(join(folder, name))).size;
}

/** Waits until header and three slices stand in the part file. */
async function threeSlicesAssembled(whole: Buffer): Promise<void> {
  const expected = whole.length - bytesOfLastSlice(whole);
  await expect.poll(partBytes).toBe(expected);
}

/** The last four records are the last slice's. */
function bytesOfLastSlice(whole: Buffer): number {
  const rows = whole.toString('utf8').split('\r\n').slice(-5);
  return Buffer.byteLength(rows.join('\r\n'));
}

async function wholeDay(): Promise<Buffer> {
  server.script = answerFrom(ARCHIVE);
  const { bytes } = await downloadApart(CSV);
  server.seen.length = 0;
  return bytes;
}

const ONE = { product: CSV, day: DAY, sliceMode: 'half-open' } as const;

describe('SAFE-5: assembly beside the download', () => {
  test('finished slices stand in the part file while the last one is under way; the artifact appears with it', async () => {
    const whole = await wholeDay();
    const release = Promise.withResolvers<void>();
    server.script = holdLast(release.promise);
    const running = downloadDay(deps, ONE);
    await threeSlicesAssembled(whole);
    expect(await readdir(folders.downloads)).not.toContain(NAME);
    release.resolve();
    expect(await running).toMatchObject({ outcome: 'done', requests: 4 });
    expect(await readFile(join(folders.downloads, NAME))).toEqual(whole);
    expect((await readdir(folders.downloads)).toSorted()).toEqual([MANIFEST, '.slices', NAME].toSorted());
  });

  test('killed in mid-assembly: the next run asks for the missing slice alone and makes the same bytes', async () => {
    const whole = await wholeDay();
    server.script = holdLast(new Promise(() => undefined));
    const child = spawn(process.execPath, [CHILD, server.url, folders.downloads], { stdio: 'inherit' });
    const ended = once(child, 'exit');
    await threeSlicesAssembled(whole);
    child.kill('SIGKILL');
    await ended;

    expect(await readdir(folders.downloads)).not.toContain(NAME);
    server.seen.length = 0;
    server.script = answerFrom(ARCHIVE);
    expect(await downloadDay(deps, ONE)).toMatchObject({ outcome: 'done', requests: 1, adopted: false });
    expect(await readFile(join(folders.downloads, NAME))).toEqual(whole);
    expect((await readdir(folders.downloads)).toSorted()).toEqual([MANIFEST, '.slices', NAME].toSorted());
  });

  test.for<[string, ScriptedServer['script']]>([
    ['failed', (response) => void response.writeHead(500).end()],
    ['rejected for good', (response) => void response.writeHead(400).end()],
    ['refused for want of credentials', (response) => void response.writeHead(401).end()],
  ])('a pass whose last slice %s leaves slices and no other file', async ([, refuse]) => {
    const whole = await wholeDay();
    const release = Promise.withResolvers<void>();
    server.script = (response, request) => {
      if (request.startMs !== START + 3 * SLICE_MS) answerFrom(ARCHIVE)(response, request);
      else void release.promise.then(() => refuse(response, request));
    };
    const ended = downloadDay(deps, ONE).catch((error: unknown) => error);
    await threeSlicesAssembled(whole);
    release.resolve();
    expect(isPipelineError(await ended)).toBe(true);
    expect(await readdir(folders.downloads)).toEqual(['.slices']);
  });

  test('stopped in mid-assembly: nothing but slices is left', async () => {
    const whole = await wholeDay();
    const abort = new AbortController();
    server.script = holdLast(new Promise(() => undefined));
    const ended = downloadDay(deps, ONE, { signal: abort.signal }).catch((error: unknown) => error);
    await threeSlicesAssembled(whole);
    const stop = new Error('stopped');
    abort.abort(stop);
    expect(await ended).toBe(stop);
    expect(await readdir(folders.downloads)).toEqual(['.slices']);
  });
});
