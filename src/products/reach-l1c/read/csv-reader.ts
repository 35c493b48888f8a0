/**
 * A CSV artifact, row by row: plain rows by `PlainRowReader`, every other row by the `csv-parse` library.
 *
 * Accepts what UDL-31 asks for: columns by name in any order, further columns, CRLF and LF, quoted newlines, both
 * nested notations, a byte-order mark. A row that cannot be told apart into cells is rejected and reading goes on at
 * its first line feed, so that one stray quote costs one line and not the rest of the day.
 */
import { CsvError, parse } from 'csv-parse/sync';
import { PipelineError } from '../../../core/errors.ts';
import { LONGEST_RECORD_BYTES } from './byte-parser.ts';
import type { ByteParser } from './byte-parser.ts';
import { interpretRecord } from './interpret.ts';
import { PlainRowReader } from './plain-rows.ts';
import { NEEDED_FIELDS, Row, shown } from './row.ts';
import type { NeededField, RowConsumer } from './row.ts';

const LF = 0x0a;
const CR = 0x0d;
const QUOTE = 0x22;
const COMMA = 0x2c;
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);

const INCOMPLETE = -1;
const BROKEN = -2;

export class CsvReader implements ByteParser {
  readonly #consumer: RowConsumer;
  readonly #row = new Row();
  readonly #plain: PlainRowReader;
  #hasPlainRows = false;
  /** What comes next belongs to a line that was set aside: it did not fit into the buffer. */
  #isInBadLine = false;
  #header: readonly (NeededField | null)[] | undefined;

  constructor(consumer: RowConsumer) {
    this.#consumer = consumer;
    this.#plain = new PlainRowReader(LONGEST_RECORD_BYTES + 1, consumer.vocabulary);
  }

  get buffer(): Buffer {
    return this.#plain.buffer;
  }

  parse(limit: number, atEnd: boolean, isFull: boolean): number {
    const bytes = this.buffer;
    let position = 0;
    if (this.#header === undefined) {
      position = this.#readHeader(bytes, limit, atEnd, isFull);
      if (position === 0) return 0;
    }
    if (this.#isInBadLine) position = this.#restOfLine(bytes, limit);
    while (position < limit) {
      const next = this.#readPlainRows(position);
      if (next > position) {
        position = next;
        continue;
      }
      const end = endOfRow(bytes, position, limit, atEnd);
      const isAll = atEnd || (isFull && position === 0);
      if ((end === INCOMPLETE && isAll) || (end === BROKEN && (isAll || hasLineEnd(bytes, position, limit)))) {
        position = this.#rejectLine(bytes, position, limit);
      } else if (end < 0) {
        break;
      } else {
        this.#readRow(bytes.subarray(position, end));
        position = end;
      }
    }
    return position;
  }

  end(): void {}

  /** @returns position behind the header, or 0 when it is not complete yet */
  #readHeader(bytes: Buffer, limit: number, atEnd: boolean, isFull: boolean): number {
    if (limit === 0 || (limit < BYTE_ORDER_MARK.length && !atEnd)) return 0;
    const start = bytes.subarray(0, BYTE_ORDER_MARK.length).equals(BYTE_ORDER_MARK) ? BYTE_ORDER_MARK.length : 0;
    const end = endOfRow(bytes, start, limit, atEnd);
    if (end === INCOMPLETE && !atEnd && !isFull) return 0;
    const cells = end < 0 ? null : parseCells(bytes.subarray(start, end));
    if (cells === null) throw noHeader(bytes.subarray(start, limit));
    const seen = new Set<string>();
    this.#header = cells.map((cell) => {
      const name = cell.trim();
      const field = seen.has(name) ? undefined : NEEDED_FIELDS.find((needed) => needed === name);
      if (field !== undefined) seen.add(field);
      return field ?? null;
    });
    this.#consumer.columns(seen);
    this.#hasPlainRows = seen.size === NEEDED_FIELDS.length && this.#plain.setColumns(this.#header);
    return end;
  }

  /** @returns start of the first row that is not plain or not in the buffer, or of any: there may be more than fit a block */
  #readPlainRows(start: number): number {
    if (!this.#hasPlainRows) return start;
    const next = this.#plain.read(start);
    if (next > start) this.#consumer.acceptBlock(this.#plain.block);
    return next;
  }

  #readRow(bytes: Buffer): void {
    if (isEmptyLine(bytes)) return;
    const cells = parseCells(bytes);
    if (cells === null) {
      this.#consumer.reject({ reason: 'csv_malformed', detail: `row ${shownBytes(bytes)}`, fields: null });
      return;
    }
    const header = this.#header!;
    if (cells.length !== header.length) {
      const detail = `${cells.length} cells, expected ${header.length}: ${shownBytes(bytes)}`;
      this.#consumer.reject({ reason: 'cell_count', detail, fields: null });
      return;
    }
    const fields: Partial<Record<NeededField, string>> = {};
    for (const [index, name] of header.entries()) if (name !== null) fields[name] = cells[index]!;
    interpretRecord(fields, this.#row, this.#consumer);
  }

  /** Sets the line at `start` aside. @returns start of the next line */
  #rejectLine(bytes: Buffer, start: number, limit: number): number {
    const lineEnd = bytes.subarray(0, limit).indexOf(LF, start);
    const end = lineEnd < 0 ? limit : lineEnd + 1;
    this.#isInBadLine = lineEnd < 0;
    const line = bytes.subarray(start, end);
    if (isEmptyLine(line)) return end;
    const detail = `quotes do not match in ${shownBytes(line)}`;
    this.#consumer.reject({ reason: 'csv_malformed', detail, fields: null });
    return end;
  }

  /** @returns position behind the line's end, or behind all when that has not come yet */
  #restOfLine(bytes: Buffer, limit: number): number {
    const lineEnd = bytes.subarray(0, limit).indexOf(LF);
    this.#isInBadLine = lineEnd < 0;
    return lineEnd < 0 ? limit : lineEnd + 1;
  }
}

