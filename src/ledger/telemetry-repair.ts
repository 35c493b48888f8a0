/**
 * Puts a telemetry CSV right that is not as the ledger left it: torn by a kill or a lost block, written to by another
 * program, of the older layout, or from before the ledger.
 *
 * Nothing that anybody wrote is lost: complete rows stay, a torn line of ours is written again from the ledger, and any
 * other torn line is put aside in a file of its own.
 */
import { constants, copyFile, open, readFile } from 'node:fs/promises';
import { PipelineError } from '../core/errors.ts';
import { writeFileAtomically } from '../storage/atomic-file.ts';
import { OLD_COLUMN_COUNT, TELEMETRY_COLUMNS, csvLine, telemetryLine } from './telemetry-format.ts';
import type { AttemptRecord, TelemetryCursor, TelemetryLog } from './telemetry-log.ts';
import { parseFields } from './telemetry-read.ts';
import { splitRecords } from './telemetry-records.ts';

export interface RepairRequest {
  readonly ledger: TelemetryLog;
  readonly path: string;
  readonly cursor: TelemetryCursor | null;
  readonly onNotice: (notice: string) => void;
}

const HEADER = csvLine(TELEMETRY_COLUMNS).trimEnd();
const OLD_HEADER = csvLine(TELEMETRY_COLUMNS.slice(0, OLD_COLUMN_COUNT)).trimEnd();
const LINE_FEED = 0x0a;
const LINE_END = Buffer.from('\r\n');

/**
 * Repairs the file and brings it up to date with the ledger.
 *
 * @returns where to go on, or `empty` when not even the header is whole
 * @throws PipelineError `config_invalid` when the file is not a telemetry CSV
 */
export async function repairTelemetry(request: RepairRequest): Promise<TelemetryCursor | 'empty'> {
  const { ledger, path, cursor, onNotice } = request;
  let bytes: Buffer = await readFile(path);
  // What the ledger knows to be right need not be looked at again, as long as the file is longer than that.
  const known = cursor !== null && cursor.byteOffset < bytes.length && bytes[cursor.byteOffset - 1] === LINE_FEED;
  if (!known) {
    const header = readHeader(bytes);
    if (header === 'torn') return 'empty';
    if (header === 'foreign') throw notTelemetry(path);
    if (header === 'old') bytes = await upgrade(path, bytes, onNotice);
  }
  const from = known ? cursor : { seq: 0, byteOffset: 0 };

  const rows = await allAfter(ledger, from.seq);
  const records = splitRecords(bytes, from.byteOffset);
  const last = records.at(-1);
  const tornFrom = last !== undefined && !last.ended ? last.start : bytes.length;
  const missing = notIn(rows, parseFields(bytes.subarray(from.byteOffset, tornFrom)));
  const lines = missing.map((row) => Buffer.from(telemetryLine(row)));

  let keep = tornFrom;
  if (tornFrom < bytes.length) {
    const torn = bytes.subarray(tornFrom);
    const ours = lines.some((line) => line.subarray(0, torn.length).equals(torn));
    const whole = last?.fields === TELEMETRY_COLUMNS.length && !last.openQuote;
    if (!ours && whole) {
      keep = bytes.length;
      lines.unshift(LINE_END);
    } else if (!ours) {
      const aside = await putAside(path, torn);
      onNotice(`${path}: an incomplete last line of another program was moved to ${aside}`);
    }
  }
  const byteOffset = await replaceTail(path, keep, Buffer.concat(lines));
  const next = { seq: rows.at(-1)?.seq ?? from.seq, byteOffset };
  await ledger.putTelemetryCursor(path, next);
  onNotice(`${path}: was not as it was left; ${missing.length} rows written again from the ledger`);
  return next;
}

function readHeader(bytes: Buffer): 'current' | 'old' | 'torn' | 'foreign' {
  const [first] = splitRecords(bytes);
  const text = first === undefined ? '' : bytes.toString('utf8', first.start, first.end).replace(/^\uFEFF/, '');
  const line = text.replace(/\r?\n$/, '');
  if (first?.ended !== true) return `${HEADER}\r\n`.startsWith(text) ? 'torn' : 'foreign';
  if (line === HEADER) return 'current';
  return line === OLD_HEADER ? 'old' : 'foreign';
}

