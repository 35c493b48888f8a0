/** Finds where the records of a CSV begin and end, quoted newlines included, without judging what is in them. */

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
