/**
 * The fast way to read a CSV row: straight from bytes into a `Row`, without making strings.
 *
 * Understands what nearly every row is: ten needed cells, one reading, no escapes. Whenever anything else turns up it
 * gives up on that row, having changed nothing but the scratch row, and the general way decides (`csv-reader.ts`). It
 * never guesses: what it accepts, it has checked byte by byte.
 */
import { readDecimal } from './decimal.ts';
import { BLANK_CODE } from './dictionary.ts';
import type { Vocabulary } from './dictionary.ts';
import { InstantReader } from './instant.ts';
import { ALT, CREATED_AT, LAT, LON, NEVER, OB_QUALITY, OB_TIME, OB_VALUE, SEN_POS } from './row.ts';
import type { NeededField, Row } from './row.ts';

const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const APOSTROPHE = 0x27;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_LIST = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** The row is not a plain one, or does not end inside the buffer. */
export const NOT_PLAIN = -1;

// Columns by number: the switch below runs 28 million times a day.
const IGNORED = 0;
const COLUMN_CODES: Readonly<Record<NeededField, number>> = {
  idSensor: 1,
  observatoryName: 2,
  obTime: 3,
  createdAt: 4,
  lat: 5,
  lon: 6,
  alt: 7,
  descriptor: 8,
  seoList: 9,
  senPos: 10,
};
const FIRST_NESTED = COLUMN_CODES.seoList;

const VALUE_KEY = Buffer.from('obValue');
const QUALITY_KEY = Buffer.from('obQuality');
const DESCRIPTION_KEY = Buffer.from('obDescription');
const NONE_WORDS = [Buffer.from('None'), Buffer.from('null')] as const;

export class PlainRowReader {
  readonly #columns: Uint8Array;
  readonly #vocabulary: Vocabulary;
  readonly #row: Row;
  readonly #obTime = new InstantReader();
  readonly #createdAt = new InstantReader();

  /**
   * @param columns - the header: the needed field in each place, null for a column to skip
   * @param row - filled by `read`
   */
  constructor(columns: readonly (NeededField | null)[], vocabulary: Vocabulary, row: Row) {
    this.#columns = Uint8Array.from(columns, (name) => (name === null ? IGNORED : COLUMN_CODES[name]));
    this.#vocabulary = vocabulary;
    this.#row = row;
  }

  /**
   * Reads the row at `start`.
   *
   * @param bytes - must hold a zero byte behind its last valid one; no cell of a plain row contains a zero
   * @returns start of the next row, or `NOT_PLAIN`
   */
  read(bytes: Uint8Array, start: number): number {
    const columns = this.#columns;
    const last = columns.length - 1;
    let position = start;
    for (let index = 0; index <= last; index++) {
      const column = columns[index]!;
      let cellStart = position;
      let cellEnd: number;
      if (bytes[position] === QUOTE) {
        cellStart++;
        if (column < FIRST_NESTED) cellEnd = endOfQuoted(bytes, cellStart);
        else if (column === FIRST_NESTED) cellEnd = this.#readReading(bytes, cellStart);
        else cellEnd = this.#readPosition(bytes, cellStart);
        if (cellEnd < 0) return NOT_PLAIN;
        position = cellEnd + 1;
      } else {
        if (column >= FIRST_NESTED) return NOT_PLAIN;
        cellEnd = endOfBare(bytes, position);
        position = cellEnd;
      }
      if (index < last) {
        if (bytes[position++] !== COMMA) return NOT_PLAIN;
      } else {
        if (bytes[position] === CR) position++;
        if (bytes[position++] !== LF) return NOT_PLAIN;
      }
      if (column !== IGNORED && column < FIRST_NESTED && !this.#takeCell(column, bytes, cellStart, cellEnd)) {
        return NOT_PLAIN;
      }
    }
    return position;
  }

