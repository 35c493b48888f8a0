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
