/**
 * Copies records of known shapes from JSON to CSV cells, Python literals or JSON, sixteen bytes at a time, and notes where
 * their landmarks lie. What a shape is, and why a record is refused: `src/sources/udl/scan/template.ts`.
 *
 * Everything happens between fixed places of the memory below; from call to call the shapes and texts are kept.
 */

/** Most records of one call. */
export const MOST_ROWS: u32 = 512;
/** Bytes of a row: see `ROW_*`. */
export const ROW_BYTES: u32 = 48;
/** Shapes are numbered from 0 to here, and each has so much room. */
export const MOST_SHAPES: u32 = 4;
export const SHAPE_BYTES: u32 = 1 << 15;
/** Of the source, at once. */
export const SOURCE_BYTES: u32 = 1 << 17;
/** Sixteen bytes at a time go so far over the end of what they are for. */
export const SLACK_BYTES: u32 = 64;

/** Texts of sensors, and as many of descriptions, that are known again by their bytes. */
export const TEXT_SLOTS: u32 = 256;
/** One more than the text's length, 0 for none; the text at 16. */
const TEXT_SLOT_BYTES: u32 = 64;
const LONGEST_TEXT: u32 = 48;
export const NEW_TEXT: i32 = 1 << 16;

/** Where a landmark's text lies: start and end, four bytes each; an end of 0 says that there is no text. */
const LANDMARKS: u32 = 1024;
const SENSOR_SLOTS: u32 = LANDMARKS + 64;
const DESCRIPTION_SLOTS: u32 = SENSOR_SLOTS + TEXT_SLOTS * TEXT_SLOT_BYTES;
const SLOTS_END: u32 = DESCRIPTION_SLOTS + TEXT_SLOTS * TEXT_SLOT_BYTES;
export const SHAPES: u32 = 64 << 10;
export const ROWS: u32 = SHAPES + MOST_SHAPES * SHAPE_BYTES;
export const SOURCE: u32 = ROWS + MOST_ROWS * ROW_BYTES + SLACK_BYTES;
export const OUTPUT: u32 = SOURCE + SOURCE_BYTES + SLACK_BYTES;
/** Room for what a window holds, written in one more shape. */
const OUTPUT_BYTES: u32 = SOURCE_BYTES + SHAPE_BYTES + SLACK_BYTES;
export const MEMORY_BYTES: u32 = OUTPUT + OUTPUT_BYTES + SLACK_BYTES;

/** Offsets in a row of i32. First the addresses behind the record, in the source and in the output. */
const ROW_SOURCE_END: u32 = 0;
const ROW_OUTPUT_END: u32 = 4;
/** Start and end of each landmark; the time has an end of -1 when its bytes are those of the row before. */
const ROW_TIME: u32 = 8;
const ROW_OBSERVATORY: u32 = 24;
/** What `textSlot` returns. */
const ROW_SENSOR_SLOT: u32 = 40;
const ROW_DESCRIPTION_SLOT: u32 = 44;

/**
 * A shape: a header of sixteen bytes (most bytes that it adds to the output), then for each value what comes before it, then what
 * comes behind the last one: sixteen bytes of `PART_*`, the bytes expected, the bytes written; each filled up to sixteen.
 */
const PART_EXPECTED: u32 = 0;
const PART_WRITTEN: u32 = 4;
const PART_MODE: u32 = 8;
/** Which landmark the value is: 1 time, 2 sensor, 3 observatory, 4 description; 0 none. */
const PART_LANDMARK: u32 = 9;
/** Two further bytes that end plain copying of a text. */
const PART_STOP_A: u32 = 10;
const PART_STOP_B: u32 = 11;
/** What a text is put into, 0 for nothing. */
const PART_QUOTE: u32 = 12;

const MODE_CELL: u32 = 0;
const MODE_JSON: u32 = 3;
const MODE_END: u32 = 4;

const QUOTE: u32 = 0x22;
const COMMA: u32 = 0x2c;
const MINUS: u32 = 0x2d;
const DOT: u32 = 0x2e;
const ZERO: u32 = 0x30;

