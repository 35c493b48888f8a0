/** Reads a telemetry CSV of any origin: no content of the file makes this throw (TEL-7…10, TEL-31). */
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { parse } from 'csv-parse/sync';
import { TELEMETRY_STATUSES } from './ledger.ts';
import { TELEMETRY_COLUMNS } from './telemetry-format.ts';
import type { TelemetryColumn } from './telemetry-format.ts';
import { splitRecords } from './telemetry-records.ts';

/** One row as text; columns that the file lacks are empty (TEL-10). Paths are absolute (TEL-D9). */
export type TelemetryRow = Readonly<Record<TelemetryColumn, string>>;

export interface TelemetryFile {
  /** All rows in file order, also those whose date or status nobody understands. */
  readonly rows: readonly TelemetryRow[];
  /** What was passed over or looks odd, for people. */
  readonly warnings: readonly string[];
}

const PATH_COLUMNS = new Set<TelemetryColumn>(['csv_path', 'cdf_path']);

/** Whatever a file holds, reading goes on. */
export const PARSE_OPTIONS = {
  bom: true,
  record_delimiter: ['\r\n', '\n'],
  relax_column_count: true,
  relax_quotes: true,
  skip_empty_lines: true,
  skip_records_with_error: true,
};

/** The rows of a telemetry file; none when it is missing (TEL-7). */
export async function readTelemetryCsv(path: string): Promise<TelemetryFile> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { rows: [], warnings: [] };
    throw error;
  }
  const warnings: string[] = [];
  const records = splitRecords(bytes);
  const last = records.at(-1);
  const header = records[0];
  const torn = last !== undefined && !last.ended && (last.openQuote || last.fields < (header?.fields ?? 0));
  if (torn) {
    warnings.push(`${path}: the last line is incomplete and was ignored (${last.end - last.start} bytes)`);
  }
  const [names = [], ...lines] = parseFields(torn ? bytes.subarray(0, last.start) : bytes);
  const position = new Map(names.map((name, index) => [name, index]));
  const folder = dirname(resolve(path));
  const rows = lines.map((fields) => toRow(fields, position, folder));
  for (const status of new Set(rows.map((row) => row.status))) {
    if (status !== '' && !(TELEMETRY_STATUSES as readonly string[]).includes(status)) {
      warnings.push(`${path}: unknown status "${status.slice(0, 80)}"; such days count as not done`);
    }
  }
  return { rows, warnings };
}

/** Fields of all records; whatever cannot be parsed is left out. */
export function parseFields(bytes: Buffer): string[][] {
  return parse(bytes, PARSE_OPTIONS);
}

/** @param folder - what relative paths are relative to, absolute */
export function toRow(fields: readonly string[], position: ReadonlyMap<string, number>, folder: string): TelemetryRow {
  const row = {} as Record<TelemetryColumn, string>;
  for (const column of TELEMETRY_COLUMNS) {
    const text = fields[position.get(column) ?? -1] ?? '';
    row[column] = PATH_COLUMNS.has(column) && text !== '' ? resolve(folder, text) : text;
  }
  return row;
}
