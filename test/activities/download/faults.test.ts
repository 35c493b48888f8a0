import { readFile, readdir } from 'node:fs/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { downloadDay } from '../../../src/activities/download/index.ts';
import type {
  DownloadDependencies,
  DownloadProgress,
  DownloadRequest,
} from '../../../src/activities/download/index.ts';
import { addDays } from '../../../src/core/time/day.ts';
import type { UdlSource } from '../../../src/sources/udl/index.ts';
import { send, sendCut, sendJson, startScriptedServer } from '../../sources/udl/scripted-server.ts';
import type { Script, ScriptedServer } from '../../sources/udl/scripted-server.ts';
import {
  ARCHIVE,
  DAY,
  START,
  TOKEN,
  answerFrom,
  drive,
  fastClock,
  memoryLedger,
  openGate,
  testSource,
} from './set-up.ts';
import type { TestLedger, Workspace } from './set-up.ts';
import { undisturbedHash, useDownloads } from './use-downloads.ts';

const ONE: DownloadRequest = { product: 'reach-101/quicklook', day: DAY, sliceMode: 'half-open' };
const ALL: DownloadRequest = { ...ONE, product: 'reach-all/quicklook' };
const GOOD = answerFrom(ARCHIVE);

let server: ScriptedServer;
let source: UdlSource;
let folders: Workspace;
let ledger: TestLedger;
let deps: DownloadDependencies;
let undisturbed: string;

useDownloads(GOOD, (place) => {
  ({ server, source, folders, ledger, deps } = place);
});

beforeAll(async () => {
  undisturbed = await undisturbedHash(ONE);
});

/** `fault` answers the first time that the slice at `quarter` (0…3) is asked for. */
function once(quarter: number, fault: Script): Script {
  return (response, request) => {
    const hit = request.startMs === START + quarter * 21_600_000 && request.time === 1;
    (hit ? fault : GOOD)(response, request);
  };
}

const PASSING_FAULTS: readonly (readonly [string, Script])[] = [
  ...[408, 425, 500, 502, 503, 504].map(
    (status) => [String(status), (response) => send(response, status, 'no')] as [string, Script],
  ),
  ['429 with Retry-After', (response) => send(response, 429, '', { 'retry-after': '1' })],
  ['503 with Retry-After', (response) => send(response, 503, '', { 'retry-after': '1' })],
  ['a reset', (response) => response.destroy()],
  ['a short body', (response) => sendCut(response, '[{"id":"x","obTime":"2026-01-01T00:00:00Z"},')],
  ['cut JSON', (response) => send(response, 200, '[{"id":"x","obTime":"2026-01-0')],
  ['an empty body', (response) => send(response, 200, '')],
  ['a broken gzip', (response) => send(response, 200, 'x', { 'content-encoding': 'gzip' })],
  ['HTML with 200', (response) => send(response, 200, '<html>login</html>', { 'content-type': 'text/html' })],
  ['a redirect', (response) => send(response, 302, '', { location: '/login' })],
  ['an error object with 200', (response) => sendJson(response, { error: 'overloaded' })],
  ['null', (response) => sendJson(response, null)],
  ['{}', (response) => sendJson(response, {})],
];

describe('UDL-D4: a fault that passes costs one more request and nothing else', () => {
  test.for(PASSING_FAULTS)('%s', async ([, fault]) => {
    server.script = once(2, fault);
    const done = await drive(deps, ONE);
    expect(done).toMatchObject({ outcome: 'done', sha256: undisturbed });
    expect(server.seen).toHaveLength(5);
  });

  test('a hang, once it has taken longer than the timeout', async () => {
    const impatient = testSource(server.url, 1_500);
    server.script = once(2, () => undefined);
    const done = await drive({ ...deps, source: impatient }, ONE);
    await impatient.close();
    expect(done).toMatchObject({ outcome: 'done', sha256: undisturbed });
    expect(server.seen).toHaveLength(5);
  });

  test.for([0, 3])('also at the edge of the day: slice %d', async (quarter) => {
    server.script = once(quarter, (response) => send(response, 500, 'no'));
    expect(await drive(deps, ONE)).toMatchObject({ sha256: undisturbed, passes: 2 });
    expect(server.seen).toHaveLength(5);
  });
});

