/**
 * The fast way to read the rows of a CSV: straight from bytes into blocks of numbers and codes.
 *
 * Understands what nearly every row is: ten needed cells, one reading, no escapes. Whenever anything else turns up it stops
 * before that row, and the general way decides (`csv-reader.ts`). It never guesses: what it accepts, it has checked byte by byte.
 */
import { readNumber } from './decimal';
import { readInstant } from './instant';
import {
  ALT, CODES, CODES_BYTES, COLUMNS, COMMA, CR, CREATED_AT, LAT, LF, LON, MAX_ROWS, NUMBERS, NUMBERS_BYTES, OB_TIME, QUOTE,
} from './layout'; // prettier-ignore
import { readPosition, readReading } from './nested';
import { endOfBare, endOfCells, endOfQuoted, NONE } from './scan';
import { BLANK_CODE, codeOfText, DESCRIPTOR, OBSERVATORY, SENSOR_ID } from './texts';

export { GREATEST_POWER, LEAST_POWER } from './decimal';
export { CODES, COLUMNS, INPUT, MAX_COLUMNS, MAX_ROWS, NUMBERS, POWERS } from './layout';
export { readInstant, readNumber };

// What a column is; a number above all these: so many columns more than `LAST_KIND` that nobody needs.
const ID_SENSOR = 1;
const OBSERVATORY_NAME = 2;
const IS_OB_TIME = 3;
const IS_CREATED_AT = 4;
const IS_LAT = 5;
const IS_LON = 6;
const IS_ALT = 7;
const IS_DESCRIPTOR = 8;
const SEO_LIST = 9;
const LAST_KIND: u32 = 10;

let columnCount: i32 = 0;
let nextRow: usize = 0;

/** @param count - how many bytes stand at `COLUMNS` */
export function setColumns(count: i32): void {
  columnCount = count;
}

/** Where the row begins that was not read. */
export function next(): usize {
  return nextRow;
}

/**
 * Reads rows from `start` until the block is full or a row is not plain or has no end.
 *
 * @returns how many rows the block holds
 */
export function readRows(start: usize): i32 {
  nextRow = start;
  let count = 0;
  for (; count < MAX_ROWS; count++) {
    const end = readRow(nextRow, NUMBERS + <usize>count * NUMBERS_BYTES, CODES + <usize>count * CODES_BYTES);
    if (end == NONE) break;
    nextRow = end;
  }
  return count;
}

/** @returns start of the next row, or NONE */
function readRow(start: usize, numbers: usize, codes: usize): usize {
  let position = start;
  const last = COLUMNS + columnCount - 1;
  for (let column = COLUMNS; ; column++) {
    const kind = <u32>load<u8>(column);
    if (kind > LAST_KIND) {
      position = endOfCells(position, kind - LAST_KIND);
    } else {
      const isQuoted = load<u8>(position) == QUOTE;
      const end = readCell(kind, position + usize(isQuoted), isQuoted, numbers, codes);
      if (end == NONE || (isQuoted && load<u8>(end) != QUOTE)) return NONE;
      position = end + usize(isQuoted);
    }
    if (position == NONE) return NONE;
    if (column == last) break;
    if (load<u8>(position) != COMMA) return NONE;
    position++;
  }
  if (load<u8>(position) == CR) position++;
  return load<u8>(position) == LF ? position + 1 : NONE;
}

/** @returns position behind the content of the cell, or NONE; something else than the cell's end may stand there */
function readCell(kind: u32, start: usize, isQuoted: bool, numbers: usize, codes: usize): usize {
  switch (kind) {
    case ID_SENSOR:
      return readText(SENSOR_ID, start, isQuoted, codes);
    case OBSERVATORY_NAME:
      return readText(OBSERVATORY, start, isQuoted, codes);
    case IS_DESCRIPTOR: {
      const end = readText(DESCRIPTOR, start, isQuoted, codes);
      return load<u16>(codes + 2 * DESCRIPTOR) == BLANK_CODE ? NONE : end;
    }
    case IS_OB_TIME:
      return readInstant(start, 0, numbers + OB_TIME);
    case IS_CREATED_AT:
      if (!isBlank(start, isQuoted)) return readInstant(start, 1, numbers + CREATED_AT);
      store<f64>(numbers + CREATED_AT, -Infinity);
      return start;
    case IS_LAT:
      return readCoordinate(start, isQuoted, numbers + LAT);
    case IS_LON:
      return readCoordinate(start, isQuoted, numbers + LON);
    case IS_ALT:
      return readCoordinate(start, isQuoted, numbers + ALT);
    case SEO_LIST:
      return isQuoted ? readReading(start, numbers, codes) : NONE;
    default:
      return isQuoted ? readPosition(start, numbers) : NONE;
  }
}

function isBlank(start: usize, isQuoted: bool): bool {
  const byte = <u32>load<u8>(start);
  return isQuoted ? byte == QUOTE : byte == COMMA || byte == LF || byte == CR;
}

function readText(field: i32, start: usize, isQuoted: bool, codes: usize): usize {
  const end = isQuoted ? endOfQuoted(start) : endOfBare(start);
  // Where the input ends the text may go on.
  if (end == NONE || load<u8>(end) == 0) return NONE;
  store<u16>(codes + 2 * field, codeOfText(field, start, end));
  return end;
}

function readCoordinate(start: usize, isQuoted: bool, slot: usize): usize {
  if (!isBlank(start, isQuoted)) return readNumber(start, slot);
  store<f64>(slot, NaN);
  return start;
}
