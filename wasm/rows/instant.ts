/**
 * Times in the form that nearly every record has, `YYYY-MM-DDTHH:MM:SS[.fff…]Z`, as instants: microseconds of Terrestrial
 * Time since J2000. What a date begins with, leap seconds and all, JavaScript says; the last date of each field is kept.
 */
import { COLON, POINT, ZERO } from './layout';
import { NONE } from './scan';

/** @returns the instant at which the date begins, as `YYYYMMDD`; NaN when there is no such date */
declare function startOfDate(date: i32): f64;

const MICROS_PER_SECOND: f64 = 1_000_000;

/** Of one field the last date: ten bytes of text from byte 0 on, and from byte 16 on where it begins. */
const LAST_DATE_BYTES: usize = 24;
const LAST_DATES = memory.data(48, 8);

/**
 * Reads the time at `start`.
 *
 * @param field - 0 or 1: which last date to look at first
 * @param slot - where to put the instant
 * @returns position behind it, or NONE when another form stands there, or a leap second, or no time
 */
export function readInstant(start: usize, field: usize, slot: usize): usize {
  const text = v128.load(start);
  // 0 where a digit is to stand.
  const signs = i8x16(0, 0, 0, 0, 0x2d, 0, 0, 0x2d, 0, 0, 0x54, 0, 0, 0x3a, 0, 0);
  const areDigits = i8x16.le_u(i8x16.sub(text, i8x16.splat(0x30)), i8x16.splat(9));
  const isForm = v128.bitselect(areDigits, i8x16.eq(text, signs), i8x16.eq(signs, i8x16.splat(0)));
  if (!i8x16.all_true(isForm)) return NONE;
  if (load<u8>(start, 16) != COLON || !isDigit(start + 17) || !isDigit(start + 18)) return NONE;
  const hour = twoDigits(start + 11);
  const minute = twoDigits(start + 14);
  const second = twoDigits(start + 17);
  if (hour > 23 || minute > 59 || second > 59) return NONE;
  let position = start + 19;
  let micros: u32 = 0;
  if (load<u8>(position) == POINT) {
    const first = ++position;
    let weight: u32 = 100_000;
    while (isDigit(position)) {
      micros += (<u32>load<u8>(position) - ZERO) * weight;
      weight /= 10;
      position++;
    }
    if (position == first || position > first + 9) return NONE;
  }
  if (load<u8>(position) != 0x5a) return NONE;
  const instant = dateAt(start, field) + <f64>((hour * 60 + minute) * 60 + second) * MICROS_PER_SECOND + <f64>micros;
  if (instant != instant) return NONE;
  store<f64>(slot, instant);
  return position + 1;
}

function dateAt(start: usize, field: usize): f64 {
  const last = LAST_DATES + field * LAST_DATE_BYTES;
  const yearAndMonth = load<u64>(start);
  const day = load<u16>(start, 8);
  if (load<u64>(last) != yearAndMonth || load<u16>(last, 8) != day) {
    const year = twoDigits(start) * 100 + twoDigits(start + 2);
    store<f64>(last, startOfDate(year * 10_000 + twoDigits(start + 5) * 100 + twoDigits(start + 8)), 16);
    store<u64>(last, yearAndMonth);
    store<u16>(last, day, 8);
  }
  return load<f64>(last, 16);
}

function isDigit(position: usize): bool {
  return <u32>load<u8>(position) - ZERO <= 9;
}

function twoDigits(position: usize): u32 {
  return (<u32>load<u8>(position) - ZERO) * 10 + load<u8>(position, 1) - ZERO;
}
