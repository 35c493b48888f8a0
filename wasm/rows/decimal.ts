/**
 * Doubles from decimal text, bit for bit what `Number(text)` gives: a day holds 7.7 million, nearly all of 16 or 17 digits.
 *
 * The digits become one integer of 64 bits. Its product with a power of five, known to 128 bits, decides the double: the
 * algorithm of Eisel and Lemire ("Number parsing at a gigabyte per second", 2021) as in their library `fast_float`.
 * What it leaves open, and numbers below the normal doubles, are left to JavaScript.
 */
import { LOWER_E, MINUS, PLUS, POINT, POWERS, ZERO } from './layout';
import { NONE } from './scan';

/** The table holds powers of five from this one on, two words of 64 bits each, the upper word first. */
export const LEAST_POWER: i32 = -342;
export const GREATEST_POWER: i32 = 308;

/** More cannot be sure to fit 64 bits. */
const MAX_DIGITS: u32 = 19;

/** Larger ones, which only absurd texts have, are left to JavaScript. */
const MAX_EXPONENT: i32 = 9999;

/** By number of digits: which of sixteen bytes go to the right end, the others becoming zero. */
const TO_THE_RIGHT: usize = memory.data<u8>([
  255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
]); // prettier-ignore
const POWERS_OF_TEN: usize = memory.data<u64>([
  1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000, 10000000000, 100000000000,
  1000000000000, 10000000000000, 100000000000000, 1000000000000000, 10000000000000000,
]); // prettier-ignore

/** What `digitsFrom` has found besides the position: the digits' value, and the power of ten that it is to be multiplied by. */
let mantissa: u64 = 0;
let exponent: i32 = 0;
let isCut: bool = false;

/**
 * Reads the number that begins at `start`, as far as it goes.
 *
 * Here are those that nearly all are: up to four digits, a point, up to sixteen digits, no exponent. All others, and what is
 * not decided at once, are for `readAnyNumber`.
 *
 * @param slot - where to put it
 * @returns the position behind it, or NONE when there is no number, no finite one, or one that is left to JavaScript
 */
export function readNumber(start: usize, slot: usize): usize {
  const sign = <u32>load<u8>(start);
  const isNegative = sign == MINUS;
  const first = start + usize(isNegative || sign == PLUS);
  const wholeDigits = digitsAt(first);
  const point = first + wholeDigits;
  const digits = digitsAt(point + 1);
  const end = point + 1 + digits;
  const next = <u32>load<u8>(end);
  if (wholeDigits > 4 || load<u8>(point) != POINT || wholeDigits + digits > MAX_DIGITS)
    return readAnyNumber(start, slot);
  if (next - ZERO <= 9 || (next | 0x20) == LOWER_E) return readAnyNumber(start, slot);
  const value =
    fourDigits(first, wholeDigits) * load<u64>(POWERS_OF_TEN + 8 * digits) + valueOf(v128.load(point + 1), digits);
  const signBit = u64(isNegative) << 63;
  if (value == 0) {
    store<u64>(slot, signBit);
    return wholeDigits + digits > 0 ? end : NONE;
  }
  // As in `doubleOf`, where it says more.
  const leadingZeros = clz(value);
  const scaled = value << leadingZeros;
  const power = load<u64>(POWERS + 16 * (0 - <usize>digits - LEAST_POWER));
  const low = (scaled & 0xffffffff) * (power & 0xffffffff);
  const middle = (scaled >> 32) * (power & 0xffffffff) + (low >> 32);
  const other = (scaled & 0xffffffff) * (power >> 32) + (middle & 0xffffffff);
  const high = (scaled >> 32) * (power >> 32) + (middle >> 32) + (other >> 32);
  if ((high & 0x1ff) == 0x1ff || <u32>other == 0) return readAnyNumber(start, slot);
  const upperBit = high >> 63;
  const significand = high >> (upperBit + 9);
  const power2 = <u64>(1086 - ((217706 * <i32>digits + 65535) >> 16)) + upperBit - leadingZeros;
  // Rounding up may carry into the exponent, and is to.
  store<u64>(slot, (((significand + 1) >> 1) + ((power2 - 1) << 52)) | signBit);
  return end;
}

/** As `readNumber`, for all. */
function readAnyNumber(start: usize, slot: usize): usize {
  const sign = <u32>load<u8>(start);
  const isNegative = sign == MINUS;
  let end = digitsFrom(start + usize(isNegative || sign == PLUS));
  if (end == NONE) return NONE;
  if ((<u32>load<u8>(end) | 0x20) == LOWER_E) {
    end = exponentFrom(end + 1);
    if (end == NONE) return NONE;
  }
  const bits = doubleOf(mantissa, exponent);
  if (bits == UNDECIDED || (isCut && bits != doubleOf(mantissa + 1, exponent))) return NONE;
  store<u64>(slot, bits | (u64(isNegative) << 63));
  return end;
}

