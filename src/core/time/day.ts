/**
 * UTC calendar days as values.
 *
 * A `Day` is the branded text `YYYY-MM-DD`; days sort as text. Nothing here reads a clock.
 */

declare const dayBrand: unique symbol;

/** One UTC calendar day, `YYYY-MM-DD`, proleptic Gregorian, years 0000–9999. */
export type Day = string & { readonly [dayBrand]: true };

/** Length of a UTC day in milliseconds. Leap seconds have no POSIX time and are not counted. */
export const DAY_MS = 86_400_000;

const DAY_PATTERN = /^\d{4}-\d{2}-\d{2}$/;

/** Whether `text` is a padded, existing calendar date. */
export function isDay(text: string): text is Day {
  if (!DAY_PATTERN.test(text)) return false;
  const ms = Date.parse(`${text}T00:00:00.000Z`);
  return Number.isFinite(ms) && new Date(ms).toISOString().startsWith(text);
}

/**
 * Reads a day.
 *
 * @throws RangeError naming the text when it is not an existing date in the form `YYYY-MM-DD`
 */
export function parseDay(text: string): Day {
  if (!isDay(text)) throw new RangeError(`"${text}" is not a calendar date of the form YYYY-MM-DD`);
  return text;
}

/** POSIX milliseconds of the day's first instant. */
export function dayStartMs(day: Day): number {
  return Date.parse(`${day}T00:00:00.000Z`);
}

/** The UTC day that holds the instant `ms` (POSIX milliseconds). */
export function dayOfMs(ms: number): Day {
  return new Date(ms).toISOString().slice(0, 10) as Day;
}

/** The day `count` days later (earlier when negative). */
export function addDays(day: Day, count: number): Day {
  return dayOfMs(dayStartMs(day) + count * DAY_MS);
}

/** Number of days in `first..last`, both included; 0 or less when `last` is before `first`. */
export function countDays(first: Day, last: Day): number {
  return Math.round((dayStartMs(last) - dayStartMs(first)) / DAY_MS) + 1;
}

/** The days of `first..last`, both included, ascending. */
export function daysBetween(first: Day, last: Day): Day[] {
  return Array.from({ length: Math.max(0, countDays(first, last)) }, (_, index) => addDays(first, index));
}

/** `YYYYMMDDTHHMMSS` of an instant in POSIX milliseconds; sub-seconds are dropped (UDL-27, CDF-2). */
export function compactStamp(ms: number): string {
  return new Date(ms).toISOString().slice(0, 19).replaceAll('-', '').replaceAll(':', '');
}
