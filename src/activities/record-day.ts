import { crashPoint } from '../storage/crash-point.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { stageAttempt } from './dependencies.ts';
import { releaseDownload } from './release-download.ts';
import { dayPrefix } from './build/staged.ts';
import { sweepDay } from './build/take-product.ts';
import type { DayAttempt } from './types.ts';

/**
 * Closes a day in the ledger, whatever became of it: the FAILED row of a day given up, the telemetry of all rows, and with
 * `--keep-downloads` the end of a file that is no longer needed.
 */
export async function recordDay(deps: ActivityDependencies, attempt: DayAttempt): Promise<void> {
  const { failure } = attempt;
  if (failure) {
    await deps.ledger.failStage(stageAttempt(attempt, failure.stage), failure);
    deps.log.error({ day: attempt.input.day, ...failure }, 'day FAILED');
  }
  await deps.telemetry.flush();
  const { product, day, options } = attempt.input;
  if (options.keepDownloads !== undefined) {
    const [facts] = await deps.ledger.dayFacts(product, day, day, options.uploadTo);
    if (facts) await releaseDownload(deps, facts, options);
  }
  await sweepDay(deps, dayPrefix(attempt));
  crashPoint('day-recorded');
}
