/** A telemetry CSV as years of runs leave it. */
import { open } from 'node:fs/promises';
import { SENSORS } from '../../src/core/constellation.ts';
import { addDays, parseDay } from '../../src/core/time/day.ts';
import { TELEMETRY_COLUMNS, csvLine } from '../../src/ledger/telemetry-format.ts';
import type { TelemetryColumn } from '../../src/ledger/telemetry-format.ts';

/** Download and build, begun and ended; one day of fifty failed first. */
const FAILED_ONCE = 50;
const DAYS = 3_653;

/**
 * Ten years of ALL, then of one sensor after the other, a run each; every pair of rows is of a later time than the former.
 *
 * @param rows - at least so many; a day is written whole
 * @returns rows and bytes
 */
export async function writeTelemetry(path: string, rows: number): Promise<{ rows: number; bytes: number }> {
  const file = await open(path, 'w');
  const header = csvLine(TELEMETRY_COLUMNS);
  let [written, bytes, lines] = [0, header.length, [header]];
  try {
    for (let index = 0; written < rows; index += 1) {
      const ofDay = rowsOfDay(index);
      written += ofDay.length;
      lines.push(...ofDay);
      if (lines.length < 5_000 && written < rows) continue;
      const text = lines.join('');
      bytes += text.length;
      await file.writeFile(text);
      lines = [];
    }
  } finally {
    await file.close();
  }
  return { rows: written, bytes: bytes - header.length };
}

function rowsOfDay(index: number): string[] {
  const run = Math.floor(index / DAYS);
  const day = addDays(parseDay('2015-01-01'), index % DAYS);
  const sensor = ['ALL', ...SENSORS.map(({ id }) => id)][run % (SENSORS.length + 1)]!;
  const compact = (text: string): string => text.replaceAll('-', '');
  const name = `REACH-${sensor.replace('REACH-', '')}_${compact(day)}T000000_${compact(addDays(day, 1))}T000000.csv`;
  const at = (seconds: number): string =>
    new Date(Date.UTC(2025, 10, 21) + (index * 60 + seconds) * 1_000).toISOString().replace('Z', '000+00:00');
  const line = (values: Partial<Record<TelemetryColumn, string>>): string => {
    const all: Partial<Record<TelemetryColumn, string>> = {
      run_id: `a808298f-0000-4000-8000-${String(run).padStart(12, '0')}`,
      chunk_date_utc: day,
      expected_records: '1105920',
      sensor_id: sensor,
      descriptor: 'QUICKLOOK',
      output_format: 'csv',
      ...values,
    };
    return csvLine(TELEMETRY_COLUMNS.map((column) => all[column] ?? ''));
  };
  const window = { window_start_utc: `${day}T00:00:00+00:00`, window_end_utc: `${addDays(day, 1)}T00:00:00+00:00` };
  const artifact = {
    records_downloaded: '1101000',
    availability_pct: '99.5551',
    download_seconds: '11.402',
    csv_size_mb: '546.4554',
    csv_path: `/srv/reach/data/downloads/${name}`,
  };
  const product = `/srv/reach/data/products/l1c/prelim/${day.replaceAll('-', '/')}/reach_all_l1c_prelim_${compact(day)}T000000_v1.0.0.cdf`;
  const failed = {
    status: 'FAILED',
    error_type: 'HTTPError',
    error_message: 'slice 12, "HTTP 503"\nsix times',
    started_at_utc: at(0),
    finished_at_utc: at(9),
  };
  return [
    ...(index % FAILED_ONCE === 7
      ? [line({ ...window, status: 'DOWNLOAD_PENDING', started_at_utc: at(0) }), line({ ...window, ...failed })]
      : []),
    line({ ...window, status: 'DOWNLOAD_PENDING', started_at_utc: at(10) }),
    line({ ...window, ...artifact, status: 'DOWNLOADED', started_at_utc: at(10), finished_at_utc: at(22) }),
    line({ ...artifact, status: 'PROCESS_PENDING', started_at_utc: at(23) }),
    line({
      ...artifact,
      status: 'PROCESSED',
      process_seconds: '5.114',
      cdf_size_mb: '40.0543',
      cdf_path: product,
      started_at_utc: at(23),
      finished_at_utc: at(29),
    }),
  ];
}
