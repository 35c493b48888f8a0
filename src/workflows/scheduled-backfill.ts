import {
  defineSearchAttributeKey,
  SearchAttributeType,
  WorkflowExecutionAlreadyStartedError,
} from '@temporalio/common';
import { executeChild, log, ParentClosePolicy, setCurrentDetails, workflowInfo } from '@temporalio/workflow';
import { rangeWorkflowId } from '../core/backfill/ids.ts';
import type { RangeResult } from '../core/backfill/range-progress.ts';
import type { RangeInput } from '../core/backfill/range-state.ts';
import { daysOfIncrement, incrementText } from '../core/backfill/schedule.ts';
import type { ScheduledInput } from '../core/backfill/schedule.ts';
import { rangeHelp, rangeSummary } from '../core/report/range-details.ts';
import { SEARCH_ATTRIBUTES } from '../core/search-attributes.ts';
import type { Day } from '../core/time/day.ts';
import { backfillRange } from './backfill-range.ts';

/** Set by the server on runs that a schedule starts. */
const SCHEDULED_FOR = defineSearchAttributeKey('TemporalScheduledStartTime', SearchAttributeType.DATETIME);

/**
 * Its days and their steps go before those of other backfills (the server's middle is 3) where both wait for a worker. It
 * interrupts nothing, and the requests of all days pass the same gate in the same way.
 */
const PRIORITY = { priorityKey: 1 };

export interface ScheduledResult {
  /** Null when no day ended in the window. */
  readonly days: { readonly first: Day; readonly last: Day } | null;
  /** Null when there was no day, or the range is open already. */
  readonly range: RangeResult | null;
  /** In a sentence, why there is no range. */
  readonly note?: string;
}

/**
 * One run of a schedule: finds its days from the time that the schedule named (not from the clock) and backfills them as an
 * ordinary range, which `status`, `watch` and `pause` see. Failed days do not hold it open: the next run tries them again.
 */
export async function scheduledBackfill(input: ScheduledInput): Promise<ScheduledResult> {
  const { startTime, runId, typedSearchAttributes } = workflowInfo();
  const scheduled = typedSearchAttributes.get(SCHEDULED_FOR) ?? startTime;
  const days = daysOfIncrement(input.increment, scheduled.getTime(), startTime.getTime());
  if (!days) {
    const note = `no day ended for a run at ${scheduled.toISOString()}: ${incrementText(input.increment)}`;
    setCurrentDetails(note);
    return { days, range: null, note };
  }
  const { increment: _, ...shared } = input;
  const range: RangeInput = { ...shared, ...days, runId, unattended: true };
  const workflowId = rangeWorkflowId(input.workspace, input.product, days.first, days.last);
  setCurrentDetails(`Backfills ${days.first} to ${days.last} as \`${workflowId}\`.`);
  try {
    const result = await executeChild(backfillRange, {
      workflowId,
      args: [range],
      priority: PRIORITY,
      parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
      memo: { runId, options: input.options },
      staticSummary: rangeSummary(range),
      staticDetails: rangeHelp(workflowId, range),
      ...(input.searchAttributes && {
        typedSearchAttributes: [{ key: SEARCH_ATTRIBUTES.product, value: input.product }],
      }),
    });
    return { days, range: result };
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    const note = `the range ${workflowId} is open already and does these days`;
    log.info(note);
    return { days, range: null, note };
  }
}
