/** TRACK-8, TEL-31, TEL-32: what the reference left is taken over by its telemetry and its files, and only what is whole counts. */
import { appendFileSync, copyFileSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { importTelemetry } from '../../../src/activities/adopt/import-telemetry.ts';
import { takeUpFiles } from '../../../src/activities/adopt/take-up-files.ts';
import { previewDays } from '../../../src/activities/plan/plan-days.ts';
import type { RunMode } from '../../../src/core/backfill/types.ts';
import { parseDay } from '../../../src/core/time/day.ts';
import { openLedger } from '../../../src/ledger/index.ts';
import { TELEMETRY_COLUMNS, csvLine } from '../../../src/ledger/telemetry-format.ts';
import type { TelemetryColumn } from '../../../src/ledger/telemetry-format.ts';
import { openWorkspace } from '../../../src/storage/workspace.ts';
import { temporaryFolder } from '../../ledger/support.ts';

const FIXTURES = join(import.meta.dirname, '../../fixtures/reach');
const CSV = join(FIXTURES, 'REACH-TEST_20250904T000000_20250904T010000.csv');
const CDF = join(FIXTURES, 'reach_all_l1c_prelim_20250904T000000_v1.0.0.cdf');
const RECORDS = 716;
const MIB = 1_048_576;

type Values = Partial<Record<TelemetryColumn, string>>;

const nameOf = (day: number): string => `REACH-ALL_2025090${day}T000000_2025090${day + 1}T000000.csv`;
const mebibytes = (path: string): string => (readFileSync(path).length / MIB).toFixed(4);

function row(day: number, status: string, values: Values = {}): Values {
  const pending = status.endsWith('_PENDING');
  return {
    run_id: 'a808298f-0000-4000-8000-000000000000',
    chunk_date_utc: `2025-09-0${day}`,
    status,
    sensor_id: 'ALL',
    descriptor: 'QUICKLOOK',
    output_format: 'csv',
    started_at_utc: `2025-11-21T05:0${day}:54.414654+00:00`,
    finished_at_utc: pending ? '' : `2099-11-21T05:0${day}:55+00:00`,
    ...values,
  };
}

/** A folder `out` of downloads as the reference leaves it, run from the folder above. */
function referenceFolder(columns: number, rows: readonly Values[]) {
  const root = temporaryFolder();
  const downloads = join(root, 'out');
  mkdirSync(downloads);
  const telemetry = join(downloads, 'download_telemetry.csv');
  const names = TELEMETRY_COLUMNS.slice(0, columns);
  const lines = rows.map((values) => csvLine(names.map((name) => values[name] ?? '')));
  writeFileSync(telemetry, csvLine(names) + lines.join(''));
  return { root, downloads, telemetry };
}

async function adopted(place: { downloads: string; products?: string }) {
  const workspace = await openWorkspace(place);
  const notices: string[] = [];
  const { ledger, telemetry } = await openLedger({ workspace, onNotice: (notice) => notices.push(notice) });
  onTestFinished(() => ledger.close());
  const adopt = async () => {
    const imported = await importTelemetry(ledger, workspace.telemetryFile);
    const files = await takeUpFiles(ledger, workspace);
    await telemetry.flush();
    return { imported, files };
  };
  const actions = async (mode: RunMode, last: string, uploadTo: string | null = null) => {
    const log = { info: () => undefined, warn: () => undefined };
    const options = {
      mode,
      retryFailed: false,
      uploadTo,
      profile: 'parity',
      sliceMode: 'half-open',
      limitDays: null,
    } as const;
    const first = parseDay('2025-09-01');
    const request = { runId: 'r', product: 'reach-all/quicklook', first, last: parseDay(last), options };
    const { days } = await previewDays({ ledger, folders: workspace, today: () => '2026-02-01', log }, request);
    return Object.fromEntries(days.map(({ day, download, process }) => [day, mode === 'process' ? process : download]));
  };
  return { ledger, workspace, adopt, actions, notices };
}

describe('a workspace of the reference', () => {
  test('TRACK-8, TEL-31, TEL-32: 18 columns, relative paths, a torn line: whole files are done, the rest is reported', async () => {
    const told = (day: number, values: Values = {}): Values[] => [
      row(day, 'DOWNLOAD_PENDING'),
      row(day, 'DOWNLOADED', {
        // As given on the command line, from the folder above.
        csv_path: `out/${nameOf(day)}`,
        csv_size_mb: mebibytes(CSV),
        records_downloaded: String(RECORDS),
        ...values,
      }),
    ];
    const { downloads, telemetry } = referenceFolder(18, [
      ...told(1),
      ...told(2, { records_downloaded: '9999' }),
      ...told(3),
      ...told(4, { csv_size_mb: '99.0000' }),
      row(5, 'DOWNLOAD_PENDING'),
      row(5, 'SKIPPED_NO_DATA', {
        finished_at_utc: '2025-11-21T05:05:55+00:00',
        error_message: 'nothing,\r\n"really"',
      }),
      row(6, 'DOWNLOAD_PENDING'),
      row(6, 'FAILED', { error_type: 'HTTPError', error_message: '500', window_start_utc: 'x' }),
      row(7, 'DOWNLOAD_PENDING'),
      row(1, 'DOWNLOADED', { chunk_date_utc: 'yesterday' }),
      row(1, 'DREAMT'),
    ]);
    appendFileSync(telemetry, 'a808298f-0000,2025-09-0');
    for (const day of [1, 2, 4, 7]) copyFileSync(CSV, join(downloads, nameOf(day)));
    const before = readdirSync(downloads).toSorted();
    const { adopt, actions, workspace, notices } = await adopted({ downloads });
    const { imported, files } = await adopt();
    expect(notices).toEqual([
      `${telemetry}: upgraded to 24 columns; the original is ${telemetry}.18-columns-1`,
      `${telemetry}: an incomplete last line of another program was moved to ${telemetry}.torn-1`,
    ]);

    expect(imported).toMatchObject({ rows: 15, added: 13, refused: 2 });
    expect(imported.refusals).toEqual(['row 14: "yesterday" is not a date', 'row 15: "DREAMT" is not a status']);
    expect(imported.warnings.join('\n')).toContain('incomplete');
    expect(files).toMatchObject({ downloads: 1, products: 0, deliveries: 0 });
    expect(files.notTaken.map(({ day, problem }) => `${day} ${problem}`)).toEqual([
      '2025-09-02 differs',
      '2025-09-03 missing',
      '2025-09-04 differs',
    ]);
    expect(files.notTaken[0]!.detail).toBe(`${RECORDS} records, the telemetry says 9999`);
    expect(files.notTaken[1]!.detail).toBe(`no such file, nor one of that name in ${downloads}`);
    expect(files.unmatched).toEqual([2, 4, 7].map((day) => join(downloads, nameOf(day))));

    expect(await actions('download', '2025-09-07')).toEqual({
      '2025-09-01': 'skip_existing',
      '2025-09-02': 'run',
      '2025-09-03': 'run',
      '2025-09-04': 'run',
      '2025-09-05': 'skip_terminal',
      '2025-09-06': 'skip_failed',
      '2025-09-07': 'run',
    });
    // Every row of theirs is still there, once, under the full header; the original and the torn line are kept.
    const text = readFileSync(workspace.telemetryFile, 'utf8');
    expect(text.startsWith(csvLine(TELEMETRY_COLUMNS))).toBe(true);
    expect(text.match(/DOWNLOADED/g)).toHaveLength(5);
    expect(text).toContain('"nothing,\r\n""really"""');
    const added = readdirSync(downloads).filter((name) => !before.includes(name));
    expect(added.toSorted()).toEqual([
      '.reachback',
      'download_telemetry.csv.18-columns-1',
      'download_telemetry.csv.torn-1',
    ]);
  });

  test('TRACK-8: built and uploaded days need neither build nor upload; again leaves what once leaves', async () => {
    const below = 'l1c/prelim/2025/09/01/reach_all_l1c_prelim_20250901T000000_v1.0.0.cdf';
    const fetched = { csv_path: `out/${nameOf(1)}`, csv_size_mb: mebibytes(CSV), records_downloaded: String(RECORDS) };
    const built = { csv_path: `out/${nameOf(1)}`, cdf_path: `cdf/${below}`, cdf_size_mb: mebibytes(CDF) };
    const sent = { upload_seconds: '0.5', s3_bucket: 'science', s3_key: `reach/${below}` };
    const { root, downloads } = referenceFolder(24, [
      row(1, 'DOWNLOAD_PENDING'),
      row(1, 'DOWNLOADED', fetched),
      row(1, 'PROCESS_PENDING', { run_id: 'p' }),
      row(1, 'PROCESSED', { run_id: 'p', ...built, process_seconds: '0.002' }),
      row(1, 'UPLOAD_PENDING', { run_id: 'u', ...built }),
      row(1, 'UPLOADED', { run_id: 'u', ...built, ...sent }),
    ]);
    copyFileSync(CSV, join(downloads, nameOf(1)));
    const products = join(root, 'cdf');
    mkdirSync(dirname(join(products, below)), { recursive: true });
    copyFileSync(CDF, join(products, below));
    const { adopt, actions, ledger, workspace } = await adopted({ downloads, products });
    const { files } = await adopt();
    expect(files).toEqual({ downloads: 1, products: 1, deliveries: 1, notTaken: [], unmatched: [] });
    expect(await actions('download', '2025-09-01')).toEqual({ '2025-09-01': 'skip_existing' });
    expect(await actions('process', '2025-09-01', 's3://science/reach')).toEqual({ '2025-09-01': 'skip_existing' });
    expect(await actions('process', '2025-09-01', 's3://elsewhere')).toEqual({ '2025-09-01': 'run_upload_only' });

    const { problems, rows } = await ledger.checkIntegrity();
    expect(problems).toEqual([]);
    const text = readFileSync(workspace.telemetryFile, 'utf8');
    const again = await adopt();
    expect(again.imported.added).toBe(0);
    expect(again.files).toEqual(files);
    expect((await ledger.checkIntegrity()).rows).toEqual(rows);
    expect(readFileSync(workspace.telemetryFile, 'utf8')).toBe(text);
  });

  test('TEL-15, TEL-23: delivered stays delivered, copied to here or removed here; what was made later is delivered anew', async () => {
    const below = (day: number): string =>
      `l1c/prelim/2025/09/0${day}/reach_all_l1c_prelim_2025090${day}T000000_v1.0.0.cdf`;
    const finished = { finished_at_utc: '2025-11-21T06:00:00+00:00' };
    const fetched = (day: number) => row(day, 'DOWNLOADED', { ...finished, csv_path: `out/${nameOf(day)}` });
    const built = (day: number) =>
      row(day, 'PROCESSED', { ...finished, csv_path: `out/${nameOf(day)}`, cdf_path: `cdf/${below(day)}` });
    const sent = (day: number) =>
      row(day, 'UPLOADED', { ...finished, cdf_path: `cdf/${below(day)}`, s3_bucket: 'science', s3_key: below(day) });
    const { root, downloads } = referenceFolder(24, [
      ...[1, 2, 3, 4].flatMap((day) => [fetched(day), built(day), sent(day)]),
      { ...fetched(3), run_id: 'later' },
      { ...built(4), run_id: 'later' },
    ]);
    for (const day of [1, 2, 3, 4]) copyFileSync(CSV, join(downloads, nameOf(day)));
    const products = join(root, 'cdf');
    // Copied: its time is later than that of its delivery.
    mkdirSync(dirname(join(products, below(1))), { recursive: true });
    copyFileSync(CDF, join(products, below(1)));
    const { adopt, actions } = await adopted({ downloads, products });
    const { files } = await adopt();
    expect(files).toMatchObject({ downloads: 4, products: 1, deliveries: 1 });
    expect(files.notTaken.map(({ day, kind, problem }) => `${day} ${kind} ${problem}`)).toEqual(
      [2, 3, 4].map((day) => `2025-09-0${day} product missing`),
    );
    expect(await actions('process', '2025-09-04', 's3://science')).toEqual({
      '2025-09-01': 'skip_existing',
      '2025-09-02': 'skip_existing',
      '2025-09-03': 'run_process',
      '2025-09-04': 'run_process',
    });
    expect(await actions('process', '2025-09-02', 's3://elsewhere')).toEqual({
      '2025-09-01': 'run_upload_only',
      '2025-09-02': 'run_process',
    });
  });

  test('CLI-D3: rows that name the product as it was typed are known, and are not written a second time', async () => {
    const { downloads, telemetry } = referenceFolder(24, [
      row(1, 'PROCESS_PENDING', { descriptor: 'PRELIMINARY', sensor_id: 'reach-101' }),
      row(1, 'FAILED', { descriptor: 'PRELIMINARY', sensor_id: 'reach-101', process_seconds: '0.1' }),
    ]);
    const before = readFileSync(telemetry, 'utf8');
    const { adopt, ledger } = await adopted({ downloads });
    expect((await adopt()).imported).toMatchObject({ rows: 2, added: 2 });
    expect(await ledger.stateCounts()).toMatchObject([{ product: 'reach-101/provisional', status: 'FAILED', days: 1 }]);
    expect(readFileSync(telemetry, 'utf8')).toBe(before);
  });

  test('TRACK-8: a CDF that cannot be read is reported, not marked', async () => {
    const { root, downloads } = referenceFolder(24, [
      row(1, 'PROCESS_PENDING'),
      row(1, 'PROCESSED', { cdf_path: 'cdf/x.cdf' }),
    ]);
    const products = join(root, 'cdf');
    mkdirSync(products);
    writeFileSync(join(products, 'x.cdf'), readFileSync(CDF).subarray(0, 1_000));
    const { adopt, ledger } = await adopted({ downloads, products });
    const { files } = await adopt();
    expect(files.notTaken).toMatchObject([{ problem: 'unreadable', path: join(products, 'x.cdf') }]);
    expect(await ledger.presentFiles()).toEqual([]);
  });
});

test('a file of another kind is refused by name, with what to do', async () => {
  const { downloads, telemetry } = referenceFolder(24, []);
  writeFileSync(telemetry, 'a,b\r\n1,2\r\n');
  const workspace = await openWorkspace({ downloads });
  const { ledger } = await openLedger({ workspace });
  onTestFinished(() => ledger.close());
  await expect(importTelemetry(ledger, telemetry)).rejects.toMatchObject({
    kind: 'config_invalid',
    message: expect.stringContaining(`${telemetry} is not a telemetry file`),
  });
  await expect(importTelemetry(ledger, `${telemetry}.none`)).rejects.toMatchObject({ kind: 'config_invalid' });
});
