/**
 * Scheduled increments: which days a scheduled run covers. Pure: the same times give the same days, so that the
 * workflow which asks may be replayed.
 */
import { PipelineError } from '../errors.ts';
import type { ProductSlug } from '../product.ts';
import { addDays, dayOfMs, dayStartMs } from '../time/day.ts';
import type { Day } from '../time/day.ts';
import type { RunOptions } from './types.ts';

/** Which days a run looks at, counted from the time it was scheduled for. */
export type Increment =
  /** The last `days` whole days: late data of each is looked for as often. */
  | { readonly kind: 'trailing'; readonly days: number }
  /** UDL-16: the days that ended in `(end − window, end]`, where `end` = scheduled time − delay. */
  | { readonly kind: 'window'; readonly delaySeconds: number; readonly windowSeconds: number };

/** Input of `scheduledBackfill`. */
export interface ScheduledInput {
  readonly workspace: string;
  readonly product: ProductSlug;
  readonly increment: Increment;
  readonly options: RunOptions;
  readonly concurrency: number;
  readonly maxDaysPerRun: number;
  readonly searchAttributes: boolean;
}

/** Days that a run which starts late takes in addition, at most; also how long the server remembers a missed run. */
export const CATCH_UP_DAYS = 31;

/** A longer trailing range is a backfill. */
export const MOST_TRAILING_DAYS = 366;

const DAY_SECONDS = 86_400;

/** @throws PipelineError `config_invalid` naming the flag, the value and what is expected */
export function checkIncrement(increment: Increment): Increment {
  if (increment.kind === 'trailing') {
    const { days } = increment;
    if (Number.isInteger(days) && days >= 1 && days <= MOST_TRAILING_DAYS) return increment;
    throw new PipelineError('config_invalid', `--trailing-days is ${days}: expected 1 to ${MOST_TRAILING_DAYS}.`, {
      hint: 'Fetch older days once, with "reachback run".',
    });
  }
  const { delaySeconds, windowSeconds } = increment;
  const most = MOST_TRAILING_DAYS * DAY_SECONDS;
  if (!Number.isInteger(delaySeconds) || delaySeconds < 0 || delaySeconds > most) {
    throw new PipelineError('config_invalid', `--delay is ${delaySeconds}: expected seconds, 0 to ${most}.`, {
      hint: 'How long after its end the source needs for a day, such as 7200.',
    });
  }
  if (!Number.isInteger(windowSeconds) || windowSeconds < DAY_SECONDS || windowSeconds > most) {
    throw new PipelineError(
      'config_invalid',
      `--window is ${windowSeconds}: expected seconds, ${DAY_SECONDS} to ${most}.`,
      {
        hint: 'Days are fetched whole: a window shorter than a day could miss the end of one.',
      },
    );
  }
  return increment;
}

/**
 * The days of a scheduled run, both ends included. Only days that have ended count: a day fetched before its end would look
 * finished (SAFE-13). A run that starts late (the server was down, an earlier run was still open) goes on to what would be
 * due at its start, so that what the schedule left out is made up for by the next run.
 *
 * @param scheduledMs - the time that the schedule named, POSIX milliseconds
 * @param startedMs - when the run began
 * @returns null when no day ended in the window
 */
export function daysOfIncrement(
  increment: Increment,
  scheduledMs: number,
  startedMs: number,
): { readonly first: Day; readonly last: Day } | null {
  const due = daysDueAt(increment, scheduledMs);
  const now = daysDueAt(increment, Math.max(scheduledMs, startedMs));
  if (!due || !now) return due ?? now;
  const farthest = addDays(due.last, CATCH_UP_DAYS);
  return { first: due.first, last: now.last < farthest ? now.last : farthest };
}

function daysDueAt(increment: Increment, atMs: number): { first: Day; last: Day } | null {
  if (increment.kind === 'trailing') {
    const last = addDays(dayOfMs(atMs), -1);
    return { first: addDays(last, 1 - increment.days), last };
  }
  const endMs = atMs - increment.delaySeconds * 1_000;
  const startMs = endMs - increment.windowSeconds * 1_000;
  // A day ends where the next begins; midnights in (start, end].
  const last = addDays(dayOfMs(endMs), -1);
  const first = dayOfMs(startMs);
  return dayStartMs(addDays(last, 1)) > startMs ? { first, last } : null;
}

/** `trailing 7 days` or `window of 86400 s, 7200 s ago`, for people. */
export function incrementText(increment: Increment): string {
  if (increment.kind === 'window')
    return `days that ended in a window of ${increment.windowSeconds} s, ${increment.delaySeconds} s ago`;
  return increment.days === 1 ? 'the day before' : `the ${increment.days} days before`;
}
