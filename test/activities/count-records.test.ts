import { rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { beforeEach, expect, test } from 'vitest';
import { parseDay } from '../../src/core/time/day.ts';
import type { ArtifactRow } from '../../src/ledger/ledger.ts';
import { manifestPath, writeManifest } from '../../src/storage/manifest.ts';
import { goodRecords, record, toCsv } from '../products/reach-l1c/support.ts';
import { ALL, createPlace, dayAttempt, failureOf, putDownload, tryStage } from './set-up.ts';
import type { Place } from './set-up.ts';

const DAY = parseDay('2026-01-01');
/** Twelve records: a second one of a reading, and one of a sensor that nobody knows. */
const CSV = toCsv([
  ...goodRecords(10),
  record({ createdAt: '2026-01-01T02:00:00.000Z' }),
  record({ idSensor: 'REACH-999' }),
]);
const COUNTS = { records: 12, distinctReadings: 11, recordsPerSensor: { 'REACH-101': 11, 'REACH-999': 1 } };
/** Not what the file holds: seen only when the manifest is believed. */
const WRITTEN = { records: 5, distinctReadings: 4, recordsPerSensor: { 'REACH-101': 5 } };

let place: Place;
let artifact: ArtifactRow;

beforeEach(async () => {
  place = await createPlace();
  artifact = await putDownload(place, DAY, CSV);
});

async function putManifest(sha256: string): Promise<void> {
  await writeManifest(artifact.path, {
    manifestVersion: 1,
    kind: 'download',
    product: ALL,
    day: DAY,
    file: artifact.path.split('/').at(-1)!,
    sizeBytes: artifact.sizeBytes,
    sha256,
    writer: 'test',
    counts: WRITTEN,
    columns: [],
    sliceMode: 'half-open',
    slices: 288,
    emptySlices: 0,
    outsideSlice: 0,
  });
}

const count = () => tryStage(place, 'countRecords', dayAttempt({ day: DAY, stages: ['count'] }));
const counted = async () => (await place.ledger.dayFacts(ALL, DAY, DAY, null))[0]?.counts;

test('a file without a manifest is counted by reading it; twice changes nothing', async () => {
  const first = await count();
  expect(first).toMatchObject({ records: 12, distinctReadings: 11, availabilityPct: (12 / 1_105_920) * 100 });
  expect(await counted()).toEqual(COUNTS);
  expect(await count()).toEqual({ ...first, seconds: expect.any(Number) as number });
  expect(await counted()).toEqual(COUNTS);
  expect(place.effects).toEqual(['putCounts', 'putCounts']);
  expect(await place.rows()).toEqual([]);
});

test('counts made while the file was written are taken over', async () => {
  await putManifest(artifact.sha256);
  expect(await count()).toMatchObject({ records: 5, distinctReadings: 4 });
  expect(await counted()).toEqual(WRITTEN);
});

test.for<[string, () => Promise<void> | void]>([
  ['the manifest is of another content', () => putManifest('0'.repeat(64))],
  [
    'the file has another time',
    async () => {
      await putManifest(artifact.sha256);
      utimesSync(artifact.path, new Date(), new Date(statSync(artifact.path).mtimeMs + 5_000));
    },
  ],
  ['the manifest cannot be read', () => writeFileSync(manifestPath(artifact.path), '{')],
])('SAFE-7: when %s, the file itself is counted', async ([, change]) => {
  await change();
  await count();
  expect(await counted()).toEqual(COUNTS);
});

test('a file that has changed since its download ends the day: expected, found, and what to do', async () => {
  writeFileSync(artifact.path, toCsv(goodRecords(3)));
  const failure = await failureOf(count());
  expect(failure).toMatchObject({ type: 'checksum_mismatch', nonRetryable: true });
  expect(failure.message).toContain(artifact.path);
  expect(failure.message).toContain(`expected ${artifact.sizeBytes} bytes with SHA-256 ${artifact.sha256}`);
  expect(failure.details?.[0]).toHaveProperty('hint', expect.stringContaining('--retry-failed'));
  expect(await counted()).toBeNull();
});

test('a file that is gone ends the day', async () => {
  rmSync(artifact.path);
  const failure = await failureOf(count());
  expect(failure).toMatchObject({ type: 'input_invalid', nonRetryable: true });
  expect(failure.message).toContain(artifact.path);
});

test('a day without a download', async () => {
  place = await createPlace();
  const failure = await failureOf(count());
  expect(failure).toMatchObject({ type: 'input_invalid', nonRetryable: true });
  expect(failure.message).toContain(DAY);
});
