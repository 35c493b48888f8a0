/** Counted against the source: a day is verified, uncounted or differs, and never fails for a count. */
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { startSimulator } from '../../../simulator/simulator.ts';
import type { Fault } from '../../../simulator/faults/plan.ts';
import type { Simulator, SimulatorOptions } from '../../../simulator/simulator.ts';
import { downloadDay } from '../../../src/activities/download/index.ts';
import type { DownloadDependencies, DownloadOutcome, DownloadRequest } from '../../../src/activities/download/index.ts';
import { addDays } from '../../../src/core/time/day.ts';
import { readManifest } from '../../../src/storage/manifest.ts';
import { send, sendJson, startScriptedServer } from '../../sources/udl/scripted-server.ts';
import type { Script, SeenRequest } from '../../sources/udl/scripted-server.ts';
import { DAY, START, drive, makeWorkspace, memoryLedger, openGate, record, testSource } from './set-up.ts';
import type { TestRecord, Workspace } from './set-up.ts';

const ONE: DownloadRequest = { product: 'reach-101/quicklook', day: DAY, sliceMode: 'half-open', verify: true };
const ALL: DownloadRequest = { ...ONE, product: 'reach-all/quicklook' };
const SIX_HOURS_MS = 21_600_000;

let folders: Workspace;

beforeEach(async () => {
  folders = await makeWorkspace();
});

afterEach(() => folders.remove());

type Done = Extract<DownloadOutcome, { outcome: 'done' }>;

/** A source of its own: what is known of one that cannot count lasts as long as it does. */
function depsAt(url: string): DownloadDependencies {
  const source = testSource(url);
  onTestFinished(() => source.close());
  return { gate: openGate(), source, ledger: memoryLedger(), folders };
}

async function simulated(
  options: SimulatorOptions = {},
): Promise<{ simulator: Simulator; deps: DownloadDependencies }> {
  const simulator = await startSimulator({ tiny: true, ...options });
  onTestFinished(() => simulator.close());
  return { simulator, deps: depsAt(simulator.url) };
}

async function failing(fault: Fault, options: SimulatorOptions = {}) {
  return await simulated({ ...options, faults: { rules: [{ match: { endpoint: 'count' }, fault }] } });
}

describe('verified', () => {
  test.for(['include', 'exclude'] as const)(
    'records kept are what a source counts that would %s the end of a range, next midnight and sub-seconds or not',
    async (rangeEnd) => {
      const { simulator, deps } = await simulated({ rangeEnd, irregularities: { offGrid: 500 } });
      const { records } = simulator.expectedDay(DAY, { descriptor: 'QUICKLOOK' });
      const done = (await downloadDay(deps, ALL)) as Done;
      expect(done).toMatchObject({ outcome: 'done', counts: { records }, requests: 288 + 1 });
      expect(done.check).toMatchObject({ state: 'verified', kept: records, counted: records, reason: null });
      expect(await readManifest(done.path)).toMatchObject({
        check: done.check,
      });
      expect(simulator.stats()).toMatchObject({ slicesRepeated: 0 });
    },
  );

  test('the compatible slices too, on the grid', async () => {
    const { deps } = await simulated();
    expect(await downloadDay(deps, { ...ALL, sliceMode: 'compat' })).toMatchObject({ check: { state: 'verified' } });
  });

  test('the same filters as for the data, the whole day in one question', async () => {
    const { simulator, deps } = await simulated();
    await downloadDay(deps, { ...ONE, product: 'reach-101/provisional' });
    const counts = simulator.requests().filter(({ endpoint }) => endpoint === 'count');
    expect(counts.map(({ target }) => target)).toEqual([
      '/udl/spaceenvobservation/count?obTime=2026-01-01T00:00:00.000Z..2026-01-02T00:00:00.000Z&idSensor=REACH-101&source=Aerospace&dataMode=REAL&descriptor=PROVISIONAL',
    ]);
  });

  test('a day without data is verified as that', async () => {
    const { deps } = await simulated({ emptyDays: [DAY] });
    expect(await downloadDay(deps, ONE)).toMatchObject({
      outcome: 'no_data',
      check: { state: 'verified', kept: 0, counted: 0 },
    });
  });
});