const NULL: u32 = 0x6c6c756e;
const TRUE: u32 = 0x65757274;
const FALS: u32 = 0x736c6166;
/** What turns a lower-case first letter into a capital. */
const CAPITAL: u32 = 0x20;
const NONE: u32 = 0x656e6f4e;

let outputEnd: u32 = 0;
let lastShape: u32 = 0;

/** Shape of the last record of the latest `scan`: the likeliest of the next one. */
export function latestShape(): u32 {
  return lastShape;
}

/** All texts are new again. */
export function forgetTexts(): void {
  memory.fill(SENSOR_SLOTS, 0, SLOTS_END - SENSOR_SLOTS);
}

/**
 * Copies records until one has no known shape, or is cut, or something else than a comma follows.
 *
 * @param at - address of the first record
 * @param limit - address behind the source, where `SLACK_BYTES` zeros stand
 * @param out - address of the output: `OUTPUT` and up to 15 bytes more
 * @param shapes - how many there are
 * @param shape - which one to try first
 * @param most - records, up to `MOST_ROWS`
 * @returns how many records were copied; a row each
 */
export function scan(at: u32, limit: u32, out: u32, shapes: u32, shape: u32, most: u32): u32 {
  const outputLimit = OUTPUT + OUTPUT_BYTES;
  let row = ROWS;
  let count: u32 = 0;
  let time: u32 = 0;
  let timeBytes: u32 = 0;
  while (count < most) {
    let end: u32 = 0;
    for (let tried: u32 = 0; tried < shapes; tried += 1) {
      const base = SHAPES + shape * SHAPE_BYTES;
      if (out + load<u32>(base) + (limit - at) > outputLimit) return count;
      end = copyRecord(base + 16, at, out);
      if (end != 0) break;
      shape = shape + 1 == shapes ? 0 : shape + 1;
    }
    if (end == 0) return count;
    const start = load<u32>(LANDMARKS + 8);
    const bytes = load<u32>(LANDMARKS + 12) - start;
    store<u32>(row, end, ROW_SOURCE_END);
    store<u32>(row, outputEnd, ROW_OUTPUT_END);
    v128.store(row + ROW_TIME, v128.load(LANDMARKS + 8));
    v128.store(row + ROW_OBSERVATORY, v128.load(LANDMARKS + 24));
    if (count > 0 && bytes == timeBytes && sameBytes(start, time, bytes)) store<i32>(row, -1, ROW_TIME + 4);
    time = start;
    timeBytes = bytes;
    store<i32>(row, textSlot(SENSOR_SLOTS, LANDMARKS + 16), ROW_SENSOR_SLOT);
    store<i32>(row, textSlot(DESCRIPTION_SLOTS, LANDMARKS + 32), ROW_DESCRIPTION_SLOT);
    row += ROW_BYTES;
    count += 1;
    out = outputEnd;
    lastShape = shape;
    at = skipSpace(end);
    if (load<u8>(at) != COMMA) return count;
    at = skipSpace(at + 1);
  }
  return count;
}

