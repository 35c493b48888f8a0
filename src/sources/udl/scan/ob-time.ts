const WITH_ZONE = /(?:z|[+-]\d\d:?\d\d)$/i;
const ISO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d/i;

/**
 * Reads an `obTime`: ISO 8601 with a time of day, UTC when no zone is given; digits below the millisecond are cut off.
 *
 * A leap second (`23:59:60`) has no POSIX time; it is put into the last millisecond before, so that it stays in its day
 * (UDL-D11).
 *
 * @returns POSIX milliseconds, NaN when the text is no such time
 */
export function parseObTime(text: string): number {
  if (!ISO_TIME.test(text)) return Number.NaN;
  const zoned = WITH_ZONE.test(text) ? text : `${text}Z`;
  return Date.parse(zoned.replace(/:60(?:\.\d+)?(?=z|[+-])/i, ':59.999'));
}