/** `/count` and the data from one archive, whose data answers a test may spoil. */
function counting(
  archive: readonly TestRecord[],
  spoil: (request: SeenRequest, records: TestRecord[]) => TestRecord[],
): Script {
  return (response, request) => {
    const within = archive.filter(({ obTime }) => {
      const ms = Date.parse(obTime);
      return ms >= request.startMs && ms <= request.endMs;
    });
    if (request.url.includes('/count?')) send(response, 200, ` ${within.length}\n`, { 'content-type': 'text/plain' });
    else sendJson(response, spoil(request, within));
  };
}

describe('a difference', () => {
  const HOURLY = Array.from({ length: 30 }, (_, hour) => record(hour * 3_600_000 + 500));

  async function scripted(script: Script) {
    const server = await startScriptedServer(script);
    onTestFinished(() => server.close());
    return { server, deps: depsAt(server.url) };
  }

  test('what the source left out of one answer is found and fetched: only that slice', async () => {
    const { server, deps } = await scripted(
      counting(HOURLY, ({ startMs, time }, records) =>
        startMs === START + 2 * SIX_HOURS_MS && time === 1 ? records.slice(1) : records,
      ),
    );
    const done = (await downloadDay(deps, ONE)) as Done;
    expect(done.check).toMatchObject({ state: 'verified', kept: 24, counted: 24 });
    const rows = parse<{ id: string }>(await readFile(done.path, 'utf8'), { columns: true });
    expect(rows.map(({ id }) => id)).toEqual(HOURLY.slice(0, 24).map(({ id }) => id));
    const data = server.seen.filter(({ url }) => !url.includes('/count?'));
    expect(data.map(({ startMs }) => (startMs - START) / SIX_HOURS_MS).toSorted((a, b) => a - b)).toEqual([
      0, 1, 2, 2, 3,
    ]);
  });

  test('a source that goes on counting otherwise: the day comes, and says how many are missing', async () => {
    const good = counting(HOURLY, (_, records) => records);
    const { server, deps } = await scripted((response, request) => {
      if (request.url.includes('/count?') && request.startMs === START) send(response, 200, '31');
      else good(response, request);
    });
    const done = (await downloadDay(deps, ONE)) as Done;
    expect(done).toMatchObject({ outcome: 'done', counts: { records: 24 } });
    expect(done.check).toMatchObject({
      state: 'differs',
      kept: 24,
      counted: 31,
      reason: 'the source counts 31 records of the day, 24 are kept: 7 are missing',
    });
    expect(server.seen.length).toBeLessThanOrEqual(4 + 2 + 2 + 4);
  });

  test('a source whose counts are never right is searched for three days, then asked two questions a day; a right one ends that', async () => {
    const days = [0, 1, 2, 3, 4, 5, 6].map((index) => addDays(DAY, index));
    const archive = Array.from({ length: 7 * 48 }, (_, half) => record(half * 1_800_000 + 60_000));
    let most = 10;
    const { server, deps } = await scripted((response, request) => {
      const within = archive.filter(({ obTime }) => {
        const ms = Date.parse(obTime);
        return ms >= request.startMs && ms <= request.endMs;
      });
      if (request.url.includes('/count?')) send(response, 200, String(Math.min(within.length, most)));
      else sendJson(response, within);
    });
    const states: unknown[] = [];
    const extra: number[] = [];
    for (const day of days) {
      if (day === days[5]) most = Infinity;
      const before = server.seen.length;
      const done = (await downloadDay(deps, { ...ALL, day })) as Done;
      states.push(done.check?.state);
      extra.push(server.seen.length - before - 288);
    }
    expect(states).toEqual([...Array.from({ length: 5 }, () => 'differs'), 'verified', 'verified']);
    expect(Math.min(...extra.slice(0, 3))).toBeGreaterThan(20);
    expect(extra.slice(3)).toEqual([2, 2, 1, 1]);
  });

  test('empty answers where the source counts records are no "no data"', async () => {
    const { deps } = await scripted(counting(HOURLY, ({ time }, records) => (time === 1 ? [] : records)));
    expect(await downloadDay(deps, ONE)).toMatchObject({
      outcome: 'done',
      counts: { records: 24 },
      check: { state: 'verified' },
    });
  });

  test('a slice that cannot be fetched again leaves the day as it is, told', async () => {
    const { deps } = await scripted((response, request) => {
      const isThird = request.startMs === START + 2 * SIX_HOURS_MS && !request.url.includes('/count?');
      if (isThird && request.time > 1) send(response, 500, 'no');
      else counting(HOURLY, (_, records) => (isThird ? records.slice(1) : records))(response, request);
    });
    const done = await drive(deps, ONE);
    expect(done).toMatchObject({ outcome: 'done', passes: 6, counts: { records: 23 } });
    expect(done.check).toMatchObject({ state: 'differs', kept: 23, counted: 24 });
    expect(done.check?.reason).toMatch(/1 are missing; HTTP 500/);
  });
});

