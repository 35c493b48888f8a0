/** A telemetry CSV row by row, whatever its size; otherwise as `telemetry-read.ts`. */
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { pipeline } from 'node:stream';
import { parse } from 'csv-parse';
import { PipelineError } from '../core/errors.ts';
import { explainFsError } from '../storage/folders.ts';
import { PARSE_OPTIONS, toRow } from './telemetry-read.ts';
import type { TelemetryRow } from './telemetry-read.ts';

/**
 * Yields the rows in file order. A torn last line is left out with a warning (TEL-31).
 *
 * @throws PipelineError `config_invalid` when the file cannot be read or is no telemetry CSV
 */
export async function* streamTelemetryCsv(
  path: string,
  onWarning: (warning: string) => void,
): AsyncGenerator<TelemetryRow, void> {
  const isEnded = await endsWithLine(path);
  const parser = parse(PARSE_OPTIONS);
  parser.on('skip', (error: Error) => onWarning(`${path}: lines that cannot be read were ignored (${error.message})`));
  // Errors of either part are thrown by the loop below.
  pipeline(createReadStream(path), parser, () => undefined);
  const folder = dirname(resolve(path));
  let position: Map<string, number> | null = null;
  let held: string[] | null = null;
  for await (const fields of parser as AsyncIterable<string[]>) {
    if (position === null) {
      position = new Map(fields.map((name, index) => [name, index]));
      requireTelemetry(path, position);
      continue;
    }
    if (held !== null) yield toRow(held, position, folder);
    held = fields;
  }
  if (held === null || position === null) return;
  if (isEnded || held.length >= position.size) yield toRow(held, position, folder);
  else onWarning(`${path}: the last line is incomplete and was ignored (${held.length} of ${position.size} fields)`);
}

/** Whether the file's last byte ends a line. */
async function endsWithLine(path: string): Promise<boolean> {
  try {
    const file = await open(path, 'r');
    try {
      const { size } = await file.stat();
      const { buffer, bytesRead } = await file.read(Buffer.alloc(1), 0, 1, Math.max(0, size - 1));
      return bytesRead === 1 && buffer[0] === 0x0a;
    } finally {
      await file.close();
    }
  } catch (error) {
    throw new PipelineError('config_invalid', `Cannot read the telemetry file ${path}: ${explainFsError(error)}.`, {
      hint: 'Name the CSV that the downloads wrote: download_telemetry.csv beside them, or another with --telemetry-file.',
      context: { path },
      cause: error,
    });
  }
}

function requireTelemetry(path: string, position: ReadonlyMap<string, number>): void {
  const missing = ['run_id', 'chunk_date_utc', 'status', 'started_at_utc'].filter((name) => !position.has(name));
  if (missing.length === 0) return;
  throw new PipelineError(
    'config_invalid',
    `${path} is not a telemetry file: its first line has no column ${missing.join(', ')}.`,
    { hint: 'Name the CSV that the downloads wrote.', context: { path } },
  );
}
