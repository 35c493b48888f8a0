/** Turns what an activity or child workflow threw into the plain facts that the ledger and the operator need. */
import { ActivityFailure, ApplicationFailure, ChildWorkflowFailure, isCancellation } from '@temporalio/workflow';
import { ERROR_KINDS } from '../core/errors.ts';
import type { ErrorKind } from '../core/errors.ts';
import type { DayFailure, Stage } from '../core/backfill/types.ts';
import type { ZarrResult } from '../core/zarr.ts';

/** First detail of the failures that activities and days throw. */
export interface FailureDetails {
  readonly hint?: string;
  readonly incident?: string;
  readonly stage?: Stage;
  readonly stagesDone?: readonly Stage[];
  readonly requests?: number;
}

const MAX_MESSAGE = 300;

/** @param stage - the stage under way, used when the failure does not say */
export function dayFailureOf(error: unknown, stage: Stage): DayFailure {
  const cause = rootFailure(error);
  if (cause instanceof ApplicationFailure) {
    const details = (cause.details?.[0] ?? {}) as FailureDetails;
    return {
      stage: details.stage ?? stage,
      kind: isErrorKind(cause.type) ? cause.type : 'unknown',
      message: cause.message.slice(0, MAX_MESSAGE),
      ...(details.hint === undefined ? {} : { hint: details.hint }),
      ...(details.incident === undefined ? {} : { incident: details.incident }),
      ...(details.requests === undefined ? {} : { requests: details.requests }),
      ...(details.stagesDone === undefined ? {} : { stagesDone: details.stagesDone }),
    };
  }
  const message = (cause instanceof Error ? cause.message : String(cause)).slice(0, MAX_MESSAGE);
  return { stage, kind: isCancellation(error) ? 'cancelled' : 'unknown', message };
}

/** Why a Zarr store was not synced. */
export function zarrFailureOf(error: unknown): NonNullable<ZarrResult['failure']> {
  const { kind, message, hint } = dayFailureOf(error, 'build');
  return { kind: kind === 'cancelled' ? 'unknown' : kind, message, ...(hint === undefined ? {} : { hint }) };
}

/** The failure by which a day workflow fails, so that its parent and the web UI see stage, kind and hint. */
export function failDay(failure: DayFailure): ApplicationFailure {
  const { kind, message, ...details } = failure;
  return ApplicationFailure.create({
    message,
    type: kind,
    nonRetryable: true,
    details: [details satisfies FailureDetails],
  });
}

function rootFailure(error: unknown): unknown {
  if ((error instanceof ActivityFailure || error instanceof ChildWorkflowFailure) && error.cause) {
    return rootFailure(error.cause);
  }
  return error;
}

function isErrorKind(type: string | null | undefined): type is ErrorKind {
  return typeof type === 'string' && Object.hasOwn(ERROR_KINDS, type);
}
