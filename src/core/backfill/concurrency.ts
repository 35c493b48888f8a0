/** How many days may be under way at once. */

export const MAX_CONCURRENCY = 32;

/** Validator of the update `setConcurrency`. @throws RangeError naming the value */
export function checkConcurrency(days: unknown): void {
  if (!Number.isInteger(days) || (days as number) < 1 || (days as number) > MAX_CONCURRENCY) {
    throw new RangeError(`concurrency ${String(days)}: expected a whole number of days from 1 to ${MAX_CONCURRENCY}`);
  }
}
