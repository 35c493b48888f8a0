/**
 * Where cells and texts end: sixteen bytes at a time.
 *
 * The bytes that end something differ in their lower halves, so one look-up by the lower half says which of them a byte
 * would have to be. A zero is always among them: it stands behind the last byte of the input.
 */
import { APOSTROPHE, CLOSE_LIST, COMMA, QUOTE, SPACE } from './layout';

const BARE_STOPS = i8x16(0, -1, 0x22, -1, -1, -1, -1, -1, -1, -1, 0x0a, -1, 0x2c, 0x0d, -1, 0);

/** No position: of something that is not there, or not plain. */
export const NONE: usize = 0;

/** Position of the first comma, line feed, carriage return, quote or zero. */
export function endOfBare(start: usize): usize {
  return findFirst(start, BARE_STOPS);
}

/** Position behind the last of `count` cells, quoted or not; NONE when there are not so many in the row. */
export function endOfCells(start: usize, count: u32): usize {
  let left = count;
  let position = start;
  while (true) {
    for (let found = stopsIn(v128.load(position), BARE_STOPS); found != 0; found &= found - 1) {
      const stop = position + ctz(found);
      const byte = load<u8>(stop);
      if (byte == QUOTE) return endOfAnyCells(start, count);
      if (--left == 0) return stop;
      if (byte != COMMA) return NONE;
    }
    position += 16;
  }
}

/** As `endOfCells`, one after the other. */
function endOfAnyCells(start: usize, count: u32): usize {
  let left = count;
  let position = start;
  while (true) {
    if (load<u8>(position) == QUOTE) {
      position = endOfQuoted(position + 1);
      if (position == NONE) return NONE;
      position++;
    } else {
      position = endOfBare(position);
    }
    if (--left == 0) return position;
    if (load<u8>(position) != COMMA) return NONE;
    position++;
  }
}

/** Position of the quote that ends the cell whose content starts at `start`; NONE when a line feed comes before. */
export function endOfQuoted(start: usize): usize {
  const stops = i8x16(0, -1, 0x22, -1, -1, -1, -1, -1, -1, -1, 0x0a, -1, -1, -1, -1, 0);
  const end = findFirst(start, stops);
  return load<u8>(end) == QUOTE ? end : NONE;
}

/** Position of the closing quote of the text at `start`, which must close as it opened; NONE with escapes. */
export function endOfText(start: usize): usize {
  const stops = i8x16(0, -1, 0x22, -1, -1, -1, -1, 0x27, -1, -1, -1, -1, 0x5c, -1, -1, 0);
  const end = findFirst(start, stops);
  const byte = load<u8>(end);
  if (byte != load<u8>(start - 1)) return NONE;
  return byte == APOSTROPHE || (byte == QUOTE && load<u8>(end + 1) == QUOTE) ? end : NONE;
}

/** First byte of the text whose opening quote, `'` or a doubled `"`, stands at `position`; NONE if none does. */
export function startOfText(position: usize): usize {
  if (load<u8>(position) == APOSTROPHE) return position + 1;
  return load<u16>(position) == 0x2222 ? position + 2 : NONE;
}

/** Position behind the closing quote at `end`. */
export function afterText(end: usize): usize {
  return load<u8>(end) == APOSTROPHE ? end + 1 : end + 2;
}

/** Position of the cell's closing quote behind `]`; NONE when something else follows. */
export function endOfList(start: usize): usize {
  let position = skipSpaces(start);
  if (load<u8>(position) != CLOSE_LIST) return NONE;
  position = skipSpaces(position + 1);
  return load<u8>(position) == QUOTE ? position : NONE;
}

export function skipSpaces(start: usize): usize {
  let position = start;
  while (load<u8>(position) == SPACE) position++;
  return position;
}

/** Position of the first byte that is one of `stops`. */
function findFirst(start: usize, stops: v128): usize {
  let position = start;
  while (true) {
    const found = stopsIn(v128.load(position), stops);
    if (found != 0) return position + ctz(found);
    position += 16;
  }
}

/**
 * @param stops - by lower half of a byte: the byte to find, or one with another lower half
 * @returns a bit for each byte that is one of them
 */
function stopsIn(bytes: v128, stops: v128): i32 {
  return i8x16.bitmask(i8x16.eq(i8x16.swizzle(stops, v128.and(bytes, i8x16.splat(0x0f))), bytes));
}
