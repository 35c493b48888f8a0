/**
 * The two nested cells of a row, in Python's literal notation or in JSON, in which every quote is doubled because the cell is
 * quoted.
 */
import { CLOSE_OBJECT, CODES_BYTES, COLON, COMMA, NUMBERS_BYTES, OB_QUALITY, OB_VALUE, OPEN_LIST, OPEN_OBJECT, SEN_POS } from './layout'; // prettier-ignore
import { readNumber } from './decimal';
import { afterText, endOfList, endOfText, NONE, skipSpaces, startOfText } from './scan';
import { BLANK_CODE, codeOfText, DESCRIPTION } from './texts';

/**
 * Reads `[{'obType': '…', 'obValue': 1.5, 'obQuality': '0', 'obDescription': '…'}]`. Keys in any order; one element.
 *
 * @returns position of the cell's closing quote, or NONE
 */
export function readReading(start: usize, numbers: usize, codes: usize): usize {
  let position = skipSpaces(start);
  if (load<u8>(position) != OPEN_LIST) return NONE;
  position = skipSpaces(position + 1);
  if (load<u8>(position) != OPEN_OBJECT) return NONE;
  store<f64>(numbers + OB_VALUE, NaN);
  let hasQuality = false;
  let hasDescription = false;
  do {
    const key = startOfText(skipSpaces(position + 1));
    if (key == NONE) return NONE;
    const keyEnd = endOfText(key);
    if (keyEnd == NONE) return NONE;
    position = skipSpaces(afterText(keyEnd));
    if (load<u8>(position) != COLON) return NONE;
    position = skipSpaces(position + 1);
    if (isValueKey(key, keyEnd)) {
      position = readNumberOrNone(position, numbers + OB_VALUE);
    } else if (isQualityKey(key, keyEnd)) {
      position = readQuality(position, numbers + OB_QUALITY);
      hasQuality = true;
    } else {
      const text = startOfText(position);
      if (text == NONE) return NONE;
      const end = endOfText(text);
      if (end == NONE) return NONE;
      if (isDescriptionKey(key, keyEnd)) {
        const code = codeOfText(DESCRIPTION, text, end);
        store<u16>(codes + 2 * DESCRIPTION, code);
        hasDescription = code != BLANK_CODE;
      }
      position = afterText(end);
    }
    if (position == NONE) return NONE;
    position = skipSpaces(position);
  } while (load<u8>(position) == COMMA);
  if (load<u8>(position) != CLOSE_OBJECT || !hasQuality || !hasDescription) return NONE;
  return endOfList(position + 1);
}

/** Reads `[x, y, z]`. @returns position of the cell's closing quote, or NONE */
export function readPosition(start: usize, numbers: usize): usize {
  let position = skipSpaces(start);
  if (load<u8>(position) != OPEN_LIST) return NONE;
  for (let axis: usize = 0; axis < 3; axis++) {
    position = readNumberOrNone(skipSpaces(position + 1), numbers + SEN_POS + 8 * axis);
    if (position == NONE) return NONE;
    position = skipSpaces(position);
    if (axis < 2 && load<u8>(position) != COMMA) return NONE;
  }
  return endOfList(position);
}

/** Reads a number, bare or as a text. */
function readQuality(start: usize, slot: usize): usize {
  const text = startOfText(start);
  if (text == NONE) return readNumberOrNone(start, slot);
  const end = endOfText(text);
  return end != NONE && readNumber(text, slot) == end ? afterText(end) : NONE;
}

/** Reads a bare number, `None` or `null`. */
function readNumberOrNone(start: usize, slot: usize): usize {
  const word = load<u32>(start);
  if (word != 0x656e6f4e && word != 0x6c6c756e) return readNumber(start, slot);
  store<f64>(slot, NaN);
  return start + 4;
}

/** `obValue` */
function isValueKey(start: usize, end: usize): bool {
  return end - start == 7 && (load<u64>(start) & 0xffffffffffffff) == 0x65756c6156626f;
}

/** `obQuality` */
function isQualityKey(start: usize, end: usize): bool {
  return end - start == 9 && load<u64>(start) == 0x74696c617551626f && load<u8>(start, 8) == 0x79;
}

/** `obDescription` */
function isDescriptionKey(start: usize, end: usize): bool {
  return end - start == 13 && load<u64>(start) == 0x697263736544626f && load<u64>(start, 5) == 0x6e6f697470697263;
}
