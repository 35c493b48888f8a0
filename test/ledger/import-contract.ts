/** What every ledger promises about rows that are brought from elsewhere. */
import { expect, test } from 'vitest';
import { createTelemetryRows } from '../../src/ledger/telemetry-rows.ts';
import type { ImportedAttempt } from '../../src/ledger/telemetry-rows.ts';
import { TELEMETRY_COLUMNS } from '../../src/ledger/telemetry-format.ts';
import type { TelemetryRow } from '../../src/ledger/telemetry-read.ts';
import type { LedgerFactory } from './contract.ts';
import { addDays } from '../../src/core/time/day.ts';
import { DAY, QUICKLOOK, attempt, createClock, slice, temporaryFolder } from './support.ts';

function rowWith(values: Partial<TelemetryRow>): TelemetryRow {
  const known: Partial<TelemetryRow> = {
    run_id: 'theirs',
    chunk_date_utc: DAY,
    sensor_id: 'ALL',
    descriptor: 'QUICKLOOK',
    output_format: 'csv',
    started_at_utc: '2025-11-20T01:00:00+00:00',
  };
  const row = Object.fromEntries(TELEMETRY_COLUMNS.map((column) => [column, { ...known, ...values }[column] ?? '']));
  return row as unknown as TelemetryRow;
}

function attemptsOf(rows: readonly TelemetryRow[]): ImportedAttempt[] {
  const reader = createTelemetryRows();
  const taken = rows.flatMap((row) => {
    const result = reader.take(row);
    return 'refused' in result ? [] : result.attempts;
  });
  return [...taken, ...reader.rest()];
}

const ENDED = { finished_at_utc: '2025-11-20T01:01:00+00:00' };

