/**
 * Doubles from decimal text in a byte buffer, bit for bit what `Number(text)` gives.
 *
 * A day holds 7.7 million numbers, nearly all of 16 or 17 digits, so this is an inner loop; a fuzz test holds it
 * against `Number`. The digits become an exact integer `high + low`, that is divided by a power of ten in double-double
 * arithmetic (T. J. Dekker, 1971), and when the result lies too near the middle of two doubles to be sure of its last
 * bit, `Number` decides.
 */

/** 2^27 + 1: splits a double in two halves whose products are exact (Veltkamp). */
const SPLITTER = 134_217_729;

/** Up to this power, ten to it is the sum of two doubles exactly: 5^45 < 2^106. */
const MAX_POWER = 45;

/** Far above the error of the correction (about 2^-102 of the quotient), far below half a unit in the last place. */
const DOUBT = 2 ** -98;

const POWERS = Array.from({ length: MAX_POWER + 1 }, (_, power) => 10n ** BigInt(power));
const POWER = Float64Array.from(POWERS, Number);
const POWER_LOW = Float64Array.from(POWERS, (exact, power) => Number(exact - BigInt(POWER[power]!)));
const POWER_UPPER = POWER.map(upperHalf);

const POINT = 0x2e;
const PLUS = 0x2b;
const MINUS = 0x2d;
const ZERO = 0x30;
const LOWER_E = 0x65;
const LOWER_CASE = 0x20;

/** What `readDecimal` takes for a number, as a pattern; the readers of text use it to agree with the byte reader. */
export const DECIMAL_PATTERN = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

/**
 * Reads the number written in `bytes[start, end)`.
 *
 * @returns the nearest double (ties to even, `-0` kept, infinite when out of range), NaN when the text is no decimal number
 */
export function readDecimal(bytes: Uint8Array, start: number, end: number): number {
  let position = start;
  const sign = bytes[position];
  if (sign === MINUS || sign === PLUS) position++;

  // Two groups of nine significant digits, each a small integer.
  const firstDigit = position;
  let upper = 0;
  let lower = 0;
  let significant = 0;
  let point = -1;
  for (; position < end; position++) {
    const digit = bytes[position]! - ZERO;
    if (digit >= 0 && digit <= 9) {
      if (significant < 9) {
        upper = (Math.imul(upper, 10) + digit) | 0;
        if (upper > 0) significant++;
      } else {
        significant++;
        lower = (Math.imul(lower, 10) + digit) | 0; // of no use beyond 18, see below
      }
    } else if (digit === POINT - ZERO && point < 0) {
      point = position;
    } else {
      break;
    }
  }
  if (position - firstDigit === (point < 0 ? 0 : 1)) return NaN;
  let exponent = point < 0 ? 0 : point + 1 - position;
  if (position < end) {
    const given = readExponent(bytes, position, end);
    if (given !== given) return NaN;
    exponent += given;
  }
  const value = significant > 18 ? NaN : scale(upper, lower, significant > 9 ? significant - 9 : 0, exponent);
  if (value !== value) return decimalByText(bytes, start, end);
  return sign === MINUS ? -value : value;
}

/** The exponent whose `e` stands at `start`; NaN when the rest is no exponent. */
function readExponent(bytes: Uint8Array, start: number, end: number): number {
  let position = start;
  if ((bytes[position++]! | LOWER_CASE) !== LOWER_E) return NaN;
  const sign = bytes[position];
  if (sign === MINUS || sign === PLUS) position++;
  if (position >= end) return NaN;
  let exponent = 0;
  for (; position < end; position++) {
    const digit = bytes[position]! - ZERO;
    if (!(digit >= 0 && digit <= 9)) return NaN;
    exponent = Math.min(exponent * 10 + digit, 9999);
  }
  return sign === MINUS ? -exponent : exponent;
}

/** `(upper × 10^lowerDigits + lower) × 10^exponent` rounded once, or NaN when this way cannot be sure of it. */
function scale(upper: number, lower: number, lowerDigits: number, exponent: number): number {
  if (upper === 0) return 0;
  // Exact: upper × 5^9 has 51 bits, and the rest is a power of two.
  const scaled = upper * POWER[lowerDigits]!;
  const high = scaled + lower;
  const low = lower - (high - scaled);
  if (exponent === 0) return high;
  if (exponent < -MAX_POWER) return NaN;
  if (exponent > 0)
    return low === 0 && high <= Number.MAX_SAFE_INTEGER && exponent <= 22 ? high * POWER[exponent]! : NaN;

  const power = POWER[-exponent]!;
  const quotient = high / power;
  const product = quotient * power;
  const remainder = high - product - productError(quotient, power, POWER_UPPER[-exponent]!, product);
  const correction = (remainder + low - quotient * POWER_LOW[-exponent]!) / power;
  const doubt = quotient * DOUBT;
  const value = quotient + (correction + doubt);
  return value === quotient + (correction - doubt) ? value : NaN;
}

/** `a × b - product` exactly, for `product` the rounded `a × b` and `bUpper` the upper half of `b`. */
function productError(a: number, b: number, bUpper: number, product: number): number {
  const aUpper = upperHalf(a);
  const aLower = a - aUpper;
  const bLower = b - bUpper;
  return aUpper * bUpper - product + aUpper * bLower + aLower * bUpper + aLower * bLower;
}

function upperHalf(value: number): number {
  const shifted = value * SPLITTER;
  return shifted - (shifted - value);
}

function decimalByText(bytes: Uint8Array, start: number, end: number): number {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1');
  return DECIMAL_PATTERN.test(text) ? Number(text) : NaN;
}
