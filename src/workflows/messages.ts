/**
 * Signals, update and queries of `backfillRange`. Their names are public: the CLI, `temporal workflow signal` and the
 * web UI send them.
 */
import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { CooldownNotice } from '../core/backfill/range-cooldown.ts';
import type { RangeProgress } from '../core/backfill/range-progress.ts';
import type { DayFailure } from '../core/backfill/types.ts';
import type { Day } from '../core/time/day.ts';

/** No new day starts; running days drain. */
export const pauseSignal = defineSignal<[reason?: string]>('pause');
/** Ends a pause, the operator's or the source's. */
export const resumeSignal = defineSignal('resume');
/** Plans failed days again, all of them or those named. */
export const retryFailedDaysSignal = defineSignal<[days?: Day[]]>('retryFailedDays');
/** Drains and returns; valid at any time. */
export const finishSignal = defineSignal('finish');
/** Days under way at once, 1 to 32; answers the former value. */
export const setConcurrencyUpdate = defineUpdate<number, [days: number]>('setConcurrency');

/** Sent by downloads that gave their place back during a long pause of the source: shown until it is over. */
export const cooldownSignal = defineSignal<[notice: CooldownNotice]>('cooldown');

export const progressQuery = defineQuery<RangeProgress>('progress');
export const failedDaysQuery = defineQuery<(DayFailure & { day: Day })[]>('failedDays');