describe('uncounted: the day comes all the same, with the reason', () => {
  const GONE: [string, Fault, string][] = [
    ['404', { kind: 'status', status: 404 }, 'HTTP 404'],
    ['400', { kind: 'status', status: 400 }, 'HTTP 400'],
  ];

  test.for(GONE)('%s says that this source cannot count: asked once a day', async ([, fault, words]) => {
    const { simulator, deps } = await failing(fault);
    for (const day of [DAY, addDays(DAY, 1)]) {
      const done = (await downloadDay(deps, { ...ONE, day })) as Done;
      expect(done.check).toMatchObject({ state: 'uncounted', counted: null });
      expect(done.check?.reason).toContain(words);
      expect(await readManifest(done.path)).toMatchObject({ check: { state: 'uncounted' } });
    }
    expect(simulator.stats().byEndpoint).toMatchObject({ data: 8, count: 1 });
    simulator.setFaults({ rules: [] });
    const tomorrow = Date.now() + 25 * 3_600_000;
    const clock = vi.spyOn(Date, 'now').mockReturnValue(tomorrow);
    onTestFinished(() => clock.mockRestore());
    expect(await downloadDay(deps, { ...ONE, day: addDays(DAY, 2) })).toMatchObject({ check: { state: 'verified' } });
  });

  test('SAFE-13: a day that was begun earlier is as old as its oldest slice: it does not look final too soon', async () => {
    const { simulator, deps } = await simulated({ count: false });
    simulator.setFaults({ rules: [{ match: { slice: 2 }, fault: { kind: 'status', status: 400 } }] });
    await expect(downloadDay(deps, ONE)).rejects.toMatchObject({ kind: 'slice_exhausted' });
    const folder = join(folders.slices, ONE.product, DAY);
    const [name] = (await readdir(folder)).filter((each) => each.endsWith('.slice'));
    const text = await readFile(join(folder, name!), 'utf8');
    await writeFile(join(folder, name!), text.replace(/"fetchedAt":"[^"]*"/, '"fetchedAt":"2026-01-02T10:00:00.000Z"'));
    simulator.setFaults({ rules: [] });
    const before = new Date().toISOString();
    const done = (await downloadDay(deps, ONE)) as Done;
    expect(done.check).toMatchObject({ state: 'uncounted', checkedAt: '2026-01-02T10:00:00.000Z' });
    expect(done.check!.askedAt >= before).toBe(true);
    expect(simulator.stats()).toMatchObject({ slicesRepeated: 0 });
  });

  const NO_NUMBER: [string, Fault, string][] = [
    ['a page', { kind: 'html', contentType: 'text/html' }, 'is a page'],
    ['an error object', { kind: 'error_object' }, 'no number of records'],
    ['nothing', { kind: 'empty_body' }, 'no number of records'],
    ['a redirect', { kind: 'redirect' }, 'redirects are not followed'],
  ];

  test.for(NO_NUMBER)(
    '%s for a count is no answer: asked three times, of later days once',
    async ([, fault, words]) => {
      const { simulator, deps } = await failing(fault);
      const done = await drive(deps, ONE);
      expect(done).toMatchObject({ outcome: 'done', passes: 3, check: { state: 'uncounted', counted: null } });
      expect(done.check?.reason).toContain(words);
      expect(await drive(deps, { ...ONE, day: addDays(DAY, 1) })).toMatchObject({
        passes: 1,
        check: { state: 'uncounted' },
      });
      expect(simulator.stats()).toMatchObject({ byEndpoint: { data: 8, count: 4 }, slicesRepeated: 0 });
      expect(deps.gate.snapshot()).toMatchObject({ incident: null, failedPasses: 0 });
      simulator.setFaults({ rules: [] });
      expect(await drive(deps, { ...ONE, day: addDays(DAY, 2) })).toMatchObject({ check: { state: 'verified' } });
    },
  );

  test.for(NO_NUMBER)('%s for one count only delays: the second try verifies the day', async ([, fault]) => {
    const { simulator, deps } = await simulated({
      faults: { rules: [{ match: { endpoint: 'count', nth: 1 }, fault }] },
    });
    expect(await drive(deps, ONE)).toMatchObject({ passes: 2, check: { state: 'verified' } });
    expect(simulator.stats()).toMatchObject({ byEndpoint: { data: 4, count: 2 } });
  });

  const PASSING: [string, Fault][] = [
    ['503', { kind: 'status', status: 503 }],
    ['a reset', { kind: 'reset', at: 'before_headers' }],
  ];

  test.for(PASSING)('%s: asked as often as a slice, of later days once; no slice is asked again', async ([, fault]) => {
    const { simulator, deps } = await failing(fault);
    const first = await drive(deps, ONE);
    expect(first).toMatchObject({ outcome: 'done', passes: 6, check: { state: 'uncounted' } });
    expect(simulator.stats()).toMatchObject({ byEndpoint: { data: 4, count: 6 }, slicesRepeated: 0 });
    expect(await drive(deps, { ...ONE, day: addDays(DAY, 1) })).toMatchObject({
      passes: 1,
      check: { state: 'uncounted' },
    });
    expect(deps.gate.snapshot().incident).toBeNull();
    simulator.setFaults({ rules: [] });
    expect(await drive(deps, { ...ONE, day: addDays(DAY, 2) })).toMatchObject({
      passes: 1,
      check: { state: 'verified' },
    });
  });

  test('a count that fails twice only delays: the third try verifies the day', async () => {
    const { simulator, deps } = await simulated({
      faults: { rules: [{ match: { endpoint: 'count', nth: [1, 2] }, fault: { kind: 'status', status: 503 } }] },
    });
    expect(await drive(deps, ONE)).toMatchObject({ passes: 3, check: { state: 'verified' } });
    expect(simulator.stats()).toMatchObject({ byEndpoint: { data: 4, count: 3 } });
  });
});

test('429: the pause is kept, then the count is asked again; no pass is lost', async () => {
  const { simulator, deps } = await simulated({
    faults: { rules: [{ match: { endpoint: 'count', nth: 1 }, fault: { kind: 'rate_limit', retryAfterS: 1 } }] },
  });
  expect(await drive(deps, ONE)).toMatchObject({ passes: 1, check: { state: 'verified' } });
  expect(simulator.stats()).toMatchObject({ byEndpoint: { count: 2 }, begunInCooldown: 0 });
});

test('SAFE-4: refused credentials stop the run at the first answer, also for a count', async () => {
  const { simulator, deps } = await failing({ kind: 'status', status: 401 });
  await expect(downloadDay(deps, ONE)).rejects.toMatchObject({ kind: 'auth_rejected' });
  expect(simulator.stats().byEndpoint).toMatchObject({ count: 1 });
  expect(deps.gate.snapshot().incident).not.toBeNull();
});
