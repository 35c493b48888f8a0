/** A year. Longer pauses say the same, that an operator decides, and their ends may be no dates any more (microseconds since 1970). */
const LONGEST_MS = 365 * 86_400_000;

/**
 * Reads a `Retry-After` header: seconds, or an HTTP date (RFC 9110 §10.2.3).
 *
 * A date is compared with the answer's own `Date` when that is given, so that a wrong clock on either side does no harm.
 *
 * @returns milliseconds to wait, from 0 to a year; null when absent or unreadable
 */
export function parseRetryAfter(value: string | null, serverDate: string | null, nowMs: number): number | null {
  const text = value?.trim() ?? '';
  if (/^\d+(\.\d+)?$/.test(text)) return Math.min(Number(text) * 1_000, LONGEST_MS);
  // Every HTTP date names a month; Date.parse alone would also read "-5" as a year.
  if (!/[a-z]{3}/i.test(text)) return null;
  const until = Date.parse(text);
  if (Number.isNaN(until)) return null;
  const from = serverDate === null ? Number.NaN : Date.parse(serverDate);
  return Math.min(Math.max(0, until - (Number.isNaN(from) ? nowMs : from)), LONGEST_MS);
}