  /** @returns false when the cell is not plain */
  #takeCell(column: number, bytes: Uint8Array, start: number, end: number): boolean {
    const row = this.#row;
    switch (column) {
      case COLUMN_CODES.idSensor:
        row.sensorId = this.#vocabulary.sensorIds.codeOfBytes(bytes, start, end);
        return true;
      case COLUMN_CODES.observatoryName:
        row.observatory = this.#vocabulary.observatories.codeOfBytes(bytes, start, end);
        return true;
      case COLUMN_CODES.descriptor:
        row.descriptor = this.#vocabulary.descriptors.codeOfBytes(bytes, start, end);
        return row.descriptor !== BLANK_CODE;
      case COLUMN_CODES.obTime:
        return this.#put(OB_TIME, this.#obTime.read(bytes, start, end));
      case COLUMN_CODES.createdAt:
        if (start === end) row.numbers[CREATED_AT] = NEVER;
        return start === end || this.#put(CREATED_AT, this.#createdAt.read(bytes, start, end));
      case COLUMN_CODES.lat:
        return this.#putCoordinate(LAT, bytes, start, end);
      case COLUMN_CODES.lon:
        return this.#putCoordinate(LON, bytes, start, end);
      default:
        return this.#putCoordinate(ALT, bytes, start, end);
    }
  }

  #putCoordinate(slot: number, bytes: Uint8Array, start: number, end: number): boolean {
    if (start === end) {
      this.#row.numbers[slot] = NaN;
      return true;
    }
    return this.#put(slot, readDecimal(bytes, start, end));
  }

  #put(slot: number, value: number): boolean {
    this.#row.numbers[slot] = value;
    return value - value === 0; // finite
  }

  /**
   * Reads `[{'obType': '…', 'obValue': 1.5, 'obQuality': '0', 'obDescription': '…'}]` or its JSON form, in which every
   * quote is doubled because the cell is quoted. Keys in any order; one element.
   *
   * @returns position of the cell's closing quote, or a negative number
   */
  #readReading(bytes: Uint8Array, start: number): number {
    let position = skipSpaces(bytes, start);
    if (bytes[position] !== OPEN_LIST) return NOT_PLAIN;
    position = skipSpaces(bytes, position + 1);
    if (bytes[position] !== OPEN_OBJECT) return NOT_PLAIN;
    const { numbers } = this.#row;
    numbers[OB_VALUE] = NaN;
    let hasQuality = false;
    let hasDescription = false;
    do {
      const keyStart = startOfText(bytes, skipSpaces(bytes, position + 1));
      const keyEnd = endOfText(bytes, keyStart);
      if (keyEnd < 0) return NOT_PLAIN;
      position = skipSpaces(bytes, afterText(bytes, keyEnd));
      if (bytes[position] !== COLON) return NOT_PLAIN;
      const valueStart = skipSpaces(bytes, position + 1);
      if (isText(bytes, keyStart, keyEnd, VALUE_KEY)) {
        position = this.#readNumber(OB_VALUE, bytes, valueStart);
      } else if (isText(bytes, keyStart, keyEnd, QUALITY_KEY)) {
        position = this.#readQuality(bytes, valueStart);
        hasQuality = true;
      } else {
        const textStart = startOfText(bytes, valueStart);
        const textEnd = endOfText(bytes, textStart);
        if (textEnd < 0) return NOT_PLAIN;
        if (isText(bytes, keyStart, keyEnd, DESCRIPTION_KEY)) {
          this.#row.description = this.#vocabulary.descriptions.codeOfBytes(bytes, textStart, textEnd);
          hasDescription = this.#row.description !== BLANK_CODE;
        }
        position = afterText(bytes, textEnd);
      }
      if (position < 0) return NOT_PLAIN;
      position = skipSpaces(bytes, position);
    } while (bytes[position] === COMMA);
    if (bytes[position] !== CLOSE_OBJECT || !hasQuality || !hasDescription) return NOT_PLAIN;
    this.#row.element = 0;
    return endOfList(bytes, position + 1);
  }

  #readQuality(bytes: Uint8Array, start: number): number {
    const textStart = startOfText(bytes, start);
    if (textStart < 0) return this.#readNumber(OB_QUALITY, bytes, start);
    const textEnd = endOfText(bytes, textStart);
    if (textEnd < 0 || !this.#put(OB_QUALITY, readDecimal(bytes, textStart, textEnd))) return NOT_PLAIN;
    return afterText(bytes, textEnd);
  }

  /** Reads a bare number, `None` or `null`. @returns position behind it, or a negative number */
  #readNumber(slot: number, bytes: Uint8Array, start: number): number {
    const end = endOfToken(bytes, start);
    if (isText(bytes, start, end, NONE_WORDS[0]) || isText(bytes, start, end, NONE_WORDS[1])) {
      this.#row.numbers[slot] = NaN;
      return end;
    }
    return this.#put(slot, readDecimal(bytes, start, end)) ? end : NOT_PLAIN;
  }

  /** Reads `[x, y, z]`. @returns position of the cell's closing quote, or a negative number */
  #readPosition(bytes: Uint8Array, start: number): number {
    let position = skipSpaces(bytes, start);
    if (bytes[position] !== OPEN_LIST) return NOT_PLAIN;
    for (let axis = 0; axis < 3; axis++) {
      const numberStart = skipSpaces(bytes, position + 1);
      position = this.#readNumber(SEN_POS + axis, bytes, numberStart);
      if (position < 0) return NOT_PLAIN;
      position = skipSpaces(bytes, position);
      if (axis < 2 && bytes[position] !== COMMA) return NOT_PLAIN;
    }
    return endOfList(bytes, position);
  }
}

