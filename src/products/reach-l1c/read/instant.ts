/**
 * Times of the source as instants: every ISO 8601 form of a date and time, read as UTC (CDF-D12, CDF-D13).
 *
 * An *instant* here is a number of microseconds of Terrestrial Time since J2000 (TT2000 without its last three digits):
 * exact in a double until the year 2285, the same for all spellings of one moment, and able to name a leap second.
 * Digits below the microsecond are cut off (CDF-15).
 */
import { FormatError, tt2000ToUtc, utcToTt2000 } from '../../../formats/cdf/index.ts';

export const MICROS_PER_SECOND = 1_000_000;

const EXTENDED = /^(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?(Z|z|[+-]\d\d(?::?\d\d)?)?)?$/;
const BASIC = /^(\d{4})(\d\d)(\d\d)[Tt](\d\d)(\d\d)(?:(\d\d)(?:[.,](\d+))?)?(Z|z|[+-]\d\d(?::?\d\d)?)?$/;

/**
 * @returns the instant, or NaN when `text` is no such time, or before 1972, or beyond 2285
 */
export function parseInstant(text: string): number {
  const trimmed = text.trim();
  const extended = EXTENDED.exec(trimmed);
  if (extended) {
    const [, date, hour = '00', minute = '00', second = '00', fraction = '', zone = 'Z'] = extended;
    return instantOf(date!, hour, minute, second, fraction, zone);
  }
  const basic = BASIC.exec(trimmed);
  if (!basic) return NaN;
  const [, year, month, day, hour, minute, second = '00', fraction = '', zone = 'Z'] = basic;
  return instantOf(`${year}-${month}-${day}`, hour!, minute!, second, fraction, zone);
}

function instantOf(date: string, hour: string, minute: string, second: string, fraction: string, zone: string): number {
  const offsetMinutes = zoneMinutes(zone);
  let minuteText = `${date}T${hour}:${minute}`;
  if (Number.isNaN(offsetMinutes)) return NaN;
  if (offsetMinutes !== 0) {
    // Only whole minutes move: second 60 stays second 60.
    const localMs = Date.parse(`${minuteText}:00Z`);
    if (Number.isNaN(localMs) || !new Date(localMs).toISOString().startsWith(minuteText)) return NaN;
    minuteText = new Date(localMs - offsetMinutes * 60_000).toISOString().slice(0, 16);
  }
  try {
    const nanoseconds = utcToTt2000(`${minuteText}:${second}.${fraction.slice(0, 6).padEnd(6, '0')}`);
    const micros = Number(nanoseconds / 1000n);
    return Number.isSafeInteger(micros) ? micros : NaN;
  } catch (error) {
    if (error instanceof FormatError) return NaN;
    throw error;
  }
}

function zoneMinutes(zone: string): number {
  if (zone === 'Z' || zone === 'z') return 0;
  const hours = Number(zone.slice(1, 3));
  const minutes = Number(zone.slice(3).replace(':', '') || '0');
  if (hours > 23 || minutes > 59) return NaN;
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes);
}

/** TT2000 nanoseconds of an instant. */
export function instantToTt2000(instant: number): bigint {
  return BigInt(instant) * 1000n;
}

/** `YYYYMMDDTHHMMSS` of an instant, UTC, sub-seconds dropped (CDF-2). */
export function instantStamp(instant: number): string {
  return tt2000ToUtc(instantToTt2000(instant), 0).slice(0, 19).replaceAll('-', '').replaceAll(':', '');
}

const DIGIT_ZERO = 0x30;

/**
 * Reads the form nearly every record has, `YYYY-MM-DDTHH:MM:SS[.fff…]Z`, from bytes.
 *
 * Keeps the start of the dates it has met, because a day's file holds one or two of them.
 */
export class InstantReader {
  #dateKey = -1;
  #dateStart = NaN;
  readonly #starts = new Map<number, number>();

  /** @returns the instant, or NaN when the bytes hold another form, a leap second or no time: `parseInstant` decides then */
  read(bytes: Uint8Array, start: number, end: number): number {
    const length = end - start;
    if (length < 20 || length === 21 || length > 30 || bytes[end - 1] !== 0x5a) return NaN;
    if (bytes[start + 4] !== 0x2d || bytes[start + 7] !== 0x2d || bytes[start + 10] !== 0x54) return NaN;
    if (bytes[start + 13] !== 0x3a || bytes[start + 16] !== 0x3a) return NaN;
    const year = twoDigits(bytes, start) * 100 + twoDigits(bytes, start + 2);
    const key = year * 10_000 + twoDigits(bytes, start + 5) * 100 + twoDigits(bytes, start + 8);
    const hour = twoDigits(bytes, start + 11);
    const minute = twoDigits(bytes, start + 14);
    const second = twoDigits(bytes, start + 17);
    if (!(hour < 24 && minute < 60 && second < 60)) return NaN;
    const micros = length === 20 ? 0 : readFraction(bytes, start + 19, end - 1);
    if (key !== this.#dateKey) this.#useDate(key);
    return this.#dateStart + ((hour * 60 + minute) * 60 + second) * MICROS_PER_SECOND + micros;
  }

  #useDate(key: number): void {
    if (Number.isNaN(key)) {
      this.#dateStart = NaN;
    } else {
      let start = this.#starts.get(key);
      if (start === undefined) {
        const digits = String(key).padStart(8, '0');
        start = parseInstant(`${digits}T000000Z`);
        this.#starts.set(key, start);
      }
      this.#dateStart = start;
    }
    this.#dateKey = key;
  }
}

/** The byte reader for text; what it does not understand goes to `parseInstant`. */
export class InstantTextReader {
  readonly #bytes = Buffer.alloc(32);
  readonly #reader = new InstantReader();

  /** @returns as `parseInstant` */
  read(text: string): number {
    // Written as UTF-8, so that a character outside ASCII cannot pass for a digit: its length differs.
    const isShort = text.length < this.#bytes.length && this.#bytes.write(text, 'utf8') === text.length;
    const instant = isShort ? this.#reader.read(this.#bytes, 0, text.length) : NaN;
    return Number.isNaN(instant) ? parseInstant(text) : instant;
  }
}

function twoDigits(bytes: Uint8Array, position: number): number {
  const tens = bytes[position]! - DIGIT_ZERO;
  const ones = bytes[position + 1]! - DIGIT_ZERO;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : NaN;
}

/** Microseconds of the fraction whose point stands at `start`. */
function readFraction(bytes: Uint8Array, start: number, end: number): number {
  if (bytes[start] !== 0x2e) return NaN;
  let micros = 0;
  let weight = 100_000;
  for (let position = start + 1; position < end; position++) {
    const digit = bytes[position]! - DIGIT_ZERO;
    if (!(digit >= 0 && digit <= 9)) return NaN;
    micros += digit * weight;
    weight = weight === 1 ? 0 : weight / 10;
  }
  return micros;
}
