import { crashPoint } from '../storage/crash-point.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { stageAttempt } from './dependencies.ts';
import type { DayAttempt } from './types.ts';

/** Closes a day in the ledger, whatever became of it: the FAILED row of a day given up, and the telemetry of all rows. */
export async function recordDay(deps: ActivityDependencies, attempt: DayAttempt): Promise<void> {
  const { failure } = attempt;
  if (failure) {
    await deps.ledger.failStage(stageAttempt(attempt, failure.stage), failure);
    deps.log.error({ day: attempt.input.day, ...failure }, 'day FAILED');
  }
  await deps.telemetry.flush();
  crashPoint('day-recorded');
}
