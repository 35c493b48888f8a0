import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { CancelledFailure } from '@temporalio/common';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startSimulator } from '../../simulator/simulator.ts';
import type { Simulator } from '../../simulator/simulator.ts';
import { parseDay } from '../../src/core/time/day.ts';
import type { UdlSource } from '../../src/sources/udl/index.ts';
import { readManifest } from '../../src/storage/manifest.ts';
import {
  KILLED,
  createPlace,
  dayAttempt,
  engine,
  failureOf,
  filesBelow,
  identity,
  isTemporary,
  sourceAt,
  tryStage,
} from './set-up.ts';
import type { Place } from './set-up.ts';

const DAY = parseDay('2025-09-01');
const EMPTY_DAY = parseDay('2025-09-03');
const PRODUCT = 'reach-101/quicklook';
const NAME = 'REACH-101_20250901T000000_20250902T000000.csv';
const SLICES = 4;
/** The slices, and one question how many records the source counts for the day. */
const REQUESTS = SLICES + 1;
const FULL_ROWS = ['download DOWNLOAD_PENDING', 'download DOWNLOADED'];

let simulator: Simulator;
let source: UdlSource;
let place: Place;

beforeAll(async () => {
  simulator = await startSimulator({ tiny: true, emptyDays: [EMPTY_DAY] });
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

const attempt = (day = DAY, run = 'workflow-run-1') =>
  dayAttempt({ day, product: PRODUCT, stages: ['download', 'count'], run });
const download = (day = DAY, tries = 1) => tryStage(place, 'downloadWindow', attempt(day), engine(tries));
const downloads = (): string[] => filesBelow(place.workspace.downloads);
const sliceFolder = (): string[] => (existsSync(place.workspace.slices) ? filesBelow(place.workspace.slices) : []);
const slices = (): string[] => sliceFolder().filter((name) => name.endsWith('.slice'));
const artifact = (): string => `${place.workspace.downloads}/${NAME}`;

test('a day comes whole: file, manifest, row, telemetry; no slice stays', async () => {
  const result = await download();
  const { records } = simulator.expectedDay(DAY, { descriptor: 'QUICKLOOK', idSensor: 'REACH-101' });
  const { sha256 } = identity(artifact());
  expect(result).toMatchObject({
    records,
    requests: REQUESTS,
    check: 'verified',
    availabilityPct: (records / 34_560) * 100,
  });
  expect(await readManifest(artifact())).toMatchObject({ sha256, counts: { records }, slices: SLICES });
  const [facts] = await place.ledger.dayFacts(PRODUCT, DAY, DAY, null);
  expect(facts).toMatchObject({
    artifact: { path: artifact(), sha256, records },
    download: { status: 'DOWNLOADED' },
    check: { state: 'verified', kept: records, counted: records, artifactSha256: sha256 },
  });
  expect(await place.rows()).toEqual(FULL_ROWS);
  expect(place.telemetry().trimEnd().split('\r\n')).toHaveLength(3);
  expect(sliceFolder()).toEqual([]);
});

test('the order of effects: told before, the file, its row, the closing word, told; slices go last', async () => {
  const stood: Record<string, unknown> = {};
  for (const effect of ['putArtifact', 'closeStage']) {
    place.before(effect, () => {
      stood[effect] = [existsSync(artifact()), downloads().includes(`.${NAME}.manifest`), slices().length];
    });
  }
  await download();
  expect(place.effects).toEqual(['openStage', 'telemetry', 'putArtifact', 'closeStage', 'telemetry']);
  expect(stood).toEqual({ putArtifact: [true, true, SLICES], closeStage: [true, true, SLICES] });
});

test('twice: the same file, untouched, one row, and no further request', async () => {
  const first = await download();
  const before = identity(artifact());
  const second = await download();
  expect(second).toEqual({ ...first, requests: 0, seconds: expect.any(Number) as number });
  expect(identity(artifact())).toEqual(before);
  expect(await place.rows()).toEqual(FULL_ROWS);
  expect(simulator.stats().requests).toBe(REQUESTS);
});

test.for(['putArtifact', 'closeStage'])(
  'killed right before %s: the next try takes the file up, without a request',
  async (effect) => {
    place.before(effect, () => {
      throw KILLED;
    });
    await expect(download()).rejects.toThrow(KILLED.message);
    const before = identity(artifact());
    place.calm();
    expect(await download(DAY, 2)).toMatchObject({ requests: 0 });
    expect(identity(artifact())).toEqual(before);
    expect(await place.rows()).toEqual(FULL_ROWS);
    expect(simulator.stats()).toMatchObject({ requests: REQUESTS, slicesRepeated: 0 });
    expect(sliceFolder()).toEqual([]);
  },
);

test('a day without data: said once, no file, no slice', async () => {
  expect(await download(EMPTY_DAY)).toMatchObject({
    outcome: 'no_data',
    records: 0,
    requests: REQUESTS,
    check: 'verified',
  });
  expect(await download(EMPTY_DAY)).toMatchObject({ outcome: 'no_data' });
  expect(await place.rows()).toEqual(['download DOWNLOAD_PENDING', 'download SKIPPED_NO_DATA']);
  expect(downloads().map((path) => basename(path))).toEqual(['download_telemetry.csv']);
});

describe('what the source does', () => {
  test('missing slices: tried again at the time the error names; the day is not FAILED; then only they are asked for', async () => {
    simulator.setFaults({ rules: [{ match: { slice: 2, firstAttempts: 1 }, fault: { kind: 'status', status: 500 } }] });
    const failure = await failureOf(download());
    expect(failure).toMatchObject({ type: 'source_unavailable', nonRetryable: false });
    expect(failure.nextRetryDelay).toBeGreaterThan(0);
    expect(failure.message).toContain(`1 of ${SLICES} slices`);
    expect(await place.rows()).toEqual(['download DOWNLOAD_PENDING']);
    expect(await download(DAY, 2)).toMatchObject({ requests: 2 });
    expect(await place.rows()).toEqual(FULL_ROWS);
    expect(simulator.stats().slicesRepeated).toBe(0);
  });

  test('refused credentials stop the run with the incident to close; the day stays open', async () => {
    simulator.setFaults({ rules: [{ fault: { kind: 'status', status: 401 } }] });
    const failure = await failureOf(download());
    expect(failure).toMatchObject({ type: 'auth_rejected', nonRetryable: true });
    const [{ incident, hint }] = failure.details as [{ incident: string; hint: string }];
    expect(hint).not.toBe('');
    expect(place.deps.gate.snapshot().incident?.id).toBe(incident);
    expect(await place.rows()).toEqual(['download DOWNLOAD_PENDING']);
    simulator.setFaults({ rules: [] });
    await engine().run(() => place.activities.closeIncident('another'));
    expect(await failureOf(download(DAY, 2))).toMatchObject({ type: 'auth_rejected' });
    await engine().run(() => place.activities.closeIncident(incident));
    expect(await download(DAY, 3)).toMatchObject({ requests: REQUESTS });
  });

  test('a worker without a token stops the run and says what to do', async () => {
    const poor = await createPlace(null);
    const failure = await failureOf(tryStage(poor, 'downloadWindow', attempt()));
    expect(failure).toMatchObject({ type: 'auth_rejected', nonRetryable: true });
    expect(failure.details?.[0]).toEqual({ hint: expect.stringMatching(/BASICAUTH.*resume/) as string });
    expect(simulator.stats().requests).toBe(0);
  });
});

test('the end of its worker: cancelled, finished slices stay, no temporary file; the next try asks for the rest', async () => {
  simulator.setFaults({ rules: [{ match: { slice: 3, firstAttempts: 1 }, fault: { kind: 'hang', at: 'mid_body' } }] });
  const environment = engine();
  const trying = tryStage(place, 'downloadWindow', attempt(), environment);
  const ended = failureOf(trying);
  await expect.poll(async () => (await place.ledger.slices(PRODUCT, DAY)).length).toBe(SLICES - 1);
  await expect.poll(() => simulator.stats().requests).toBe(SLICES);
  environment.cancel('WORKER_SHUTDOWN');
  expect(await ended).toBeInstanceOf(CancelledFailure);
  expect(slices()).toHaveLength(SLICES - 1);
  expect(downloads().filter((path) => isTemporary(path))).toEqual([]);
  expect(existsSync(artifact())).toBe(false);
  expect(place.deps.gate.snapshot()).toMatchObject({ inFlight: 0, waiting: 0, incident: null });
  expect(await place.rows()).toEqual(['download DOWNLOAD_PENDING']);
  expect(await download(DAY, 2)).toMatchObject({ requests: 2 });
});

test('heartbeats tell how far it is', async () => {
  const environment = engine();
  const beats: unknown[] = [];
  environment.on('heartbeat', (beat: unknown) => void (beat !== undefined && beats.push(beat)));
  await tryStage(place, 'downloadWindow', attempt(), environment);
  expect(beats[0]).toMatchObject({ phase: 'slices', done: 0, total: SLICES, rate: expect.any(Number) as number });
  expect(beats.at(-1)).toMatchObject({ phase: 'slices', done: SLICES, total: SLICES });
  expect(JSON.stringify(beats.at(-1)).length).toBeLessThan(1_000);
});
