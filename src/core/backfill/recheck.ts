/**
 * Late data (UDL-D14, SAFE-13): the source goes on adding to a day for days or months. When is a day final, and when is it
 * worth a question whether more has come?
 */
import type { Descriptor } from '../product.ts';
import { countDays, dayOfMs } from '../time/day.ts';
import type { Day } from '../time/day.ts';

/** A day that was last compared this many days later is final. */
const FINAL_AFTER_DAYS: Readonly<Record<Descriptor, number>> = { QUICKLOOK: 7, PROVISIONAL: 120 };

/** Ages of a day, in days, at which the source is asked again for one that is not final. */
const RECHECK_AT_DAYS = [1, 3, 7, 30, 120] as const;

/**
 * Whether what the source said of a day is its last word: it said so when the day was old enough. A day compared too early
 * is not final, however old it is today.
 *
 * @param checkedAt - when the day was last compared with the source, ISO 8601; null when unknown: then today counts
 */
export function isFinal(day: Day, descriptor: Descriptor, checkedAt: string | null, today: Day): boolean {
  return Math.min(ageInDays(day, today), ageAt(day, checkedAt) ?? Infinity) >= FINAL_AFTER_DAYS[descriptor];
}

/**
 * Whether a day that is done should be compared again: it is not final, and since the source was last asked it has reached
 * an age at which it is asked.
 *
 * @param times - as in `SourceCheck`; null when nothing is known: then it is not due
 */
export function isRecheckDue(
  day: Day,
  descriptor: Descriptor,
  times: { readonly checkedAt: string; readonly askedAt: string } | null,
  today: Day,
): boolean {
  if (times === null || isFinal(day, descriptor, times.checkedAt, today)) return false;
  const asked = ageAt(day, times.askedAt);
  const age = ageInDays(day, today);
  return asked !== null && RECHECK_AT_DAYS.some((at) => asked < at && at <= age);
}

function ageInDays(day: Day, on: Day): number {
  return countDays(day, on) - 1;
}

/** Null when the time cannot be read. */
function ageAt(day: Day, time: string | null): number | null {
  const ms = time === null ? Number.NaN : Date.parse(time);
  return Number.isNaN(ms) ? null : ageInDays(day, dayOfMs(ms));
}
