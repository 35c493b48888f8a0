/** A slice's bytes are written once, into the day's file in the making; whatever that is left like, the day comes out the same. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, statSync } from 'node:fs';
import { link, mkdtemp, open, readFile, readdir, rm, stat, truncate } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ownPartPath } from '../../../src/activities/download/day-part.ts';
import { downloadDay } from '../../../src/activities/download/index.ts';
import type { DownloadDependencies } from '../../../src/activities/download/index.ts';
import { isPipelineError } from '../../../src/core/errors.ts';
import type { ProductSlug } from '../../../src/core/product.ts';
import type { UdlSource } from '../../../src/sources/udl/index.ts';
import type { CrashPoint } from '../../../src/storage/crash-point.ts';
import { sendJson } from '../../sources/udl/scripted-server.ts';
import type { ScriptedServer, SeenRequest } from '../../sources/udl/scripted-server.ts';
import { DAY, START, makeWorkspace, memoryLedger, openGate, record } from './set-up.ts';
import type { TestRecord, Workspace } from './set-up.ts';
import { useDownloads } from './use-downloads.ts';

const SLICE_MS = 21_600_000;
const PLACES = [0, 1, 2, 3];
const CSV: ProductSlug = 'reach-101/quicklook';
const JSON_FILE: ProductSlug = 'reach-101/quicklook/json';
const CHILD = fileURLToPath(new URL('./download-process.ts', import.meta.url));

let server: ScriptedServer;
let source: UdlSource;
let folders: Workspace;

useDownloads(
  () => undefined,
  (place) => ({ server, source, folders } = place),
);

function depsIn(own: Workspace): DownloadDependencies {
  return { gate: openGate(), source, ledger: memoryLedger(), folders: own };
}

/** What the source has of each slice: two records, three, records with one more column, or nothing. */
type Variant = 0 | 1 | 2 | 3;

function recordsOf(place: number, variant: Variant): TestRecord[] {
  const at = place * SLICE_MS;
  if (variant === 3) return [];
  const two = [record(at + 1_000, variant === 2 ? { note: 'x,"y"' } : {}), record(at + 2_000)];
  return variant === 1 ? [...two, record(at + 3_000, { senPos: [0.125, 1, 2] })] : two;
}

const placeOf = ({ startMs }: SeenRequest): number => (startMs - START) / SLICE_MS;

/** Answers what has been asked for in the order given, once no more is asked; those in `failing` with 500. */
function inThisOrder(
  variants: readonly Variant[],
  order: readonly number[] = PLACES,
  failing: readonly number[] = [],
): ScriptedServer['script'] {
  const waiting = new Map<number, ServerResponse>();
  const answerAll = async (): Promise<void> => {
    for (const place of order) {
      const response = waiting.get(place);
      if (!response || !waiting.delete(place)) continue;
      const sent = once(response, 'close');
      if (failing.includes(place)) response.writeHead(500).end();
      else sendJson(response, recordsOf(place, variants[place]!));
      await sent;
    }
  };
  let timer: NodeJS.Timeout | undefined;
  return (response, request) => {
    waiting.set(placeOf(request), response);
    clearTimeout(timer);
    timer = setTimeout(() => void answerAll(), 4);
  };
}

async function download(own: Workspace, product: ProductSlug): Promise<{ bytes: Buffer; requests: number } | null> {
  const outcome = await downloadDay(depsIn(own), { product, day: DAY, sliceMode: 'half-open' });
  const { requests } = outcome;
  return outcome.outcome === 'done' ? { bytes: await readFile(outcome.path), requests } : null;
}

const calm = new Map<string, Promise<Buffer | null>>();

/** What a download makes that nothing disturbs, and whose slices are all there before the file is begun. */
function undisturbed(product: ProductSlug, variants: readonly Variant[]): Promise<Buffer | null> {
  const key = `${product} ${variants.join('')}`;
  const made = calm.get(key) ?? downloadCalmly(product, variants);
  calm.set(key, made);
  return made;
}