/** @returns the address behind the record; 0 when it has another shape */
function copyRecord(part: u32, at: u32, out: u32): u32 {
  // Time and sensor, observatory and description.
  v128.store(LANDMARKS + 8, i32x4.splat(0));
  v128.store(LANDMARKS + 24, i32x4.splat(0));
  for (;;) {
    const expected = load<u32>(part, PART_EXPECTED);
    let left = expected;
    let known = part + 16;
    for (; left > 16; left -= 16, known += 16, at += 16) if (equalBits(at, known) != 0xffff) return 0;
    if (<u32>ctz(~equalBits(at, known)) < left) return 0;
    at += left;
    known += 16;
    const written = load<u32>(part, PART_WRITTEN);
    for (let done: u32 = 0; done < written; done += 16) v128.store(out + done, v128.load(known + done));
    out += written;
    const mode: u32 = load<u8>(part, PART_MODE);
    if (mode == MODE_END) break;
    const first: u32 = load<u8>(at);
    if (first == QUOTE) {
      const quote: u32 = load<u8>(part, PART_QUOTE);
      const quoteBytes: u32 = quote == 0 ? 0 : 1;
      store<u8>(out, quote);
      out += quoteBytes;
      at += 1;
      const bytes = copyText(at, out, part);
      out += bytes;
      store<u8>(out, quote);
      out += quoteBytes;
      const place = LANDMARKS + ((<u32>load<u8>(part, PART_LANDMARK)) << 3);
      store<u32>(place, at);
      at += bytes;
      store<u32>(place, at, 4);
      if (load<u8>(at) != QUOTE) return 0;
      at += 1;
    } else if (first <= 0x39) {
      const bytes = copyNumber(at, out);
      if (bytes == 0) return 0;
      at += bytes;
      out += bytes;
    } else {
      const bytes = keywordBytes(at);
      if (bytes == 0) return 0;
      out += writeKeyword(at, bytes, mode, out);
      at += bytes;
    }
    part = known + ((written + 15) & ~15);
  }
  // Without a time it is none of ours.
  if (load<u32>(LANDMARKS + 12) == 0) return 0;
  outputEnd = out;
  return at;
}

/** By bit: which of sixteen bytes are equal. */
function equalBits(one: u32, other: u32): i32 {
  return i8x16.bitmask(i8x16.eq(v128.load(one), v128.load(other)));
}

/** Copies up to a byte that is no plain one: a control, DEL, one above ASCII, `"`, `\` or a stop of the part. @returns how many */
function copyText(at: u32, out: u32, part: u32): u32 {
  const stopA = i8x16.splat(load<i8>(part, PART_STOP_A));
  const stopB = i8x16.splat(load<i8>(part, PART_STOP_B));
  for (let done: u32 = 0; ; done += 16) {
    const bytes = v128.load(at + done);
    v128.store(out + done, bytes);
    // Plus one, as signed numbers: DEL becomes the least one, everything above ASCII stays below zero or becomes it.
    const unprintable = i8x16.lt_s(i8x16.add(bytes, i8x16.splat(1)), i8x16.splat(0x21));
    const marks = v128.or(i8x16.eq(bytes, i8x16.splat(0x22)), i8x16.eq(bytes, i8x16.splat(0x5c)));
    const stops = v128.or(i8x16.eq(bytes, stopA), i8x16.eq(bytes, stopB));
    const bits = i8x16.bitmask(v128.or(unprintable, v128.or(marks, stops)));
    if (bits != 0) return done + <u32>ctz(bits);
  }
  return 0;
}

/** Copies a JSON number; one of up to 31 bytes without an exponent at once. @returns its bytes, 0 when there is none */
function copyNumber(at: u32, out: u32): u32 {
  const low = v128.load(at);
  const high = v128.load(at, 16);
  v128.store(out, low);
  v128.store(out, high, 16);
  const sign: u32 = load<u8>(at) == MINUS ? 1 : 0;
  // The bit above stands for "no digit", so that there is an end.
  const others = (~(<u64>(digitBits(low) | (digitBits(high) << 16))) | ((<u64>1) << 32)) >> sign;
  const whole = <u32>ctz(others);
  let bytes = sign + whole;
  if (whole == 0 || (whole > 1 && load<u8>(at + sign) == ZERO)) return 0;
  if (bytes > 30) return copyLongNumber(at, out);
  if (load<u8>(at + bytes) == DOT) {
    const fraction = <u32>ctz(others >> (whole + 1));
    if (fraction == 0) return 0;
    bytes += 1 + fraction;
  }
  if (bytes > 30 || (load<u8>(at + bytes) | 0x20) == 0x65) return copyLongNumber(at, out);
  return bytes;
}

/** By bit: which of sixteen bytes are digits. */
function digitBits(bytes: v128): u32 {
  return i8x16.bitmask(i8x16.lt_u(i8x16.sub(bytes, i8x16.splat(0x30)), i8x16.splat(10)));
}

