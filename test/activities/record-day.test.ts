import { beforeEach, expect, test } from 'vitest';
import { parseDay } from '../../src/core/time/day.ts';
import type { DayFailure } from '../../src/core/backfill/types.ts';
import { readTelemetry } from '../../src/ledger/telemetry-read.ts';
import type { TelemetryRow } from '../../src/ledger/telemetry-read.ts';
import { ALL, createPlace, dayAttempt, engine, failureOf } from './set-up.ts';
import type { Place } from './set-up.ts';

const DAY = parseDay('2026-01-01');
const FAILURE: DayFailure = {
  stage: 'build',
  kind: 'input_invalid',
  message: 'No records,\n"none" at all.',
  hint: 'Look.',
};

let place: Place;

beforeEach(async () => {
  place = await createPlace();
});

const record = (failure?: DayFailure) =>
  engine().run((attempt: Parameters<typeof place.activities.recordDay>[0]) => place.activities.recordDay(attempt), {
    ...dayAttempt({ day: DAY }),
    ...(failure && { failure }),
  });

test('TEL-12: a day given up is FAILED once, with stage, kind and message, however often it is said', async () => {
  await record(FAILURE);
  await record(FAILURE);
  expect(await place.rows()).toEqual(['build PROCESS_PENDING', 'build FAILED']);
  const [facts] = await place.ledger.dayFacts(ALL, DAY, DAY, null);
  expect(facts?.build).toMatchObject({ status: 'FAILED', stage: 'build', errorMessage: FAILURE.message });
});

test('TEL-33: its message survives the telemetry file, line ends and quotes included', async () => {
  await record(FAILURE);
  const warnings: string[] = [];
  const rows: TelemetryRow[] = [];
  for await (const batch of readTelemetry(place.workspace.telemetryFile, (text) => warnings.push(text)))
    rows.push(...batch);
  expect(warnings).toEqual([]);
  expect(rows.map(({ status, error_message: message }) => [status, message])).toEqual([
    ['PROCESS_PENDING', ''],
    ['FAILED', FAILURE.message],
  ]);
});

test('a day that went well gets no row of its own; telemetry is brought up to date', async () => {
  await place.ledger.openStage({ runId: 'r', workflowRunId: 'w', product: ALL, day: DAY, stage: 'download' });
  await record();
  expect(await place.rows()).toEqual(['download DOWNLOAD_PENDING']);
  expect(place.telemetry()).toContain('DOWNLOAD_PENDING');
});

test('CDF-D1: a plan that meets a path of another product ends the range, not a day', async () => {
  const { workspace, ledger } = place;
  const path = `${workspace.downloads}/REACH-ALL_20260101T000000_20260102T000000.csv`;
  const file = {
    path,
    sizeBytes: 1,
    sha256: 'a'.repeat(64),
    mtimeMs: 1,
    records: 1,
    createdAt: '2026-01-02T00:00:00.000Z',
  };
  const origin = { inputSha256: null, profile: null, version: null };
  await ledger.putArtifact({ kind: 'download', product: ALL, day: DAY, ...file, ...origin });
  const { input } = dayAttempt();
  const request = { runId: 'r', product: 'reach-all/provisional', first: DAY, last: DAY, options: input.options };
  const failure = await failureOf(engine().run(() => place.activities.planRange(request)));
  expect(failure).toMatchObject({ type: 'path_owned', nonRetryable: true });
  expect(failure.details?.[0]).toHaveProperty('hint', expect.stringContaining('--'));
});
