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
