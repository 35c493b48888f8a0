/**
 * Makes what is kept of a day agree with what the source counts: one question when all is well; else the parts that differ
 * are found by counting halves, and only their slices are fetched again. Knows nothing of files, gates and retries.
 *
 * Counts are compared with the source's own idea of a range's end: a slice's answer told how many records lay at or behind its
 * end, so that a server that includes the end and one that does not both agree with what is kept. One without a single idea is
 * asked for ranges without their ends.
 */
import type { Slice } from '../../core/slices.ts';

/** What is known of a slice. */
export interface KnownSlice {
  readonly slice: Slice;
  /** Kept: `startMs ≤ obTime < endMs`. */
  readonly records: number;
  /** In its answer, but at or behind its end. */
  readonly outside: number;
}

export interface ReconcileHooks {
  /** Records that the source counts in `[queryStartMs..queryEndMs]`. What it throws ends all. */
  readonly count: (range: Slice) => Promise<number>;
  /** Asks for the slice again. What it throws ends all. */
  readonly fetch: (slice: Slice) => Promise<KnownSlice>;
}

export interface Reconciled {
  /** What the source counted at last for the whole, less what lies behind its end. */
  readonly counted: number;
  readonly kept: number;
  /** How many times a slice was fetched again. */
  readonly fetched: number;
}

/** Records that come exactly on the boundary of two slices show in the second only after the first was fetched again. */
const MOST_ROUNDS = 3;

/**
 * @param known - of a whole day, ascending; at least one
 * @param atOnce - slices asked for side by side
 * @param searches - whether differences are looked for; else the day is only compared
 * @returns `counted` differs from `kept` when slices fetched again are as before, or three rounds did not help
 */
export async function reconcile(
  known: readonly KnownSlice[],
  hooks: ReconcileHooks,
  atOnce: number,
  searches = true,
): Promise<Reconciled> {
  let latest = known;
  let fetched = 0;
  for (let round = 1; ; round += 1) {
    const kept = sumOfRecords(latest);
    const excess = await excessOfDay(latest, hooks.count);
    if (excess === 0 || !searches || round > MOST_ROUNDS) return { counted: kept + excess, kept, fetched };
    const suspects = await new Narrowing(latest.length, hooks.count).find(latest, excess);
    const again = await fetchAll(suspects, hooks.fetch, atOnce);
    fetched += suspects.length;
    const isNew = suspects.some((each) => differ(each, again.get(each.slice.startMs) ?? each));
    // The same answers to the same questions: asking on would tell nothing.
    if (!isNew) return { counted: kept + excess, kept, fetched };
    latest = latest.map((each) => again.get(each.slice.startMs) ?? each);
  }
}

/**
 * How many records more than kept the source counts, by the same range as the slices asked for: one question when all is well. When
 * it is not, counts may treat an end otherwise than answers do, or one answer otherwise than the next: then without the last
 * millisecond, which is the same by any rule unless a record lies exactly there.
 */
async function excessOfDay(day: readonly KnownSlice[], count: ReconcileHooks['count']): Promise<number> {
  const atOnce = (await count(rangeOf(day))) - sumOfRecords(day) - day.at(-1)!.outside;
  return atOnce === 0 ? 0 : await excessWithoutEnd(day, count);
}

async function excessWithoutEnd(part: readonly KnownSlice[], count: ReconcileHooks['count']): Promise<number> {
  const range = rangeOf(part);
  // Slices in `compat` keep what lies on their end.
  const queryEndMs = Math.min(range.queryEndMs, range.endMs - 1);
  return (await count({ ...range, queryEndMs, milliseconds: true })) - sumOfRecords(part);
}

/** Finds slices that differ; counts only first halves, what is left over lies in the second. */
class Narrowing {
  readonly #count: ReconcileHooks['count'];
  /** Beyond that many questions fetching is cheaper than finding. */
  #questionsLeft: number;

  constructor(slices: number, count: ReconcileHooks['count']) {
    this.#count = count;
    this.#questionsLeft = Math.max(2, Math.ceil(slices / 4));
  }

  async find(part: readonly KnownSlice[], excess: number): Promise<readonly KnownSlice[]> {
    if (excess === 0) return [];
    if (part.length === 1 || this.#questionsLeft === 0) return part;
    this.#questionsLeft -= 1;
    const half = part.length >> 1;
    const [first, second] = [part.slice(0, half), part.slice(half)];
    const ofFirst = await excessWithoutEnd(first, this.#count);
    return [...(await this.find(first, ofFirst)), ...(await this.find(second, excess - ofFirst))];
  }
}

async function fetchAll(
  suspects: readonly KnownSlice[],
  fetch: ReconcileHooks['fetch'],
  atOnce: number,
): Promise<Map<number, KnownSlice>> {
  const again = new Map<number, KnownSlice>();
  const queue = [...suspects];
  const runner = async (): Promise<void> => {
    for (let next = queue.shift(); next; next = queue.shift()) again.set(next.slice.startMs, await fetch(next.slice));
  };
  const runners = Array.from({ length: Math.min(atOnce, queue.length) }, runner);
  // All come to their end, so that nothing is under way when this throws.
  const ends = await Promise.allSettled(runners);
  const broken = ends.find((end) => end.status === 'rejected');
  if (broken) throw broken.reason;
  return again;
}

function differ(before: KnownSlice, after: KnownSlice): boolean {
  return before.records !== after.records || before.outside !== after.outside;
}

/** One question for all of them. @param part - at least one */
export function rangeOf(part: readonly KnownSlice[]): Slice {
  const [first, last] = [part[0]!.slice, part.at(-1)!.slice];
  return {
    startMs: first.startMs,
    endMs: last.endMs,
    queryStartMs: first.queryStartMs,
    queryEndMs: last.queryEndMs,
  };
}

function sumOfRecords(part: readonly KnownSlice[]): number {
  return part.reduce((sum, { records }) => sum + records, 0);
}
