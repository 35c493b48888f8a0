/** Intervals of an archive without data, or with little, and why. */
import { isFinal } from '../backfill/recheck.ts';
import type { Descriptor } from '../product.ts';
import { DAY_MS, dayStartMs } from '../time/day.ts';
import type { Day } from '../time/day.ts';

/**
 * - `absent`: the source said that it has nothing; `too_recent`: it said so when the day was young, and is asked again (SAFE-13)
 * - `not_yet`: never downloaded, or under way; `failed`: asked for and given up
 * - `short`: there are records, fewer than the share of the nominal number that was asked about
 */
export const GAP_CAUSES = ['absent', 'too_recent', 'not_yet', 'failed', 'short'] as const;
export type GapCause = (typeof GAP_CAUSES)[number];

/** A part of a day that is empty, failed or short; half-open, POSIX milliseconds. */
export interface PoorSlice {
  readonly startMs: number;
  readonly endMs: number;
  readonly status: 'done' | 'empty' | 'failed';
  readonly records: number;
}

export interface GapDay {
  readonly day: Day;
  /** Latest word of the download. */
  readonly download: 'none' | 'pending' | 'done' | 'noData' | 'failed';
  /** When that was said, ISO 8601. */
  readonly toldAt: string | null;
  /** When the day was last compared with the source, ISO 8601; null when it was not. */
  readonly checkedAt: string | null;
  /** Records of the day's present file; null when there is none. */
  readonly records: number | null;
  /** Ascending; only those that are empty, failed or short. */
  readonly poorSlices: readonly PoorSlice[];
  readonly hasSlices: boolean;
}

/** Half-open, POSIX milliseconds. */
export interface Gap {
  readonly startMs: number;
  readonly endMs: number;
  readonly cause: GapCause;
  /** Within the interval. */
  readonly records: number;
}

export interface GapRules {
  readonly today: Day;
  /** Records of a full day. */
  readonly descriptor: Descriptor;
  readonly expectedPerDay: number;
  /** Share of the nominal records below which an interval is short, 0 to 1. */
  readonly shortBelow: number;
}

/** The gaps of consecutive days, ascending; neighbours with one cause are one gap. */
export function gapsOf(days: readonly GapDay[], rules: GapRules): Gap[] {
  const joined: Gap[] = [];
  for (const gap of days.flatMap((day) => gapsOfDay(day, rules))) {
    const last = joined.at(-1);
    if (last?.cause === gap.cause && last.endMs === gap.startMs) {
      joined[joined.length - 1] = { ...last, endMs: gap.endMs, records: last.records + gap.records };
    } else joined.push(gap);
  }
  return joined;
}

function gapsOfDay(day: GapDay, { today, descriptor, expectedPerDay, shortBelow }: GapRules): Gap[] {
  const startMs = dayStartMs(day.day);
  const whole = (cause: GapCause): Gap[] => [{ startMs, endMs: startMs + DAY_MS, cause, records: day.records ?? 0 }];
  if (day.records === null) {
    if (day.download === 'noData')
      return whole(isFinal(day.day, descriptor, day.toldAt, today) ? 'absent' : 'too_recent');
    return whole(day.download === 'failed' ? 'failed' : 'not_yet');
  }
  const isLastWord = isFinal(day.day, descriptor, day.checkedAt ?? day.toldAt, today);
  if (!day.hasSlices) return day.records < shortBelow * expectedPerDay ? whole('short') : [];
  return day.poorSlices.flatMap((slice): Gap[] => {
    const nominal = (expectedPerDay * (slice.endMs - slice.startMs)) / DAY_MS;
    if (slice.status === 'done' && slice.records >= shortBelow * nominal) return [];
    const cause = { done: 'short', empty: isLastWord ? 'absent' : 'too_recent', failed: 'failed' } as const;
    return [{ startMs: slice.startMs, endMs: slice.endMs, cause: cause[slice.status], records: slice.records }];
  });
}