test('SAFE-9: 287 slices good, 1 failing: the pass ends retryable, the next one sends 1 request', async () => {
  server.script = (response, request) => {
    if (request.startMs === START + 100 * 300_000 && request.time === 1) send(response, 500, 'no');
    else GOOD(response, request);
  };
  const error: unknown = await downloadDay(deps, ALL).catch((caught: unknown) => caught);
  expect(error).toMatchObject({ kind: 'source_unavailable', retry: 'later', retryAfterMs: expect.any(Number) });
  expect((error as Error).message).toMatch(
    /^1 of 288 slices are missing after this pass; the latest failure: HTTP 500 .* it begins: no$/,
  );
  expect(server.seen).toHaveLength(288);
  expect(await downloadDay(deps, ALL)).toMatchObject({ outcome: 'done', requests: 1 });
  expect(server.seen).toHaveLength(289);
});

describe('UDL-22, SAFE-4: what does not pass sees a bounded number of requests', () => {
  test('one slice that always fails ends its day after six failures; its evidence and the other slices are kept', async () => {
    server.script = (response, request) => {
      if (request.startMs === START) send(response, 200, `<p>Sorry</p> ${TOKEN}`, { 'content-type': 'text/html' });
      else GOOD(response, request);
    };
    const error: unknown = await drive(deps, ONE).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ kind: 'slice_exhausted', hint: expect.stringContaining('--retry-failed') });
    expect((error as Error).message).toMatch(
      /^1 of 4 slices failed as often as they may \(00:00:00\.\.06:00:00\); .* HTTP 200 \(text\/html\)/,
    );
    expect(server.seen).toHaveLength(3 + 6);
    const row = ledger.rows.get(START)!;
    expect(row).toMatchObject({ status: 'failed', failures: 6, errorKind: 'wrong_kind', httpStatus: 200 });
    expect(row.errorDetail).toContain('Sorry [secret]');
    expect(row.errorDetail!.length).toBeLessThanOrEqual(1_000);
    const folder = `${folders.slices}/reach-101/quicklook/2026-01-01`;
    const kept = (await readdir(folder)).filter((name) => name.endsWith('.rejected'));
    expect(kept).toHaveLength(6);
    expect(await readFile(`${folder}/${kept[0]}`, 'utf8')).toBe('<p>Sorry</p> [secret]');

    server.script = GOOD;
    expect(await downloadDay(deps, ONE)).toMatchObject({ outcome: 'done', sha256: undisturbed, requests: 1 });
  });

  test.for([400, 404, 501])('UDL-21: %d is no matter of time: the day ends with what is under way', async (status) => {
    deps = { ...deps, gate: openGate({ maxConcurrentRequests: 2 }) };
    server.script = (response) => send(response, status, 'unknown parameter');
    await expect(drive(deps, ALL)).rejects.toMatchObject({
      kind: 'slice_exhausted',
      message: expect.stringContaining(`HTTP ${status}`),
    });
    expect(server.seen.length).toBeLessThanOrEqual(2);
  });

  test.for([401, 403])('%d stops the run at the first answer; later days send nothing', async (status) => {
    deps = { ...deps, gate: openGate({ maxConcurrentRequests: 1 }) };
    server.script = (response) => send(response, status, 'no');
    const incident = expect.objectContaining({ incident: expect.any(String) }) as unknown;
    await expect(drive(deps, ALL)).rejects.toMatchObject({
      kind: 'auth_rejected',
      retry: 'stop_run',
      context: incident,
    });
    await expect(drive(deps, { ...ALL, day: addDays(DAY, 1) })).rejects.toMatchObject({ kind: 'auth_rejected' });
    expect(server.seen).toHaveLength(1);
    expect(ledger.rows.size).toBe(0);
  });

  test.for([
    ['500', (response) => send(response, 500, 'no')],
    ['HTML', (response) => send(response, 200, '<html>')],
    ['resets', (response) => response.destroy()],
  ] as [string, Script][])(
    'a source that only answers %s sees at most 6 × (5 + 3) requests over several days, then the run stops',
    async ([, fault]) => {
      server.script = fault;
      const days = [0, 1].map((offset) =>
        drive({ ...deps, ledger: memoryLedger() }, { ...ALL, day: addDays(DAY, offset) }),
      );
      const outcomes = await Promise.allSettled(days);
      for (const outcome of outcomes) {
        expect(outcome).toMatchObject({
          status: 'rejected',
          reason: { kind: 'source_aborted', context: { incident: expect.any(String) as string } },
        });
      }
      await expect(drive(deps, { ...ALL, day: addDays(DAY, 2) })).rejects.toMatchObject({ kind: 'source_aborted' });
      // Six passes. With waits of a millisecond one day's pass may end while the other's next one has only begun.
      expect(server.seen.length).toBeGreaterThanOrEqual(6);
      expect(server.seen.length).toBeLessThanOrEqual(6 * (5 + 3));
    },
  );

  const OUTAGES: readonly (readonly [string, Script])[] = [
    ['answers 500', (response) => send(response, 500, 'no')],
    ['refuses connections', () => undefined],
  ];

  /** A server that is gone: its port is closed. */
  async function goneSource(): Promise<UdlSource> {
    const gone = await startScriptedServer(GOOD);
    await gone.close();
    return testSource(gone.url);
  }

  test.for(OUTAGES.flatMap(([name, fault]) => [1, 2, 5].map((days) => [name, days, fault] as const)))(
    'design §2: a source that always %s stops the run of one sensor over %d days, within 6 × (5 + 3) requests',
    async ([name, days, fault]) => {
      server.script = fault;
      const failing = name === 'answers 500' ? source : await goneSource();
      let sent = 0;
      const fetchSlice: UdlSource['fetchSlice'] = (query, hooks) => {
        sent += 1;
        return failing.fetchSlice(query, hooks);
      };
      const watched: UdlSource = {
        host: failing.host,
        fetchSlice,
        fetchCount: (query, hooks) => failing.fetchCount(query, hooks),
        recycle: () => undefined,
        silentMs: () => 0,
        close: async () => {},
      };
      const own = { ...deps, source: watched };
      const running = Array.from({ length: days }, (_, offset) =>
        drive({ ...own, ledger: memoryLedger() }, { ...ONE, day: addDays(DAY, offset) }),
      );
      for (const outcome of await Promise.allSettled(running)) {
        expect(outcome).toMatchObject({ status: 'rejected', reason: { kind: 'source_aborted' } });
      }
      // Every slice of a single day is asked for once in each of six passes.
      const [least, most] = days === 1 ? [6 * 4, 6 * 4] : [6, 6 * (5 + 3)];
      expect(sent).toBeGreaterThanOrEqual(least);
      expect(sent).toBeLessThanOrEqual(most);
      if (failing !== source) await failing.close();
    },
  );

  test('after a restart failures of the process before do not end the day while the source has said nothing yet', async () => {
    server.script = (response) => send(response, 500, 'no');
    for (let pass = 0; pass < 5; pass += 1) {
      deps = { ...deps, gate: openGate() };
      await expect(downloadDay(deps, ONE)).rejects.toMatchObject({ kind: 'source_unavailable' });
    }
    expect(ledger.rows.get(START)).toMatchObject({ failures: 5 });
    deps = { ...deps, gate: openGate() };
    await expect(downloadDay(deps, ONE)).rejects.toMatchObject({ kind: 'source_unavailable' });
    const before = server.seen.length;
    server.script = GOOD;
    expect(await drive(deps, ONE)).toMatchObject({ outcome: 'done', sha256: undisturbed });
    expect(server.seen.length - before).toBe(4);
  });

  test('a day that alone fails is given up while other days are answered', async () => {
    server.script = (response, request) =>
      request.startMs < START + 86_400_000 ? send(response, 500, 'no') : GOOD(response, request);
    await drive({ ...deps, ledger: memoryLedger() }, { ...ONE, day: addDays(DAY, 1) });
    const tell = (passes: number): Promise<unknown> =>
      drive({ ...deps, ledger: memoryLedger() }, { ...ONE, day: addDays(DAY, 1 + passes) });
    let error: unknown = null;
    for (let passes = 1; passes <= 6; passes += 1) {
      await tell(passes);
      error = await downloadDay(deps, ONE).catch((caught: unknown) => caught);
    }
    expect(error).toMatchObject({ kind: 'slice_exhausted' });
  });

  test('--retry-failed with one bad slice left: six requests, then the day is FAILED; the source is not blamed', async () => {
    server.script = (response, request) =>
      request.startMs === START ? send(response, 500, 'no') : GOOD(response, request);
    await expect(drive(deps, ONE)).rejects.toMatchObject({ kind: 'slice_exhausted' });
    const before = server.seen.length;
    const restarted = { ...deps, gate: openGate() };
    await expect(drive(restarted, ONE)).rejects.toMatchObject({ kind: 'slice_exhausted' });
    expect(server.seen.length - before).toBe(6);
    expect(restarted.gate.snapshot()).toMatchObject({ incident: null, hasSucceeded: false });
  });

  /** Slices `from` to `from + count - 1` fail until they were asked for `times` times. */
  function badRow(from: number, count: number, times = Infinity): Script {
    const [startMs, endMs] = [from, from + count].map((slice) => START + slice * 300_000) as [number, number];
    return (response, request) =>
      request.startMs >= startMs && request.startMs < endMs && request.time <= times
        ? send(response, 500, 'no')
        : GOOD(response, request);
  }

  test.for([
    ['in the middle', 100, 12],
    ['in the morning', 0, 35],
    ['in the evening', 253, 35],
    ['nearly all day', 20, 240],
  ] as const)(
    'SAFE-4, SAFE-9: bad for good %s (from slice %d, %d in a row): the others are fetched, the day ends alone, the source is not blamed',
    async ([, from, bad]) => {
      server.script = badRow(from, bad);
      await expect(drive(deps, ALL)).rejects.toMatchObject({ kind: 'slice_exhausted' });
      expect(deps.gate.snapshot()).toMatchObject({ incident: null, hasSucceeded: true });
      const done = [...ledger.rows.values()].filter(({ status }) => status !== 'failed').length;
      expect(done).toBe(288 - bad);
      // Each bad slice once, then six passes over five of them with up to three under way, and a witness now and then.
      expect(server.seen.length).toBeLessThanOrEqual(288 + 6 * (5 + 3) + Math.ceil(bad / 10));

      // --retry-failed by a new process: nothing has succeeded in it, and nothing but bad slices is left.
      const before = server.seen.length;
      const restarted = { ...deps, gate: openGate() };
      await expect(drive(restarted, ALL)).rejects.toMatchObject({ kind: 'slice_exhausted' });
      expect(restarted.gate.snapshot()).toMatchObject({ incident: null });
      expect(server.seen.length - before).toBeLessThanOrEqual(6 * (5 + 3) + 2);

      server.script = GOOD;
      const beforeGood = server.seen.length;
      expect(await drive(restarted, ALL)).toMatchObject({ outcome: 'done' });
      expect(server.seen.length - beforeGood).toBe(bad);
    },
  );

  test.for([
    [0, 40, 1],
    [100, 40, 3],
  ] as const)(
    'SAFE-9: a row of slices (from %d, %d of them) that fail %d times each costs requests, not the day',
    async ([from, bad, times]) => {
      server.script = badRow(from, bad, times);
      expect(await drive(deps, ALL)).toMatchObject({ outcome: 'done' });
      expect(deps.gate.snapshot()).toMatchObject({ incident: null, failedPasses: 0 });
      expect(server.seen.length).toBeLessThanOrEqual(288 + bad * times + 10);
    },
  );

  test('SAFE-4: after a stop and a resume the probe is a slice that was good, and the bad row ends its day', async () => {
    const row = badRow(0, 30);
    server.script = row;
    await expect(drive(deps, ALL)).rejects.toMatchObject({ kind: 'slice_exhausted' });
    server.script = (response) => send(response, 500, 'all of it');
    await expect(drive(deps, ALL)).rejects.toMatchObject({ kind: 'source_aborted' });
    server.script = row;
    expect(await deps.gate.closeIncident(deps.gate.snapshot().incident?.id ?? '')).toBe(true);
    await expect(drive(deps, ALL)).rejects.toMatchObject({ kind: 'slice_exhausted' });
    expect(deps.gate.snapshot()).toMatchObject({ incident: null, probing: false });
  });

  test('a source that only answers 429 sees at most 30 × 4 requests, then the run is paused; no slice counts as failed', async () => {
    const factor = 200_000;
    deps = { ...deps, gate: openGate({ initialRate: 5, minRate: 0.5, maxRate: 25 }, fastClock(factor)) };
    server.script = (response) => send(response, 429, 'slow down');
    await expect(drive(deps, ALL, {}, factor)).rejects.toMatchObject({
      kind: 'source_aborted',
      context: { reason: 'rate_limited_too_long' },
    });
    expect(server.seen.length).toBeGreaterThanOrEqual(30);
    expect(server.seen.length).toBeLessThanOrEqual(30 * 4);
    expect(ledger.rows.size).toBe(0);
  });

  test('after the source is well again and the incident is closed, the day goes on where it was', async () => {
    let broken = false;
    server.script = (response, request) => (broken ? send(response, 503, 'down') : GOOD(response, request));
    const stopAt = 100;
    const progress = ({ slicesDone }: DownloadProgress): void => void (broken ||= slicesDone >= stopAt);
    const error: unknown = await drive(deps, ALL, { onProgress: progress }).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ kind: 'source_aborted' });
    const done = [...ledger.rows.values()].filter(({ status }) => status !== 'failed').length;
    expect(done).toBeGreaterThanOrEqual(stopAt);
    broken = false;
    const before = server.seen.length;
    expect(await deps.gate.closeIncident((error as { context: { incident: string } }).context.incident)).toBe(true);
    expect(await downloadDay(deps, { ...ALL, freshRun: true })).toMatchObject({
      outcome: 'done',
      counts: { records: 16 },
    });
    expect(server.seen.length - before).toBe(288 - done);
  });
});

