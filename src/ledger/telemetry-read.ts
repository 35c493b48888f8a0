/** Reads a telemetry CSV of any origin and size: no content of its rows makes this throw (TEL-7…10, TEL-31). */
import { open } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { PipelineError } from '../core/errors.ts';
import { explainFsError } from '../storage/folders.ts';
import { storableText } from './storable-text.ts';
import { TELEMETRY_COLUMNS } from './telemetry-format.ts';
import type { TelemetryColumn } from './telemetry-format.ts';
import { fieldsOf, streamRecords } from './telemetry-records.ts';
import type { CsvRecord } from './telemetry-records.ts';

/** One row as text; columns that the file lacks are empty (TEL-10). Paths are absolute (TEL-D9). */
export type TelemetryRow = Readonly<Record<TelemetryColumn, string>>;

const PATH_COLUMNS = new Set<TelemetryColumn>(['csv_path', 'cdf_path']);
const EMPTY = Object.fromEntries(TELEMETRY_COLUMNS.map((column) => [column, ''])) as Record<TelemetryColumn, string>;
const NEEDED = ['run_id', 'chunk_date_utc', 'status', 'started_at_utc'] as const;
/** Lines that cannot be read, told one by one; the rest are counted. */
const MOST_WARNINGS = 20;

/**
 * Yields the rows in file order, some hundreds at a time, those too whose date or status nobody understands. A torn last line
 * is left out with a warning (TEL-31).
 *
 * @throws PipelineError `config_invalid` when the file cannot be read or is no telemetry CSV
 */
export async function* readTelemetry(
  path: string,
  onWarning: (warning: string) => void,
): AsyncGenerator<TelemetryRow[], void> {
  await requireReadable(path);
  const folder = dirname(resolve(path));
  let reader: RowReader | null = null;
  let unreadable = 0;
  for await (const { bytes, at, records } of streamRecords(path)) {
    const rows: TelemetryRow[] = [];
    for (const record of records) {
      if (reader !== null && isTorn(record, reader.columns)) {
        const length = record.end - record.start;
        onWarning(`${path}: the last line is incomplete and was ignored (${length} bytes)`);
        continue;
      }
      if (record.openQuote) {
        unreadable += 1;
        if (unreadable <= MOST_WARNINGS) {
          onWarning(
            `${path}: a line cannot be read and was ignored: its quote is never closed (byte ${at + record.start})`,
          );
        }
        continue;
      }
      const fields = fieldsOf(bytes, record);
      if (fields === null) continue;
      if (reader === null) reader = rowReader(path, fields, folder);
      else rows.push(reader.row(fields));
    }
    if (rows.length > 0) yield rows;
  }
  if (unreadable > MOST_WARNINGS) onWarning(`${path}: ${unreadable} lines in all cannot be read`);
}

/** Only the last record of a file can lack its line end. */
function isTorn({ ended, openQuote, fields }: CsvRecord, columns: number): boolean {
  return !ended && (openQuote || fields < columns);
}

interface RowReader {
  readonly columns: number;
  row(fields: readonly string[]): TelemetryRow;
}

/** @param folder - what relative paths are relative to, absolute */
function rowReader(path: string, header: readonly string[], folder: string): RowReader {
  const position = new Map(header.map((name, index) => [name.replace(/^\uFEFF/, ''), index]));
  const missing = NEEDED.filter((name) => !position.has(name));
  if (missing.length > 0) {
    throw new PipelineError(
      'config_invalid',
      `${path} is not a telemetry file: its first line has no column ${missing.join(', ')}.`,
      { hint: 'Name the CSV that the downloads wrote.', context: { path } },
    );
  }
  const places = TELEMETRY_COLUMNS.map((column) => ({
    column,
    index: position.get(column) ?? -1,
    isPath: PATH_COLUMNS.has(column),
  }));
  return {
    columns: header.length,
    row(fields) {
      const row = { ...EMPTY };
      for (const { column, index, isPath } of places) {
        const text = storableText(fields[index] ?? '');
        row[column] = isPath && text !== '' ? resolve(folder, text) : text;
      }
      return row;
    },
  };
}

async function requireReadable(path: string): Promise<void> {
  try {
    await (await open(path, 'r')).close();
  } catch (error) {
    throw new PipelineError('config_invalid', `Cannot read the telemetry file ${path}: ${explainFsError(error)}.`, {
      hint: 'Name the CSV that the downloads wrote: download_telemetry.csv beside them, or another with --telemetry-file.',
      context: { path },
      cause: error,
    });
  }
}
