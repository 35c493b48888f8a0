/** Late data: a day that is done is looked at again, and touched only where the source has something else by now. */
import { spawn } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { startSimulator } from '../../simulator/simulator.ts';
import type { Simulator, SimulatorOptions } from '../../simulator/simulator.ts';
import { createActivities } from '../../src/activities/index.ts';
import type { RunOptions } from '../../src/core/backfill/types.ts';
import { parseDay } from '../../src/core/time/day.ts';
import type { CrashPoint } from '../../src/storage/crash-point.ts';
import { readManifest } from '../../src/storage/manifest.ts';
import type { UdlSource } from '../../src/sources/udl/index.ts';
import { KILLED, createPlace, dayAttempt, engine, filesBelow, identity, sourceAt, tryStage } from './set-up.ts';
import type { Place } from './set-up.ts';

const DAY = parseDay('2025-09-01');
const ALL = 'reach-all/quicklook';
const PROCESS = fileURLToPath(new URL('./recheck-process.ts', import.meta.url));
const TINY: SimulatorOptions = { tiny: true };

let simulator: Simulator;
let source: UdlSource;
let place: Place;

beforeAll(async () => {
  simulator = await startSimulator(TINY);
  source = sourceAt(simulator.url);
});

beforeEach(async () => {
  simulator.reset();
  place = await createPlace(source);
});

afterAll(async () => {
  await source.close();
  await simulator.close();
});

interface Look {
  readonly product?: string;
  readonly options?: Partial<RunOptions>;
  readonly at?: Place;
  readonly run?: string;
}

const download = ({ product = ALL, options = {}, at = place }: Look = {}) =>
  tryStage(at, 'downloadWindow', dayAttempt({ day: DAY, product, options, stages: ['download', 'count'] }));

const lookAgain = ({ product = ALL, options = {}, at = place, run = 'workflow-run-2' }: Look = {}, tries = 1) => {
  const recheck = { anyway: [] };
  const attempt = dayAttempt({ day: DAY, product, options, stages: ['download', 'count'], run, recheck });
  return tryStage(at, 'downloadWindow', attempt, engine(tries));
};

const files = (at = place): unknown[] =>
  filesBelow(at.workspace.root)
    .filter((name) => !name.startsWith('state/'))
    .map((name) => [name, identity(join(at.workspace.root, name))]);

async function factsOf(product = ALL, at = place) {
  const [facts] = await at.ledger.dayFacts(product, DAY, DAY, null);
  return facts!;
}

/** What a download of the day as it is now would give. */
async function freshBytes(product = ALL, from = source): Promise<string> {
  const fresh = await createPlace(from);
  await download({ product, at: fresh });
  return readFileSync((await factsOf(product, fresh)).artifact!.path, 'utf8');
}

describe('nothing has come', () => {
  test.for([[ALL], ['reach-101/quicklook'], ['reach-all/quicklook/json']])(
    '%s: one question; no file, time or telemetry row changes, only the time of the comparison',
    async ([product]) => {
      await download({ product: product! });
      const before = files();
      const [{ check }, rows, { requests }] = [await factsOf(product), await place.rows(), simulator.stats()];
      expect(await lookAgain({ product: product! })).toMatchObject({
        outcome: 'unchanged',
        requests: 1,
        check: 'verified',
      });
      expect(simulator.stats().requests).toBe(requests + 1);
      expect(files()).toEqual(before);
      expect(await place.rows()).toEqual(rows);
      const after = (await factsOf(product)).check;
      expect(after).toEqual({ ...check, checkedAt: after?.checkedAt, askedAt: after?.askedAt });
      expect(after!.checkedAt > check!.checkedAt).toBe(true);
    },
  );
});