/** Reads digits with a point or without, of which the first 19 that are not leading zeros count; notes whether more follow. */
function digitsFrom(start: usize): usize {
  let position = start;
  let significant: u32 = 0;
  let point: usize = NONE;
  mantissa = 0;
  exponent = 0;
  isCut = false;
  for (;;) {
    const byte = <u32>load<u8>(position);
    const digit = byte - ZERO;
    if (digit <= 9) {
      if (significant < MAX_DIGITS) {
        mantissa = mantissa * 10 + digit;
        if (mantissa != 0) significant++;
        if (point != NONE) exponent--;
      } else {
        if (digit != 0) isCut = true;
        if (point == NONE) exponent++;
      }
    } else if (byte == POINT && point == NONE) {
      point = position;
    } else {
      break;
    }
    position++;
  }
  return position - start > usize(point != NONE) ? position : NONE;
}

/** The value of the first `count` digits, four at most. */
function fourDigits(position: usize, count: u32): u64 {
  // The digits go to the upper end of four bytes, then two and four are joined.
  let value = ((<u64>load<u32>(position)) << (32 - 8 * count)) & 0x0f0f0f0f;
  value = (value * 10 + (value >> 8)) & 0x00ff00ff;
  return (value * 100 + (value >> 16)) & 0xffff;
}

/** How many of the sixteen bytes at `position` are digits before one is not. */
function digitsAt(position: usize): u32 {
  const values = i8x16.sub(v128.load(position), i8x16.splat(0x30));
  return ctz(i8x16.bitmask(i8x16.gt_u(values, i8x16.splat(9))) | 0x10000);
}

/** The value of the first `count` of sixteen digits. */
function valueOf(text: v128, count: u32): u64 {
  const values = i8x16.sub(text, i8x16.splat(0x30));
  const digits = i8x16.swizzle(values, v128.load(TO_THE_RIGHT + count));
  const weights = i16x8(1000, 100, 10, 1, 1000, 100, 10, 1);
  const left = i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_u(digits), weights);
  const right = i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_u(digits), weights);
  const fours = i32x4.add(v128.shuffle<i32>(left, right, 0, 2, 4, 6), v128.shuffle<i32>(left, right, 1, 3, 5, 7));
  const eights = i32x4.dot_i16x8_s(i16x8.narrow_i32x4_u(fours, fours), i16x8(10000, 1, 10000, 1, 10000, 1, 10000, 1));
  return <u64>i32x4.extract_lane(eights, 0) * 100000000 + <u64>i32x4.extract_lane(eights, 1);
}

/** Adds the exponent that begins at `start`. */
function exponentFrom(start: usize): usize {
  const sign = <u32>load<u8>(start);
  let position = start + usize(sign == MINUS || sign == PLUS);
  const first = position;
  let given: i32 = 0;
  for (;;) {
    const digit = <u32>load<u8>(position) - ZERO;
    if (digit > 9) break;
    given = given * 10 + <i32>digit;
    if (given > MAX_EXPONENT) return NONE;
    position++;
  }
  exponent += sign == MINUS ? -given : given;
  return position > first ? position : NONE;
}

/** Bits of no finite double. */
const UNDECIDED: u64 = 0x7ff0000000000000;

/** The bits of the double next to `digits × 10^power`, ties to even. */
function doubleOf(digits: u64, power: i32): u64 {
  if (digits == 0) return 0;
  if (power < LEAST_POWER || power > GREATEST_POWER) return UNDECIDED;
  const leadingZeros = clz(digits);
  const scaled = digits << leadingZeros;
  const five = POWERS + 16 * (power - LEAST_POWER);
  multiply(scaled, load<u64>(five));
  if ((productHigh & 0x1ff) == 0x1ff) {
    // The upper word of the power is not enough to be sure.
    const high = productHigh;
    const low = productLow;
    multiply(scaled, load<u64>(five, 8));
    productLow = low + productHigh;
    productHigh = high + u64(productLow < low);
  }
  const upperBit = productHigh >> 63;
  const shift = upperBit + 9;
  let significand = productHigh >> shift;
  // 152170 / 65536 is log2(5), and the power of two comes on top.
  let power2 = ((217706 * power) >> 16) + 63 + <i32>upperBit - <i32>leadingZeros + 1023;
  if (power2 <= 0) return UNDECIDED;
  if (productLow <= 1 && power >= -4 && power <= 23 && (significand & 3) == 1 && significand << shift == productHigh) {
    significand--; // exactly in the middle, and below it is the even one
  }
  significand = (significand + (significand & 1)) >> 1;
  if (significand >= 0x20000000000000) {
    significand = 0x10000000000000;
    power2++;
  }
  return power2 < 0x7ff ? (significand & 0xfffffffffffff) | ((<u64>power2) << 52) : UNDECIDED;
}

let productHigh: u64 = 0;
let productLow: u64 = 0;

/** The product of two words of 64 bits, by their halves. */
function multiply(a: u64, b: u64): void {
  const aLow = a & 0xffffffff;
  const aHigh = a >> 32;
  const bLow = b & 0xffffffff;
  const bHigh = b >> 32;
  const low = aLow * bLow;
  const middle = aHigh * bLow + (low >> 32);
  const other = aLow * bHigh + (middle & 0xffffffff);
  productHigh = aHigh * bHigh + (middle >> 32) + (other >> 32);
  productLow = (other << 32) | (low & 0xffffffff);
}
