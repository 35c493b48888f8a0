/**
 * A JSON artifact: one array of records, in any layout, taken apart element by element (UDL-30).
 *
 * The file is never parsed as a whole, because a day is 900 MB. A structural scan finds where an element ends and
 * `JSON.parse` reads it; an element that is not JSON (Python's encoder writes `NaN`) gets a second chance as a literal.
 */
import { PipelineError } from '../../../core/errors.ts';
import { LONGEST_RECORD_BYTES } from './byte-parser.ts';
import type { ByteParser } from './byte-parser.ts';
import { interpretRecord } from './interpret.ts';
import { parseLiteral } from './literal.ts';
import { NEEDED_FIELDS, Row, shown } from './row.ts';
import type { RecordFields, RowConsumer } from './row.ts';

const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);

const INCOMPLETE = -1;

/** What must come next. */
type Expected = 'start' | 'element_or_close' | 'element' | 'comma_or_close' | 'nothing';

export class JsonReader implements ByteParser {
  readonly buffer = Buffer.allocUnsafeSlow(LONGEST_RECORD_BYTES + 1);
  readonly #consumer: RowConsumer;
  readonly #row = new Row();
  readonly #columns = new Set<string>();
  #expected: Expected = 'start';

  constructor(consumer: RowConsumer) {
    this.#consumer = consumer;
  }

  parse(limit: number, atEnd: boolean, isFull: boolean): number {
    const bytes = this.buffer;
    let position = 0;
    if (this.#expected === 'start') {
      if (limit < BYTE_ORDER_MARK.length && !atEnd) return 0;
      if (bytes.subarray(0, BYTE_ORDER_MARK.length).equals(BYTE_ORDER_MARK)) position = BYTE_ORDER_MARK.length;
    }
    for (;;) {
      position = skipSpace(bytes, position, limit);
      if (position >= limit) return limit;
      const byte = bytes[position]!;
      if (this.#expected === 'start') {
        if (byte !== OPEN_LIST) throw notThis('a list of records', bytes, position, limit);
        this.#expected = 'element_or_close';
        position++;
      } else if (this.#expected === 'comma_or_close') {
        if (byte !== COMMA && byte !== CLOSE_LIST) throw notThis('"," or "]" between records', bytes, position, limit);
        this.#expected = byte === COMMA ? 'element' : 'nothing';
        position++;
      } else if (this.#expected === 'element_or_close' && byte === CLOSE_LIST) {
        this.#expected = 'nothing';
        position++;
      } else if (this.#expected === 'nothing') {
        throw notThis('nothing behind the list', bytes, position, limit);
      } else {
        const end = endOfElement(bytes, position, limit);
        if (end === INCOMPLETE) {
          if (isFull && position === 0) throw notThis('records of at most 1 MiB', bytes, position, limit);
          if (atEnd) throw notThis('the end of the last record', bytes, position, limit);
          return position;
        }
        this.#readElement(bytes.toString('utf8', position, end));
        this.#expected = 'comma_or_close';
        position = end;
      }
    }
  }

  end(): void {
    // A file without a byte is "no records", like a CSV without one; a list that was begun must be closed.
    if (this.#expected !== 'start' && this.#expected !== 'nothing') {
      throw new PipelineError('input_invalid', 'The JSON file ends before its list of records is closed.', {
        hint: 'It was cut off. Download the day again.',
      });
    }
    if (this.#columns.size > 0) this.#consumer.columns(this.#columns);
  }

  #readElement(text: string): void {
    const value = parseElement(text);
    if (value === undefined) {
      this.#consumer.reject({ reason: 'json_malformed', detail: `record ${shown(text)}`, fields: null });
    } else if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      this.#consumer.reject({ reason: 'not_an_object', detail: `record ${shown(text)}`, fields: null });
    } else {
      const fields = value as RecordFields;
      if (this.#columns.size < NEEDED_FIELDS.length) {
        for (const name of NEEDED_FIELDS) if (name in fields) this.#columns.add(name);
      }
      interpretRecord(fields, this.#row, this.#consumer);
    }
  }
}

/** The element's value; undefined when it has none. */
function parseElement(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    try {
      return parseLiteral(text);
    } catch {
      return undefined;
    }
  }
}

/** @returns position behind the element at `start`, or `INCOMPLETE`. Looks at brackets and quotes only. */
function endOfElement(bytes: Buffer, start: number, limit: number): number {
  let depth = 0;
  let position = start;
  while (position < limit) {
    const byte = bytes[position]!;
    if (byte === QUOTE) {
      position = endOfString(bytes, position + 1, limit);
      if (position === INCOMPLETE) return INCOMPLETE;
      if (depth === 0) return position;
      continue;
    }
    if (byte === OPEN_OBJECT || byte === OPEN_LIST) {
      depth++;
    } else if (byte === CLOSE_OBJECT || byte === CLOSE_LIST) {
      // A bracket too many closes the list around a bare word such as `null`.
      if (depth === 0) return position > start ? position : position + 1;
      if (--depth === 0) return position + 1;
    } else if (depth === 0 && (byte === COMMA || isSpace(byte))) {
      return position > start ? position : position + 1;
    }
    position++;
  }
  return INCOMPLETE;
}

/** @returns position behind the closing quote, or `INCOMPLETE` */
function endOfString(bytes: Buffer, start: number, limit: number): number {
  let position = start;
  while (position < limit) {
    const byte = bytes[position]!;
    if (byte === QUOTE) return position + 1;
    position += byte === BACKSLASH ? 2 : 1;
  }
  return INCOMPLETE;
}

function skipSpace(bytes: Buffer, start: number, limit: number): number {
  let position = start;
  while (position < limit && isSpace(bytes[position]!)) position++;
  return position;
}

function isSpace(byte: number): boolean {
  return byte === SPACE || byte === LF || byte === CR || byte === TAB;
}

function notThis(expected: string, bytes: Buffer, position: number, limit: number): PipelineError {
  const got = shown(bytes.subarray(position, Math.min(limit, position + 80)).toString('utf8'));
  return new PipelineError(
    'input_invalid',
    `The JSON file is not a list of records: expected ${expected}, got ${got}.`,
    {
      hint: 'A day is one JSON array of objects. Download the day again.',
    },
  );
}