async function downloadCalmly(product: ProductSlug, variants: readonly Variant[]): Promise<Buffer | null> {
  const own = await makeWorkspace();
  try {
    server.script = inThisOrder(variants);
    const first = await download(own, product);
    if (first === null) return null;
    await Promise.all(
      (await readdir(own.downloads))
        .filter((name) => !name.startsWith('.sl'))
        .map((name) => rm(join(own.downloads, name))),
    );
    const again = await download(own, product);
    expect(again).toEqual({ bytes: first.bytes, requests: 0 });
    return first.bytes;
  } finally {
    await own.remove();
  }
}

const sliceFolder = (own: Workspace, product: ProductSlug): string => join(own.slices, product, DAY);
const partOf = (own: Workspace, product: ProductSlug): string => ownPartPath(sliceFolder(own, product));

async function sliceFiles(own: Workspace, product: ProductSlug): Promise<string[]> {
  const names = await readdir(sliceFolder(own, product)).catch(() => []);
  return names.filter((name) => name.endsWith('.slice')).toSorted();
}

type Damage =
  /** A slice is gone, and the source has something else of it by now. */
  | { readonly kind: 'gone'; readonly place: number; readonly variant: Variant }
  /** A kill in the middle of a write. */
  | { readonly kind: 'torn end' }
  | { readonly kind: 'cut'; readonly share: number }
  | { readonly kind: 'altered'; readonly share: number }
  /** The file has been given a second name: it belongs to somebody as it is. */
  | { readonly kind: 'second name' };

interface Pass {
  readonly order: readonly number[];
  readonly failing: readonly number[];
  readonly damage: readonly Damage[];
}

const place = fc.constantFrom(0, 1, 2, 3);
const variant = fc.constantFrom<Variant>(0, 1, 2, 3);
const share = fc.double({ min: 0, max: 0.999, noNaN: true });
const damage: fc.Arbitrary<Damage> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('gone' as const), place, variant }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('torn end' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('cut' as const, 'altered' as const), share }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('second name' as const) }) },
);
/** Mostly the last ones: then much stands in the part file. */
const failing = fc.constantFrom<readonly number[]>([3], [3], [3], [2, 3], [1, 3], [2], [1], [0], []);
const pass: fc.Arbitrary<Pass> = fc.record({
  order: fc.oneof(fc.constant(PLACES), fc.shuffledSubarray(PLACES, { minLength: 4 })),
  failing,
  damage: fc.array(damage, { maxLength: 3 }),
});

/** A file that must stay as it is. */
interface Untouched {
  readonly path: string;
  readonly bytes: Buffer;
}

async function wreak(own: Workspace, product: ProductSlug, what: Damage, variants: Variant[]): Promise<Untouched[]> {
  const part = partOf(own, product);
  const { size, nlink } = await stat(part).catch(() => ({ size: 0, nlink: 0 }));
  if (what.kind === 'gone') {
    const start = new Date(START + what.place * SLICE_MS).toISOString().replaceAll(/[-:.Z]/g, '');
    const name = (await sliceFiles(own, product)).find((file) => file.startsWith(start));
    if (name === undefined) return [];
    await rm(join(sliceFolder(own, product), name));
    variants[what.place] = what.variant;
  } else if (what.kind === 'second name') {
    if (size === 0) return [];
    const path = join(own.downloads, `second-${(await readdir(own.downloads)).length}`);
    await link(part, path);
    return [{ path, bytes: await readFile(path) }];
  } else if (nlink === 1) {
    if (what.kind === 'cut') await truncate(part, Math.floor(size * what.share));
    else await overwrite(part, what.kind === 'altered' ? Math.floor(size * what.share) : size);
  }
  return [];
}

async function overwrite(path: string, at: number): Promise<void> {
  const file = await open(path, 'r+');
  await file.write('#', at);
  await file.close();
}

/** One pass that may fail. A day that is done is left as a kill before its manifest leaves it. */
async function goThrough(own: Workspace, product: ProductSlug, { order, failing }: Pass, variants: Variant[]) {
  server.script = inThisOrder(variants, order, failing);
  const error = await download(own, product).then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error === null || isPipelineError(error)).toBe(true);
  const manifests = (await readdir(own.downloads)).filter((name) => name.endsWith('.manifest'));
  await Promise.all(manifests.map((name) => rm(join(own.downloads, name))));
}