describe('SAFE-2: rate limits', () => {
  test('a short pause is waited out inside the pass, and progress says until when and why', async () => {
    server.script = once(0, (response) => send(response, 429, '', { 'retry-after': '2' }));
    const told: DownloadProgress[] = [];
    const done = await downloadDay(deps, ONE, { onProgress: (progress) => told.push(progress) });
    expect(done).toMatchObject({ outcome: 'done', sha256: undisturbed });
    const waiting = told.find((progress) => progress.waiting)?.waiting;
    expect(waiting).toMatchObject({ why: 'the source answered 429 with Retry-After 2 s' });
    // TRACK-3: what `explain` tells of it later.
    expect(ledger.requestFailures).toMatchObject([
      { day: DAY, host: source.host, kind: 'rate_limited', httpStatus: 429, retryAfter: '2' },
    ]);
    expect(Date.parse(waiting!.until)).toBeGreaterThan(Date.now() - 2_000);
  });

  test('a long pause ends the pass with its length; what was under way is kept', async () => {
    deps = { ...deps, gate: openGate({ maxConcurrentRequests: 1 }) };
    server.script = once(1, (response) => send(response, 429, '', { 'retry-after': '600' }));
    const error: unknown = await downloadDay(deps, ONE).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ kind: 'rate_limited', retry: 'later' });
    expect((error as { retryAfterMs: number }).retryAfterMs).toBeGreaterThan(590_000);
    expect(server.seen).toHaveLength(2);
    expect([...ledger.rows.values()].map(({ status }) => status)).toEqual(['done']);
  });
});

describe("failures that are not the source's", () => {
  test('a full disk stops the run with a hint; finished slices stay', async () => {
    const full = Object.assign(new Error('write failed'), { code: 'ENOSPC' });
    const putSlice: typeof ledger.putSlice = (row) =>
      row.startMs === START ? Promise.reject(full) : ledger.putSlice(row);
    await expect(downloadDay({ ...deps, ledger: { ...ledger, putSlice } }, ONE)).rejects.toMatchObject({
      kind: 'disk_full',
      message: 'The download cannot be written: no space left on the device (ENOSPC).',
      retry: 'stop_run',
      hint: expect.stringContaining('resume'),
    });
    const before = server.seen.length;
    expect(await downloadDay(deps, ONE)).toMatchObject({ outcome: 'done', requests: 4 - before });
  });

  test('an error of our own comes out as it is, and lets the permit go', async () => {
    const broken: UdlSource = { ...source, host: source.host, fetchSlice: () => Promise.reject(new TypeError('bug')) };
    await expect(downloadDay({ ...deps, source: broken }, ONE)).rejects.toThrow(new TypeError('bug'));
    expect(deps.gate.snapshot()).toMatchObject({ inFlight: 0, waiting: 0 });
  });
});