/**
 * @returns position behind the line end of the row at `start`; `INCOMPLETE` when that is not in the buffer, or when a
 *   quote is never closed; `BROKEN` when something follows a closing quote
 */
function endOfRow(bytes: Buffer, start: number, limit: number, atEnd: boolean): number {
  let position = start;
  for (;;) {
    if (position < limit && bytes[position] === QUOTE) {
      position = endOfQuotedCell(bytes, position + 1, limit);
      if (position === INCOMPLETE) return INCOMPLETE;
      if (position < limit && bytes[position] === CR) position++;
      if (position < limit && bytes[position] !== COMMA && bytes[position] !== LF) return BROKEN;
    } else {
      while (position < limit && bytes[position] !== COMMA && bytes[position] !== LF) position++;
    }
    if (position >= limit) return atEnd ? limit : INCOMPLETE;
    if (bytes[position++] === LF) return position;
  }
}

/** @returns position behind the closing quote of the cell whose content starts at `start`, or `INCOMPLETE` */
function endOfQuotedCell(bytes: Buffer, start: number, limit: number): number {
  let position = start;
  for (;;) {
    while (position < limit && bytes[position] !== QUOTE) position++;
    if (position >= limit) return INCOMPLETE;
    position++;
    if (position === limit || bytes[position] !== QUOTE) return position;
    position++;
  }
}

/** The cells of one row, or null when the library refuses it. */
function parseCells(bytes: Buffer): string[] | null {
  try {
    const rows = parse(bytes, { relax_column_count: true, record_delimiter: ['\r\n', '\n'] });
    return rows.length === 1 ? rows[0]! : null;
  } catch (error) {
    if (error instanceof CsvError) return null;
    throw error;
  }
}

function hasLineEnd(bytes: Buffer, start: number, limit: number): boolean {
  return bytes.subarray(start, limit).includes(LF);
}

function isEmptyLine(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === LF || byte === CR);
}

function shownBytes(bytes: Buffer): string {
  return shown(bytes.subarray(0, 200).toString('utf8'));
}

function noHeader(bytes: Buffer): PipelineError {
  return new PipelineError(
    'input_invalid',
    `The file does not begin with a CSV header, but with ${shownBytes(bytes)}.`,
    {
      hint: `A header names at least ${NEEDED_FIELDS.join(', ')}. Download the day again.`,
    },
  );
}