describe('more has come', () => {
  test.for([[ALL], ['reach-all/quicklook/json']])(
    '%s: only the slices that differ are fetched; the file is as a download of today would make it',
    async ([product]) => {
      await download({ product: product! });
      const former = await factsOf(product);
      const late = simulator.deliverLate(DAY, 3);
      expect(late).toBeGreaterThan(0);
      const before = simulator.stats().byEndpoint;
      const result = await lookAgain({ product: product! });
      const after = simulator.stats().byEndpoint;
      expect(after['data']! - before['data']!).toBeLessThanOrEqual(2 * late);
      expect(after['count']! - before['count']!).toBeLessThanOrEqual(40);
      const { records } = simulator.expectedDay(DAY, { descriptor: 'QUICKLOOK' });
      expect(records).toBe(former.artifact!.records + 2 * late);
      expect(result).toMatchObject({ records, check: 'verified' });
      expect(result.outcome).toBeUndefined();
      const { artifact, check, download: latest } = await factsOf(product);
      expect(artifact).toMatchObject({ path: former.artifact!.path, records });
      expect(check).toMatchObject({ state: 'verified', kept: records, artifactSha256: artifact!.sha256 });
      expect(latest?.status).toBe('DOWNLOADED');
      expect(readFileSync(artifact!.path, 'utf8')).toBe(await freshBytes(product));
      // SAFE-11: the former file is kept; nothing else is left over.
      expect(filesBelow(place.workspace.downloads).filter((name) => name.startsWith('_backup/'))).toHaveLength(2);
      expect(filesBelow(place.workspace.root).filter((name) => name.includes('.slice'))).toEqual([]);
      const manifest = await readManifest(artifact!.path);
      const counts = simulator.expectedDay(DAY, { descriptor: 'QUICKLOOK' });
      expect(manifest).toMatchObject({ counts: { records, distinctReadings: counts.distinctReadings } });
      expect((await place.ledger.slices(product!, DAY)).reduce((sum, row) => sum + row.records!, 0)).toBe(records);
      expect(await lookAgain({ product: product!, run: 'workflow-run-3' })).toMatchObject({
        outcome: 'unchanged',
        requests: 1,
      });
    },
  );

  test.for(['putArtifact', 'closeStage'])(
    'killed right before %s: the next try ends with the same day',
    async (effect) => {
      await download();
      simulator.deliverLate(DAY, 2);
      place.before(effect, () => {
        throw KILLED;
      });
      await expect(lookAgain()).rejects.toThrow(KILLED.message);
      place.calm();
      await lookAgain({}, 2);
      const { artifact, check } = await factsOf();
      expect(readFileSync(artifact!.path, 'utf8')).toBe(await freshBytes());
      expect(identity(artifact!.path).sha256).toBe(artifact!.sha256);
      expect(check).toMatchObject({ state: 'verified', kept: artifact!.records });
    },
  );

  /** The day with its three late instants, for all of these. */
  let late3: Promise<string> | undefined;

  /** Another process looks again and ends at the crash point, or while the source is silent about that count. */
  async function killedAt(where: CrashPoint | { readonly counts: number }): Promise<NodeJS.Signals | null> {
    const point = typeof where === 'string' ? where : '';
    const before = simulator.stats().byEndpoint['count'] ?? 0;
    if (typeof where === 'object') {
      simulator.setFaults({ rules: [{ match: { endpoint: 'count', nth: where.counts }, fault: { kind: 'hang' } }] });
    }
    const args = [PROCESS, simulator.url, place.workspace.root, DAY, point];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
    const ended = new Promise<NodeJS.Signals | null>((resolve) =>
      child.once('exit', (_code, signal) => resolve(signal)),
    );
    if (typeof where === 'object') {
      const isThere = (): boolean => (simulator.stats().byEndpoint['count'] ?? 0) - before >= where.counts;
      await vi.waitUntil(isThere, { timeout: 60_000 });
      child.kill('SIGKILL');
    }
    const signal = await ended;
    simulator.setFaults({ rules: [] });
    return signal;
  }

  test.for<[CrashPoint | { readonly counts: number }]>([
    [{ counts: 3 }],
    ['slice-temporary'],
    ['recheck-renamed'],
    ['recheck-manifest'],
  ])('SAFE-5: the process is killed at %j: the next one ends with the same day', async ([where]) => {
    await download();
    const former = await factsOf();
    const late = simulator.deliverLate(DAY, 3);
    late3 ??= freshBytes();
    await late3;
    const before = simulator.stats().byEndpoint['data']!;
    expect(await killedAt(where)).toBe('SIGKILL');
    await lookAgain({}, 2);
    const { artifact, check } = await factsOf();
    expect(artifact!.records).toBe(former.artifact!.records + 2 * late);
    expect(readFileSync(artifact!.path, 'utf8')).toBe(await late3);
    expect(identity(artifact!.path).sha256).toBe(artifact!.sha256);
    expect(check).toMatchObject({ state: 'verified', kept: artifact!.records });
    expect(filesBelow(place.workspace.root).filter((name) => name.includes('.slice'))).toEqual([]);
    // Found again, or the whole day where the file was without its manifest; never both.
    const most = where === 'recheck-renamed' ? 288 + 2 * late : 4 * late;
    expect(simulator.stats().byEndpoint['data']! - before).toBeLessThanOrEqual(most);
  });

  test('without the former file the day is fetched again as a whole, what was found first not twice', async () => {
    await download();
    const { artifact } = await factsOf();
    await place.ledger.releaseArtifact(artifact!.path);
    rmSync(artifact!.path);
    expect(await lookAgain()).toMatchObject({ outcome: 'unchanged', requests: 1 });
    simulator.deliverLate(DAY, 1);
    const before = simulator.stats().byEndpoint['data']!;
    await lookAgain({ run: 'workflow-run-3' });
    expect(simulator.stats().byEndpoint['data']! - before).toBe(288);
    expect(readFileSync((await factsOf()).artifact!.path, 'utf8')).toBe(await freshBytes());
  });
});