/** Position of the first quote, which ends a plain cell; NOT_PLAIN when a line end comes before. */
function endOfQuoted(bytes: Uint8Array, start: number): number {
  let position = start;
  let byte = bytes[position];
  while (byte !== QUOTE && byte !== LF && byte !== 0) byte = bytes[++position];
  return byte === QUOTE ? position : NOT_PLAIN;
}

/** Position behind an unquoted cell, or where it stops being plain. */
function endOfBare(bytes: Uint8Array, start: number): number {
  let position = start;
  let byte = bytes[position]!;
  // One comparison sends letters and most digits on.
  while (byte > COMMA || (byte !== COMMA && byte !== LF && byte !== CR && byte !== QUOTE && byte !== 0)) {
    byte = bytes[++position]!;
  }
  return position;
}

/** Position behind a number or word inside a nested cell. */
function endOfToken(bytes: Uint8Array, start: number): number {
  let position = start;
  let byte = bytes[position]!;
  while (
    byte !== COMMA &&
    byte !== CLOSE_LIST &&
    byte !== CLOSE_OBJECT &&
    byte !== SPACE &&
    byte !== QUOTE &&
    byte !== 0
  ) {
    byte = bytes[++position]!;
  }
  return position;
}

/** First byte of the text whose opening quote, `'` or a doubled `"`, stands at `position`; NOT_PLAIN if none does. */
function startOfText(bytes: Uint8Array, position: number): number {
  if (bytes[position] === APOSTROPHE) return position + 1;
  return bytes[position] === QUOTE && bytes[position + 1] === QUOTE ? position + 2 : NOT_PLAIN;
}

/** Position of the closing quote of the text at `start`, which must close as it opened; NOT_PLAIN with escapes. */
function endOfText(bytes: Uint8Array, start: number): number {
  if (start < 0) return NOT_PLAIN;
  const open = bytes[start - 1];
  let position = start;
  let byte = bytes[position];
  while (byte !== APOSTROPHE && byte !== QUOTE && byte !== BACKSLASH && byte !== 0) byte = bytes[++position];
  return byte === open && (byte === APOSTROPHE || bytes[position + 1] === QUOTE) ? position : NOT_PLAIN;
}

/** Position behind the closing quote at `end`. */
function afterText(bytes: Uint8Array, end: number): number {
  return bytes[end] === APOSTROPHE ? end + 1 : end + 2;
}

/** Position of the cell's closing quote behind `]`; NOT_PLAIN when something else follows. */
function endOfList(bytes: Uint8Array, start: number): number {
  let position = skipSpaces(bytes, start);
  if (bytes[position] !== CLOSE_LIST) return NOT_PLAIN;
  position = skipSpaces(bytes, position + 1);
  return bytes[position] === QUOTE ? position : NOT_PLAIN;
}

function skipSpaces(bytes: Uint8Array, start: number): number {
  let position = start;
  while (bytes[position] === SPACE) position++;
  return position;
}

function isText(bytes: Uint8Array, start: number, end: number, text: Uint8Array): boolean {
  if (end - start !== text.length) return false;
  for (let i = 0; i < text.length; i++) if (bytes[start + i] !== text[i]) return false;
  return true;
}
