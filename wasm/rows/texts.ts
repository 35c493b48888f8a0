/**
 * Codes of texts that repeat: sensors, satellites, descriptions, descriptors. JavaScript gives a text its code
 * (`Dictionary`); of each field up to 256 texts are remembered here with theirs, as they stand in the file.
 */
import { TEXTS } from './layout';

// The fields, and the places of their codes in a row.
export const SENSOR_ID: i32 = 0;
export const OBSERVATORY: i32 = 1;
export const DESCRIPTION: i32 = 2;
export const DESCRIPTOR: i32 = 3;

/** The code of texts that stand for "no value". */
export const BLANK_CODE: i32 = 0;

/** @returns the code of the text in `[start, end)` */
declare function codeOf(field: i32, start: usize, end: usize): i32;

/** A place: the text, zeros behind it, then its length + 1 (0 where nothing is), then its code. */
const PLACE_BYTES: usize = 80;
const PLACES: usize = 256;
/** How many places from its own on a text may be at. */
const TRIED: i32 = 4;
const MAX_LENGTH: usize = 64;
const LENGTH: usize = 64;
const CODE: usize = 68;

/** By number of bytes: which of sixteen bytes count. */
const MASKS: usize = memory.data<u8>([
  255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
]); // prettier-ignore

export function codeOfText(field: i32, start: usize, end: usize): i32 {
  const length = end - start;
  if (length > MAX_LENGTH) return codeOf(field, start, end);
  const first = TEXTS + (<usize>field * PLACES + placeOf(start, length)) * PLACE_BYTES;
  let place = first;
  for (let tried = 0; tried < TRIED; tried++) {
    const known = load<u32>(place, LENGTH);
    if (known == <u32>length + 1 && isSame(place, start, length)) return load<i32>(place, CODE);
    if (known == 0) return remember(place, field, start, end);
    place += PLACE_BYTES;
  }
  return remember(first, field, start, end);
}

/** Texts of one field differ in their first or last bytes. */
function placeOf(start: usize, length: usize): usize {
  const first = load<u64>(start);
  const mixed =
    length < 8 ? first & ((1 << (8 * <u64>length)) - 1) : first + load<u64>(start + length - 8) * 0x9e3779b97f4a7c15;
  return min<usize>(<usize>((mixed * 0x9e3779b97f4a7c15) >> 56), PLACES - TRIED);
}

function isSame(place: usize, start: usize, length: usize): bool {
  let at: usize = 0;
  for (; at + 16 <= length; at += 16) {
    if (v128.any_true(v128.xor(v128.load(place + at), v128.load(start + at)))) return false;
  }
  const rest = v128.and(v128.load(start + at), v128.load(MASKS + 16 - (length - at)));
  return at == length || !v128.any_true(v128.xor(v128.load(place + at), rest));
}

function remember(place: usize, field: i32, start: usize, end: usize): i32 {
  const code = codeOf(field, start, end);
  memory.fill(place, 0, PLACE_BYTES);
  memory.copy(place, start, end - start);
  store<u32>(place, <u32>(end - start) + 1, LENGTH);
  store<i32>(place, code, CODE);
  return code;
}