/** Any JSON number, byte by byte. @returns its bytes, 0 when there is none */
function copyLongNumber(at: u32, out: u32): u32 {
  let end = load<u8>(at) == MINUS ? at + 1 : at;
  if (!isDigit(end)) return 0;
  end = load<u8>(end) == ZERO ? end + 1 : digitsEnd(end);
  if (load<u8>(end) == DOT) {
    if (!isDigit(end + 1)) return 0;
    end = digitsEnd(end + 1);
  }
  if ((load<u8>(end) | 0x20) == 0x65) {
    const sign: u32 = load<u8>(end + 1);
    end += sign == 0x2b || sign == MINUS ? 2 : 1;
    if (!isDigit(end)) return 0;
    end = digitsEnd(end);
  }
  memory.copy(out, at, end - at);
  return end - at;
}

function isDigit(at: u32): bool {
  return <u32>load<u8>(at) - ZERO < 10;
}

function digitsEnd(at: u32): u32 {
  while (isDigit(at)) at += 1;
  return at;
}

/** @returns bytes of the keyword at this address, 0 when there is none */
function keywordBytes(at: u32): u32 {
  const letters = load<u32>(at);
  if (letters == NULL || letters == TRUE) return 4;
  return letters == FALS && load<u8>(at + 4) == 0x65 ? 5 : 0;
}

/** Python's words but for JSON; an empty cell for `null`. @returns how many bytes were written */
function writeKeyword(at: u32, bytes: u32, mode: u32, out: u32): u32 {
  const letters = load<u32>(at);
  const isNull = letters == NULL;
  if (mode == MODE_CELL && isNull) return 0;
  const capital = isNull ? NONE : letters - CAPITAL;
  store<u32>(out, mode == MODE_JSON ? letters : capital);
  store<u8>(out, 0x65, 4);
  return bytes;
}

function skipSpace(at: u32): u32 {
  for (;;) {
    const byte: u32 = load<u8>(at);
    if (byte != 0x20 && byte != 0x0a && byte != 0x0d && byte != 0x09) return at;
    at += 1;
  }
  return at;
}

/**
 * Number of a text, by its bytes. Two texts may meet in one slot: the later one takes it, and is told as new; so is the earlier one when it
 * comes back.
 *
 * @param place - where start and end of the text are
 * @returns the slot; with `NEW_TEXT` when it held another text, or none; -1 for none and for long texts
 */
function textSlot(slots: u32, place: u32): i32 {
  const start = load<u32>(place);
  const end = load<u32>(place, 4);
  const bytes = end - start;
  if (end == 0 || bytes > LONGEST_TEXT) return -1;
  const index = hash(start, bytes) >> 24;
  const slot = slots + index * TEXT_SLOT_BYTES;
  if (load<u32>(slot) == bytes + 1 && sameBytes(slot + 16, start, bytes)) return index;
  store<u32>(slot, bytes + 1);
  v128.store(slot, v128.load(start), 16);
  v128.store(slot, v128.load(start, 16), 32);
  v128.store(slot, v128.load(start, 32), 48);
  return index | NEW_TEXT;
}

/** What it is worth decides how fast we are, nothing else. */
function hash(start: u32, bytes: u32): u32 {
  const factor: u64 = 0x9e3779b97f4a7c15;
  let sum: u64 = bytes;
  let left = bytes;
  for (; left >= 8; left -= 8, start += 8) sum = rotl<u64>((sum ^ load<u64>(start)) * factor, 29);
  sum = (sum ^ (load<u64>(start) & (((<u64>1) << (left << 3)) - 1))) * factor;
  return <u32>(sum >> 32);
}

function sameBytes(one: u32, other: u32, bytes: u32): bool {
  let left = bytes;
  for (; left > 16; left -= 16, one += 16, other += 16) if (equalBits(one, other) != 0xffff) return false;
  return <u32>ctz(~equalBits(one, other)) >= left;
}