describe('UDL-D14, SAFE-13: a source that has nothing of a day any more', () => {
  async function withdrawnFrom(product = ALL) {
    await download({ product });
    const gone = await startSimulator({ ...TINY, emptyDays: [DAY] });
    const from = sourceAt(gone.url);
    onTestFinished(async () => {
      await from.close();
      await gone.close();
    });
    return { gone, activities: createActivities({ ...place.deps, source: from }) };
  }

  test.for([[ALL], ['reach-101/quicklook']])(
    '%s: what it gave is kept, the day is done and differs, told with the number of its records',
    async ([product]) => {
      const { gone, activities } = await withdrawnFrom(product);
      const [before, rows, { artifact }] = [files(), await place.rows(), await factsOf(product)];
      for (const [tries, options] of [{}, { refresh: true }].entries()) {
        const run = `workflow-run-${tries + 2}`;
        const looked = await lookAgain({ product: product!, options, run, at: { ...place, activities } });
        expect(looked).toMatchObject({ outcome: 'unchanged', check: 'differs' });
      }
      expect(files()).toEqual(before);
      expect(await place.rows()).toEqual(rows);
      const { check, download: latest } = await factsOf(product);
      const kept = artifact!.records;
      expect(latest?.status).toBe('DOWNLOADED');
      expect(check).toMatchObject({ state: 'differs', kept, counted: 0, artifactSha256: artifact!.sha256 });
      expect(check!.reason).toContain(`has nothing of the day any more; the ${kept} records that it gave are kept`);
      expect(gone.stats().requests).toBeLessThanOrEqual(2 * 3);
      // It has them again.
      const again = await lookAgain({ product: product!, run: 'workflow-run-9' });
      expect(again).toMatchObject({ outcome: 'unchanged', check: 'verified' });
      expect(files()).toEqual(before);
    },
  );

  test('a day whose file went after delivery stays delivered too', async () => {
    const { activities } = await withdrawnFrom();
    const { artifact } = await factsOf();
    await place.ledger.releaseArtifact(artifact!.path);
    rmSync(artifact!.path);
    expect(await lookAgain({ at: { ...place, activities } })).toMatchObject({ outcome: 'unchanged', check: 'differs' });
    expect((await factsOf()).download?.status).toBe('DOWNLOADED');
  });
});

describe('a source that cannot count', () => {
  async function uncountable() {
    const silent = await startSimulator({ ...TINY, count: false });
    const from = sourceAt(silent.url);
    const at = await createPlace(from);
    onTestFinished(async () => {
      await from.close();
      await silent.close();
    });
    await download({ at });
    return { silent, from, at };
  }

  test('by itself nothing is fetched, and the day stays as final as it was', async () => {
    const { silent, at } = await uncountable();
    const [before, { check }, { requests }] = [files(at), await factsOf(ALL, at), silent.stats()];
    expect(await lookAgain({ at })).toMatchObject({ outcome: 'unchanged', check: 'uncounted' });
    expect(silent.stats().requests).toBe(requests);
    expect(files(at)).toEqual(before);
    const after = (await factsOf(ALL, at)).check!;
    expect(after.checkedAt).toBe(check!.checkedAt);
    expect(after.askedAt > check!.askedAt).toBe(true);
  });

  test('--refresh fetches the day again: the same bytes change nothing, others make the day anew', async () => {
    const { silent, from, at } = await uncountable();
    const options = { refresh: true };
    const before = files(at);
    expect(await lookAgain({ at, options })).toMatchObject({ outcome: 'unchanged', requests: 288, check: 'uncounted' });
    expect(files(at)).toEqual(before);
    silent.deliverLate(DAY, 2);
    expect(await lookAgain({ at, options, run: 'workflow-run-3' })).toMatchObject({ check: 'uncounted' });
    const { artifact } = await factsOf(ALL, at);
    expect(readFileSync(artifact!.path, 'utf8')).toBe(await freshBytes(ALL, from));
  });
});

test('SAFE-7: a source that fails while it is asked again never undoes a day that is done', async () => {
  await download();
  const before = files();
  simulator.setFaults({ rules: [{ match: { endpoint: 'count' }, fault: { kind: 'status', status: 503 } }] });
  for (let tries = 1; tries < 6; tries += 1) {
    await expect(lookAgain({}, tries)).rejects.toMatchObject({ type: 'source_unavailable' });
  }
  expect(await lookAgain({}, 6)).toMatchObject({ outcome: 'unchanged', check: 'uncounted' });
  expect(files()).toEqual(before);
  expect((await factsOf()).download?.status).toBe('DOWNLOADED');
});