test.for([CSV, JSON_FILE])(
  'SAFE-5, SAFE-7, UDL-26: %s: whatever order, failures, torn files and late data, the bytes are those of a calm download',
  async (product) => {
    const initial = fc.array(variant, { minLength: 4, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(initial, fc.array(pass, { minLength: 1, maxLength: 3 }), async (first, passes) => {
        const variants = [...first];
        const own = await makeWorkspace();
        const untouched: Untouched[] = [];
        try {
          for (const each of passes) {
            await goThrough(own, product, each, variants);
            for (const what of each.damage) untouched.push(...(await wreak(own, product, what, variants)));
          }
          const expected = await undisturbed(product, variants);
          server.script = inThisOrder(variants, [2, 0, 1, 3]);
          expect((await download(own, product))?.bytes ?? null).toEqual(expected);
          for (const { path, bytes } of untouched) expect(await readFile(path)).toEqual(bytes);
        } finally {
          await own.remove();
        }
      }),
      { numRuns: 30 },
    );
  },
);

/** A slice of a size that is worth waiting for; no multiple of 1,000 records. */
function large(at: number): TestRecord[] {
  return Array.from({ length: 3_001 }, (_, index) => record(at * SLICE_MS + index * 1_000));
}

describe('large slices', () => {
  const all = PLACES.map((at) => large(at));
  const answerInOrder = (order: readonly number[], failing: readonly number[] = []): ScriptedServer['script'] => {
    const waiting = new Map<number, ServerResponse>();
    const answerAll = async (): Promise<void> => {
      for (const at of order) {
        const response = waiting.get(at)!;
        const sent = once(response, 'close');
        if (failing.includes(at)) response.writeHead(500).end();
        else sendJson(response, all[at]);
        await sent;
      }
    };
    return (response, request) => {
      waiting.set(placeOf(request), response);
      if (waiting.size === order.length) void answerAll();
    };
  };

  async function bytesInSliceFiles(): Promise<number[]> {
    const files = (await sliceFiles(folders, CSV)).map((name) => stat(join(sliceFolder(folders, CSV), name)));
    return (await Promise.all(files)).map(({ size }) => size);
  }

  test('whose predecessors come last wait for them: no block is written to a file of its own', async () => {
    server.script = answerInOrder([3, 1, 2, 0]);
    const done = await download(folders, CSV);
    expect(Math.max(...(await bytesInSliceFiles()))).toBeLessThan(2_000);
    const apart = await makeWorkspace();
    server.script = answerInOrder([0, 1, 2, 3]);
    expect(await download(apart, CSV)).toEqual(done);
    await apart.remove();
  });

  test('whose predecessor fails are kept in files of their own: the next pass asks for that one alone', async () => {
    server.script = answerInOrder([3, 1, 2, 0], [0]);
    await expect(download(folders, CSV)).rejects.toMatchObject({ kind: 'source_unavailable' });
    const sizes = await bytesInSliceFiles();
    expect(sizes).toHaveLength(3);
    expect(Math.min(...sizes)).toBeGreaterThan(256 << 10);
    server.script = answerInOrder([0]);
    expect(await download(folders, CSV)).toMatchObject({ requests: 1 });
  });

  /** The source, and how many answers it has given. */
  function watchedSource(): UdlSource & { readonly answered: () => number } {
    let answered = 0;
    return {
      host: source.host,
      fetchSlice: (...args) => source.fetchSlice(...args).finally(() => (answered += 1)),
      fetchCount: (...args) => source.fetchCount(...args),
      recycle: (block) => source.recycle(block),
      silentMs: () => source.silentMs(),
      close: () => source.close(),
      answered: () => answered,
    };
  }

  test('that wait for one that may not be asked for any more are kept', async () => {
    const watched = watchedSource();
    const waiting = new Map<number, ServerResponse>();
    server.script = (response, request) => waiting.set(placeOf(request), response);
    const request = { product: CSV, day: DAY, sliceMode: 'half-open' } as const;
    const refused = downloadDay({ ...depsIn(folders), source: watched }, request).catch((error: unknown) => error);
    await expect.poll(() => waiting.size).toBe(4);
    for (const [count, at] of [1, 2].entries()) {
      sendJson(waiting.get(at)!, all[at]);
      await expect.poll(watched.answered).toBe(count + 1);
    }
    waiting.get(3)!.writeHead(401).end();
    await expect.poll(watched.answered).toBe(3);
    // May be cut: its halves are not asked for now.
    sendJson(
      waiting.get(0)!,
      Array.from({ length: 10_000 }, (_, index) => record(index * 1_000)),
    );
    expect(await refused).toMatchObject({ kind: 'auth_rejected' });
    expect(await sliceFiles(folders, CSV)).toHaveLength(2);
  });

  test('that wait when the download is stopped are kept', async () => {
    const stop = new AbortController();
    const watched = watchedSource();
    server.script = (response, request) => placeOf(request) > 0 && sendJson(response, all[placeOf(request)]);
    const request = { product: CSV, day: DAY, sliceMode: 'half-open' } as const;
    const stopped = downloadDay({ ...depsIn(folders), source: watched }, request, { signal: stop.signal }).catch(
      (error: unknown) => error,
    );
    await expect.poll(watched.answered).toBe(3);
    stop.abort(new Error('stopped'));
    expect(await stopped).toMatchObject({ message: 'stopped' });
    server.script = (response, each) => sendJson(response, all[placeOf(each)]);
    expect(await download(folders, CSV)).toMatchObject({ requests: 1 });
  });
});

describe('SAFE-5, SAFE-6: kill -9 at each step', () => {
  const POINTS: readonly (readonly [point: CrashPoint, nth: number])[] = [
    ['slice-placed', 1],
    ['slice-placed', 3],
    ['slice-temporary', 2],
    ['slice-renamed', 2],
    ['slice-recorded', 4],
    ['download-temporary', 1],
    ['download-renamed', 1],
  ];

  test.for(POINTS)('%s, passed for the %d. time: what is kept is not asked for again', async ([point, nth]) => {
    const expected = await undisturbed(CSV, [0, 0, 0, 0]);
    server.script = inThisOrder([0, 0, 0, 0]);
    const child = spawn(process.execPath, [CHILD, server.url, folders.downloads, `${point}:${nth}`], {
      stdio: 'inherit',
    });
    expect(await once(child, 'exit')).toEqual([null, 'SIGKILL']);
    const kept = await sliceFiles(folders, CSV);
    expect(kept.length).toBeLessThanOrEqual(point === 'slice-placed' ? 3 : 4);

    server.script = inThisOrder([0, 0, 0, 0]);
    expect(await download(folders, CSV)).toEqual({ bytes: expected, requests: 4 - kept.length });
    expect(await readdir(join(folders.downloads, '_backup')).catch(() => [])).toEqual([]);
  });

  test('between the passes of a day: the file goes on growing where it ended', async () => {
    server.script = inThisOrder([0, 1, 0, 0], PLACES, [3]);
    await expect(download(folders, CSV)).rejects.toThrow('1 of 4');
    const { ino } = await stat(partOf(folders, CSV));
    server.script = inThisOrder([0, 1, 0, 0]);
    expect(await download(folders, CSV)).toMatchObject({ requests: 1 });
    expect(await stat(partOf(folders, CSV))).toMatchObject({ ino, nlink: 2 });
  });
});

/** One answer's records to a request of the day. */
const answerAs =
  (variants: readonly Variant[]): ScriptedServer['script'] =>
  (response, request) =>
    sendJson(response, recordsOf(placeOf(request), variants[placeOf(request)]!));

test.for([CSV, JSON_FILE])(
  'SAFE-7: %s: a slice that is longer by now overwrites none that is finished',
  async (product) => {
    server.script = inThisOrder([0, 0, 0, 0], PLACES, [3]);
    await expect(download(folders, product)).rejects.toThrow('1 of 4');
    await wreak(folders, product, { kind: 'gone', place: 0, variant: 1 }, [0, 0, 0, 0]);
    server.script = answerAs([1, 0, 0, 0]);
    const done = await download(folders, product);
    expect(done?.requests).toBe(2);
    expect(done?.bytes.toString()).toBe((await undisturbed(product, [1, 0, 0, 0]))?.toString());
  },
);

test('what a slice that is gone by now left behind the end of the file is cut off', async () => {
  server.script = inThisOrder([0, 1, 3, 3], PLACES, [3]);
  await expect(download(folders, CSV)).rejects.toThrow('1 of 4');
  await wreak(folders, CSV, { kind: 'gone', place: 1, variant: 3 }, [0, 1, 3, 3]);
  server.script = answerAs([0, 3, 3, 3]);
  const done = await download(folders, CSV);
  expect(done?.bytes.toString()).toBe((await undisturbed(CSV, [0, 3, 3, 3]))?.toString());
});

test('a finished slice that stands behind the new end of the file is not cut off', async () => {
  server.script = inThisOrder([1, 0, 3, 3], PLACES, [3]);
  await expect(download(folders, CSV)).rejects.toThrow('1 of 4');
  await wreak(folders, CSV, { kind: 'gone', place: 0, variant: 3 }, [1, 0, 3, 3]);
  server.script = answerAs([3, 0, 3, 3]);
  const done = await download(folders, CSV);
  const made = (await readdir(folders.downloads)).filter((name) => !name.startsWith('.sl'));
  await Promise.all(made.map((name) => rm(join(folders.downloads, name))));
  expect(await download(folders, CSV)).toEqual({ bytes: done!.bytes, requests: 0 });
});

test('SAFE-5: a former attempt that is still at work writes nothing into the file of the one that followed it', async () => {
  const waiting = new Map<number, ServerResponse>();
  server.script = (response, request) => waiting.set(placeOf(request), response);
  const former = download(folders, CSV).catch((error: unknown) => error);
  await expect.poll(() => waiting.size).toBe(4);
  sendJson(waiting.get(0)!, recordsOf(0, 0));
  await expect.poll(() => sliceFiles(folders, CSV)).toHaveLength(1);

  server.script = answerAs([0, 0, 0, 0]);
  const done = await download(folders, CSV);
  expect(done).toEqual({ bytes: await undisturbed(CSV, [0, 0, 0, 0]), requests: 3 });
  // Meanwhile the source has more of the next slice.
  sendJson(waiting.get(1)!, recordsOf(1, 1));
  for (const at of [2, 3]) waiting.get(at)!.writeHead(500).end();
  expect(await former).toMatchObject({ kind: 'source_unavailable' });
  const file = (await readdir(folders.downloads)).find((name) => name.endsWith('.csv'))!;
  expect(await readFile(join(folders.downloads, file), 'utf8')).toBe(done!.bytes.toString());
});

test('SAFE-5: what another process has open is only read: it may be taken for dead and still write', async () => {
  server.script = inThisOrder([0, 0, 0, 0]);
  const child = spawn(process.execPath, [CHILD, server.url, folders.downloads, 'slice-recorded:2'], {
    stdio: 'inherit',
  });
  expect(await once(child, 'exit')).toEqual([null, 'SIGKILL']);
  const [name] = (await readdir(sliceFolder(folders, CSV))).filter((each) => each.endsWith('.part'));
  const kept = await sliceFiles(folders, CSV);
  // In place of the process.
  const stillOpen = await open(join(sliceFolder(folders, CSV), name!), 'r+');
  server.script = answerAs([0, 0, 0, 0]);
  const done = await download(folders, CSV);
  expect(done).toEqual({ bytes: await undisturbed(CSV, [0, 0, 0, 0]), requests: 4 - kept.length });
  await stillOpen.write('# written late', 0);
  await stillOpen.close();
  const file = (await readdir(folders.downloads)).find((each) => each.endsWith('.csv'))!;
  expect(await readFile(join(folders.downloads, file), 'utf8')).toBe(done!.bytes.toString());
});

const OTHER_DISK = '/dev/shm';
const isOtherDisk = existsSync(OTHER_DISK) && statSync(OTHER_DISK).dev !== statSync(tmpdir()).dev;

test.skipIf(!isOtherDisk)('where the part file cannot get a second name the day is put together from it', async () => {
  const apart = await mkdtemp(join(OTHER_DISK, 'reachback-slices-'));
  try {
    const split: Workspace = { ...folders, slices: apart };
    const expected = await undisturbed(CSV, [0, 1, 0, 0]);
    server.script = inThisOrder([0, 1, 0, 0]);
    expect(await download(split, CSV)).toEqual({ bytes: expected, requests: 4 });
    expect(await stat(partOf(split, CSV))).toMatchObject({ size: expected!.length, nlink: 1 });
    expect((await readdir(folders.downloads)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  } finally {
    await rm(apart, { recursive: true });
  }
});