export function describeImport(name: string, open: LedgerFactory): void {
  test(`${name}: TRACK-7: imported rows join the ledger's own once, and the latest word of a day is the last one`, async () => {
    const ledger = await open(temporaryFolder(), createClock().now);
    await ledger.openStage(attempt());
    const upload = {
      status: 'UPLOADED',
      upload_seconds: '0.5',
      s3_bucket: 'science',
      s3_key: 'p/a/b/2025/09/01/x.cdf',
    };
    const rows = attemptsOf([
      rowWith({ status: 'DOWNLOAD_PENDING' }),
      rowWith({ status: 'FAILED', error_type: 'HTTPError', error_message: 'no\r\nluck', ...ENDED }),
      rowWith({ status: 'UPLOAD_PENDING', started_at_utc: '2025-11-20T02:00:00+00:00' }),
      rowWith({ ...upload, started_at_utc: '2025-11-20T02:00:00+00:00', ...ENDED }),
    ]);
    expect(rows.map(({ stage, edge, destination }) => `${stage} ${edge} ${destination}`)).toEqual([
      'download opening ',
      'download closing ',
      'upload opening s3://science/p',
      'upload closing s3://science/p',
    ]);
    expect(await ledger.importAttempts(rows)).toBe(4);
    expect(await ledger.importAttempts(rows)).toBe(0);
    expect(await ledger.attemptsAfter(0, 10)).toHaveLength(5);
    const [facts] = await ledger.dayFacts(QUICKLOOK, DAY, DAY, 's3://science/p');
    expect(facts?.download).toMatchObject({ status: 'FAILED', stage: 'download', errorMessage: 'no\r\nluck' });
    expect(facts?.upload).toMatchObject({ status: 'UPLOADED', runId: 'theirs' });
    expect((await ledger.checkIntegrity()).problems).toEqual([]);
  });

  test(`${name}: TRACK-4, TRACK-5: many rows at once leave what they leave one by one, each once, also told twice in one batch`, async () => {
    const days = Array.from({ length: 150 }, (_none, later) => addDays(DAY, later));
    const rows = attemptsOf(
      days.flatMap((day, index) => [
        rowWith({ chunk_date_utc: day, status: 'DOWNLOAD_PENDING', expected_records: '1105920' }),
        index % 7 === 3
          ? rowWith({ chunk_date_utc: day, status: 'FAILED', error_message: 'no, "really"\nno', ...ENDED })
          : rowWith({
              chunk_date_utc: day,
              status: 'DOWNLOADED',
              records_downloaded: `${index}`,
              csv_path: '/x.csv',
              ...ENDED,
            }),
      ]),
    );
    const [at, once] = [
      await open(temporaryFolder(), createClock().now),
      await open(temporaryFolder(), createClock().now),
    ];
    for (const row of rows) expect(await once.importAttempts([row])).toBe(1);
    expect(await at.importAttempts(rows.slice(0, 20))).toBe(20);
    expect(await at.importAttempts([...rows, ...rows])).toBe(280);
    expect(await at.importAttempts(rows)).toBe(0);
    for (const ledger of [at, once]) expect((await ledger.checkIntegrity()).problems).toEqual([]);
    expect(await at.attemptsAfter(0, 1_000)).toEqual(await once.attemptsAfter(0, 1_000));
    expect(await at.stateCounts()).toEqual(await once.stateCounts());
    const statesOf = (ledger: typeof at) => ledger.dayFacts(QUICKLOOK, DAY, days.at(-1)!, null);
    expect(await statesOf(at)).toEqual(await statesOf(once));
  });

  test(`${name}: TRACK-8: the files that rows tell of, the latest of each day, some days at a time`, async () => {
    const ledger = await open(temporaryFolder(), createClock().now);
    const at = (hour: number) => ({
      started_at_utc: `2025-11-20T0${hour}:00:00+00:00`,
      finished_at_utc: `2025-11-20T0${hour}:01:00+00:00`,
    });
    const [first, second, third] = [DAY, addDays(DAY, 1), addDays(DAY, 2)];
    const file = { csv_path: '/in/a.csv', csv_size_mb: '1.5000', records_downloaded: '8' };
    const built = { status: 'PROCESSED', cdf_path: '/out/a.cdf', cdf_size_mb: '2.0000', csv_path: '/in/a.csv' };
    const sent = { status: 'UPLOADED', s3_bucket: 'science', s3_key: 'p/a/b/2025/09/01/a.cdf' };
    const rows = attemptsOf([
      rowWith({ chunk_date_utc: first, status: 'DOWNLOADED', ...file, csv_path: '/in/former.csv', ...at(1) }),
      rowWith({ chunk_date_utc: first, status: 'DOWNLOADED', ...file, ...at(2) }),
      rowWith({ chunk_date_utc: first, ...built, ...at(3) }),
      rowWith({ chunk_date_utc: first, ...sent, ...at(4) }),
      rowWith({ chunk_date_utc: second, status: 'SKIPPED_NO_DATA', ...at(1) }),
      rowWith({ chunk_date_utc: third, ...built, csv_path: '', cdf_size_mb: '', ...at(1) }),
      rowWith({ chunk_date_utc: third, ...sent, ...at(2) }),
      rowWith({ chunk_date_utc: third, ...built, csv_path: '', cdf_size_mb: '', ...at(3) }),
    ]);
    await ledger.importAttempts(rows);
    const told = await ledger.toldDaysAfter(null, 1);
    expect(told).toEqual([
      {
        product: QUICKLOOK,
        day: first,
        download: { path: '/in/a.csv', sizeBytes: 1_572_864, records: 8 },
        build: { path: '/out/a.cdf', sizeBytes: 2_097_152, inputPath: '/in/a.csv' },
        upload: { destination: 's3://science/p', key: 'a/b/2025/09/01/a.cdf', finishedAt: at(4).finished_at_utc },
      },
    ]);
    // What was built again has not been delivered.
    expect(await ledger.toldDaysAfter(told[0]!, 10)).toEqual([
      {
        product: QUICKLOOK,
        day: third,
        download: null,
        build: { path: '/out/a.cdf', sizeBytes: null, inputPath: null },
        upload: null,
      },
    ]);
    expect(await ledger.toldDaysAfter({ product: QUICKLOOK, day: third }, 10)).toEqual([]);
  });

  test(`${name}: TEL-21: a failed row without its beginning is of the stage that its columns tell`, () => {
    const failed = (values: Partial<TelemetryRow>) =>
      attemptsOf([rowWith({ status: 'FAILED', ...ENDED, ...values })]).map(({ stage }) => stage);
    expect(failed({ upload_seconds: '1', process_seconds: '1', cdf_path: '/x.cdf' })).toEqual(['upload']);
    expect(failed({ process_seconds: '1' })).toEqual(['build']);
    expect(failed({ window_start_utc: '2025-09-01T00:00:00+00:00' })).toEqual(['download']);
  });

  test(`${name}: TRACK-5, TRACK-6: states and sums of days are made anew in chunks, to what they were, also once begun and left`, async () => {
    const ledger = await open(temporaryFolder(), createClock().now);
    const days = [0, 1, 2, 3, 4].map((later) => addDays(DAY, later));
    for (const [index, day] of days.entries()) {
      const workflowRunId = `wf-${day}`;
      await ledger.openStage(attempt({ day, workflowRunId }));
      if (index % 2 === 0) await ledger.failStage(attempt({ day, workflowRunId }), FAILURE);
      await ledger.putSlices([slice({ day }), slice({ day, startMs: slice().startMs + 1, records: 7 })]);
    }
    const told = async () => [
      await ledger.stateCounts(),
      await ledger.dayFacts(QUICKLOOK, DAY, days[4]!, null),
      (await ledger.checkIntegrity()).problems,
    ];
    const before = await told();
    expect(before[2]).toEqual([]);
    const chunk = await ledger.rollUpAfter(null, 2);
    expect(chunk).toEqual({ days: 2, last: { product: QUICKLOOK, day: days[1] } });
    expect(await told()).toEqual(before);
    const chunks: number[] = [];
    for (let next = await ledger.rollUpAfter(null, 2); next; next = await ledger.rollUpAfter(next.last, 2)) {
      chunks.push(next.days);
    }
    expect(chunks).toEqual([2, 2, 1]);
    expect(await told()).toEqual(before);
  });
}

const FAILURE = { stage: 'download', kind: 'slice_exhausted', message: 'slice 12 failed 6 times: HTTP 503' } as const;