function notTelemetry(path: string): PipelineError {
  return new PipelineError('config_invalid', `${path} is not a telemetry file: its first line is another header.`, {
    hint: `Move it away, or choose another file with --telemetry-file. Expected: ${HEADER}`,
    context: { path },
  });
}

/** Rewrites a file of the older layout with the full header, its short rows padded; the original stays beside it (TEL-32). */
async function upgrade(path: string, bytes: Buffer, onNotice: (notice: string) => void): Promise<Buffer> {
  const padding = ','.repeat(TELEMETRY_COLUMNS.length - OLD_COLUMN_COUNT);
  const parts = splitRecords(bytes).map((record, index) => {
    const text = bytes.subarray(record.start, record.end);
    if (index === 0) return Buffer.from(`${HEADER}\r\n`);
    if (!record.ended || record.fields !== OLD_COLUMN_COUNT) return text;
    const content = text.at(-2) === 0x0d ? text.subarray(0, -2) : text.subarray(0, -1);
    return Buffer.concat([content, Buffer.from(padding), text.subarray(content.length)]);
  });
  const upgraded = Buffer.concat(parts);
  const backup = await freeName(`${path}.18-columns`, (name) => copyFile(path, name, constants.COPYFILE_EXCL));
  await writeFileAtomically(path, upgraded);
  onNotice(`${path}: upgraded to ${TELEMETRY_COLUMNS.length} columns; the original is ${backup}`);
  return upgraded;
}

async function allAfter(ledger: TelemetryLog, seq: number): Promise<AttemptRecord[]> {
  return ledger.attemptsAfter(seq, Number.MAX_SAFE_INTEGER);
}

/** The ledger's rows that a file does not hold, in order. Paths do not count: a workspace may have been moved. */
function notIn(rows: readonly AttemptRecord[], fileRows: readonly (readonly string[])[]): AttemptRecord[] {
  const found = new Map<string, number>();
  for (const fields of fileRows) {
    const key = rowKey(fields);
    found.set(key, (found.get(key) ?? 0) + 1);
  }
  const keys = parseFields(Buffer.from(rows.map(telemetryLine).join(''))).map(rowKey);
  return rows.filter((_row, index) => {
    const key = keys[index] ?? '';
    const count = found.get(key) ?? 0;
    if (count > 0) found.set(key, count - 1);
    return count === 0;
  });
}

const KEY_COLUMNS = (
  [
    'run_id',
    'chunk_date_utc',
    'status',
    'sensor_id',
    'descriptor',
    'output_format',
    'started_at_utc',
    'finished_at_utc',
    's3_bucket',
    's3_key',
  ] as const
).map((column) => TELEMETRY_COLUMNS.indexOf(column));

function rowKey(fields: readonly string[]): string {
  return JSON.stringify(KEY_COLUMNS.map((index) => fields[index] ?? ''));
}

/** Makes the file its first `keep` bytes and `tail`, durably. @returns its size in bytes */
async function replaceTail(path: string, keep: number, tail: Buffer): Promise<number> {
  const file = await open(path, 'r+');
  try {
    await file.truncate(keep);
    await file.write(tail, 0, tail.length, keep);
    await file.sync();
  } finally {
    await file.close();
  }
  return keep + tail.length;
}

async function putAside(path: string, torn: Buffer): Promise<string> {
  return freeName(`${path}.torn`, async (name) => {
    const file = await open(name, 'wx');
    try {
      await file.writeFile(torn);
      await file.sync();
    } finally {
      await file.close();
    }
  });
}

/** Tries `base-1`, `base-2`, … until `make` finds a name that is not taken. */
async function freeName(base: string, make: (name: string) => Promise<void>): Promise<string> {
  for (let number = 1; ; number += 1) {
    const name = `${base}-${number}`;
    try {
      await make(name);
      return name;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}
