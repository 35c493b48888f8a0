/** Times as the telemetry CSV writes them (TEL, column 17). */

/** `YYYY-MM-DDTHH:MM:SS.ffffff+00:00` of POSIX milliseconds; the fraction is left out when it is exactly 0. */
export function telemetryStamp(ms: number): string {
  const text = new Date(ms).toISOString();
  const fraction = text.slice(20, 23);
  return fraction === '000' ? `${text.slice(0, 19)}+00:00` : `${text.slice(0, 19)}.${fraction}000+00:00`;
}

/** Inverse of `telemetryStamp`, in milliseconds. */
export function stampMs(stamp: string): number {
  return Date.parse(stamp);
}
