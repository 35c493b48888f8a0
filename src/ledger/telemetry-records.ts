/** Finds where the records of a CSV begin and end, quoted newlines included, without judging what is in them. */
import { createReadStream } from 'node:fs';

export interface CsvRecord {
  /** Byte offsets; `end` is behind the line end, if there is one. */
  readonly start: number;
  readonly end: number;
  readonly fields: number;
  /** Whether the record has its line end; only the last one of a file can lack it. */
  readonly ended: boolean;
  /** Whether the file ends within a quoted field of this record. */
  readonly openQuote: boolean;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/**
 * Splits a file's bytes into records.
 *
 * @param from - byte offset of a record's beginning
 * @returns all records in order; every byte from `from` on belongs to one
 */
export function splitRecords(bytes: Uint8Array, from = 0): CsvRecord[] {
  const records: CsvRecord[] = [];
  let start = from;
  let fields = 1;
  let quoted = false;
  let atFieldStart = true;
  for (let at = from; at < bytes.length; at += 1) {
    const byte = bytes[at];
    if (quoted) {
      if (byte !== QUOTE) continue;
      if (bytes[at + 1] === QUOTE) at += 1;
      else quoted = false;
      continue;
    }
    if (byte === LINE_FEED) {
      records.push({ start, end: at + 1, fields, ended: true, openQuote: false });
      start = at + 1;
      fields = 1;
      atFieldStart = true;
      continue;
    }
    if (byte === COMMA) fields += 1;
    quoted = atFieldStart && byte === QUOTE;
    atFieldStart = byte === COMMA;
  }
  if (start < bytes.length) {
    records.push({ start, end: bytes.length, fields, ended: false, openQuote: quoted });
  }
  return records;
}

/** Records that lie in one buffer; their offsets are of it. */
export interface RecordBatch {
  readonly bytes: Buffer;
  /** Offset of the buffer in the file. */
  readonly at: number;
  readonly records: readonly CsvRecord[];
}

const CHUNK_BYTES = 256 * 1_024;
/** No row is so long: a quote that was never closed would take the rest of the file for one field. */
const MOST_RECORD_BYTES = 1_048_576;

/**
 * The records of a file of any size, in order; every byte from `from` on belongs to one. The first line of a quoted field that
 * does not end within a mebibyte is a record of its own, marked `openQuote`.
 */
export async function* streamRecords(path: string, from = 0): AsyncGenerator<RecordBatch, void> {
  let rest: Buffer = Buffer.alloc(0);
  let at = from;
  for await (const chunk of createReadStream(path, { start: from, highWaterMark: CHUNK_BYTES })) {
    const bytes = rest.length === 0 ? (chunk as Buffer) : Buffer.concat([rest, chunk as Buffer]);
    const records = splitRecords(bytes);
    let last = records.at(-1);
    if (last !== undefined && !last.ended) records.pop();
    else last = undefined;
    const start = last?.start ?? bytes.length;
    const cut = bytes.length - start > MOST_RECORD_BYTES ? endOfLine(bytes, start) : start;
    if (cut > start) records.push({ start, end: cut, fields: 1, ended: true, openQuote: true });
    if (records.length > 0) yield { bytes, at, records };
    rest = bytes.subarray(cut);
    at += cut;
  }
  if (rest.length > 0) yield { bytes: rest, at, records: splitRecords(rest) };
}

/** Behind the first line end from `start` on; the end of the bytes when there is none. */
function endOfLine(bytes: Buffer, start: number): number {
  const lineFeed = bytes.indexOf(LINE_FEED, start);
  return lineFeed === -1 ? bytes.length : lineFeed + 1;
}

/** The fields of a record as text, without its line end; null for an empty line and for one that cannot be read. */
export function fieldsOf(bytes: Buffer, { start, end, openQuote }: CsvRecord): string[] | null {
  if (openQuote) return null;
  let to = end;
  if (to > start && bytes[to - 1] === LINE_FEED) to -= bytes[to - 2] === CARRIAGE_RETURN && to - 1 > start ? 2 : 1;
  if (to === start) return null;
  const text = bytes.toString('utf8', start, to);
  return text.includes('"') ? quotedFields(text) : text.split(',');
}

/** What stands between a closing quote and the next comma is kept as it is; within a plain field a quote is a letter. */
function quotedFields(text: string): string[] {
  const fields: string[] = [];
  for (let at = 0; ;) {
    let field = '';
    if (text[at] === '"') {
      const closing = closingQuote(text, at + 1);
      field = text.slice(at + 1, closing).replaceAll('""', '"');
      at = closing + 1;
    }
    const comma = text.indexOf(',', at);
    fields.push(field + text.slice(at, comma === -1 ? text.length : comma));
    if (comma === -1) return fields;
    at = comma + 1;
  }
}

function closingQuote(text: string, from: number): number {
  for (let at = from; ; at += 2) {
    at = text.indexOf('"', at);
    if (at === -1) return text.length;
    if (text[at + 1] !== '"') return at;
  }
}
