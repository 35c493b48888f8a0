/**
 * Puts a telemetry CSV right that is not as the ledger left it: torn by a kill or a lost block, written to by another
 * program, of the older layout, or from before the ledger.
 *
 * Nothing that anybody wrote is lost: complete rows stay, a torn line of ours is written again from the ledger, and any
 * other torn line is put aside in a file of its own. Of the file and the ledger it keeps a batch in memory.
 */
import { open, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { PipelineError } from '../core/errors.ts';
import { freeName } from './free-name.ts';
import { OLD_COLUMN_COUNT, TELEMETRY_COLUMNS, csvLine, telemetryLine } from './telemetry-format.ts';
import type { TelemetryCursor, TelemetryLog } from './telemetry-log.ts';
import { findMissing } from './telemetry-missing.ts';
import { splitRecords } from './telemetry-records.ts';
import { upgradeTelemetry } from './telemetry-upgrade.ts';

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
/** Longer than any header of ours. */
const HEADER_BYTES = 4_096;
/** Rows of the ledger at a time. */
const BATCH = 2_000;

/**
 * Repairs the file and brings it up to date with the ledger.
 *
 * @returns where to go on, or `empty` when not even the header is whole
 * @throws PipelineError `config_invalid` when the file is not a telemetry CSV
 */
export async function repairTelemetry(request: RepairRequest): Promise<TelemetryCursor | 'empty'> {
  const { ledger, path, cursor, onNotice } = request;
  // What the ledger knows to be right need not be looked at again, as long as the file is longer than that.
  const known = cursor !== null && (await isLineEnd(path, cursor.byteOffset));
  if (!known) {
    const header = await readHeader(path);
    if (header === 'torn') return 'empty';
    if (header === 'foreign') throw notTelemetry(path);
    if (header === 'old') {
      const backup = await upgradeTelemetry(path);
      onNotice(`${path}: upgraded to ${TELEMETRY_COLUMNS.length} columns; the original is ${backup}`);
    }
  }
  const from = known ? cursor : { seq: 0, byteOffset: 0 };
  const { missing, lastSeq, wholeTo, torn } = await findMissing(ledger, path, from);
  const file = await open(path, 'r+');
  try {
    let end = wholeTo;
    if (torn !== null && !(await isOurs(torn.bytes, ledger, missing))) {
      if (torn.fields === TELEMETRY_COLUMNS.length && !torn.openQuote) {
        const at = wholeTo + torn.bytes.length;
        await file.write(LINE_END, 0, LINE_END.length, at);
        end = at + LINE_END.length;
      } else {
        const aside = await putAside(path, torn.bytes);
        onNotice(`${path}: an incomplete last line of another program was moved to ${aside}`);
      }
    }
    await file.truncate(end);
    for await (const lines of linesOf(ledger, missing)) {
      const bytes = Buffer.concat(lines);
      await file.write(bytes, 0, bytes.length, end);
      end += bytes.length;
    }
    await file.sync();
    const next = { seq: lastSeq ?? from.seq, byteOffset: end };
    await ledger.putTelemetryCursor(path, next);
    tell(request, missing.length);
    return next;
  } finally {
    await file.close();
  }
}

/** A file that the ledger had not written before and that lacks nothing is no news. */
function tell({ path, cursor, onNotice }: RepairRequest, missing: number): void {
  const added =
    missing === 0 ? 'it lacks no row of the ledger' : `${missing} rows that it lacked were added from the ledger`;
  if (cursor !== null) onNotice(`${path}: was cut or written to since this program wrote it last; ${added}`);
  else if (missing > 0) onNotice(`${path}: ${added}`);
}

/**
 * Before rows are brought into a ledger whose CSV this is: what cannot be written on is told before anything is done.
 *
 * @throws PipelineError `config_invalid` when the file is there and is not a telemetry CSV of ours
 */
export async function requireTelemetryLayout(path: string): Promise<void> {
  const size = await stat(path).then(
    (found) => found.size,
    () => 0,
  );
  if (size > 0 && (await readHeader(path)) === 'foreign') throw notTelemetry(path);
}

/** Whether the file goes on behind `offset`, and a line ends there. */
async function isLineEnd(path: string, offset: number): Promise<boolean> {
  const bytes = await readBytes(path, Math.max(0, offset - 1), 2);
  return bytes.length === 2 && bytes[0] === LINE_FEED;
}

async function readBytes(path: string, from: number, length: number): Promise<Buffer> {
  const file: FileHandle = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, from);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

async function readHeader(path: string): Promise<'current' | 'old' | 'torn' | 'foreign'> {
  const bytes = await readBytes(path, 0, HEADER_BYTES);
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

/** Whether a torn line is the beginning of one that is to be written anyway. */
async function isOurs(torn: Buffer, ledger: TelemetryLog, missing: readonly number[]): Promise<boolean> {
  for await (const lines of linesOf(ledger, missing)) {
    if (lines.some((line) => line.subarray(0, torn.length).equals(torn))) return true;
  }
  return false;
}

/** The lines of the rows with these numbers, some at a time. */
async function* linesOf(ledger: TelemetryLog, missing: readonly number[]): AsyncGenerator<Buffer[], void> {
  const wanted = new Set(missing);
  for (let seq = (missing[0] ?? 0) - 1; wanted.size > 0;) {
    const rows = await ledger.attemptsAfter(seq, BATCH);
    const last = rows.at(-1);
    if (last === undefined) return;
    yield rows.filter((row) => wanted.delete(row.seq)).map((row) => Buffer.from(telemetryLine(row)));
    ({ seq } = last);
  }
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
