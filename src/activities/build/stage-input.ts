import { PipelineError } from '../../core/errors.ts';
import { crashPoint } from '../../storage/crash-point.ts';
import type { ActivityDependencies } from '../dependencies.ts';
import { secondsSince } from '../dependencies.ts';
import { withHeartbeat } from '../heartbeat.ts';
import type { DayAttempt, StagedInput } from '../types.ts';
import { inputOf } from './build-cdf.ts';
import { inputFile } from './staged.ts';

/**
 * Puts the day's file where build workers without the workspace's folder find it. What is there already is not sent again.
 *
 * @returns null when this worker stages nothing (any more)
 */
export async function stageInput(deps: ActivityDependencies, attempt: DayAttempt): Promise<StagedInput | null> {
  return await withHeartbeat(async (signal, tell) => {
    const { staging } = deps;
    if (staging?.side !== 'home') return null;
    const startedAt = performance.now();
    const { product, day } = attempt.input;
    const input = await inputOf(deps, attempt, (await deps.ledger.dayFacts(product, day, day, null))[0]);
    const staged = inputFile(attempt, input);
    const onProgress = (done: number): void =>
      tell({ phase: `staging for builders at ${staging.area.base}`, done, total: input.sizeBytes });
    onProgress(0);
    try {
      await staging.area.put(staged, input.path, { signal, onProgress });
    } catch (error) {
      throw asDownload(error, input.path);
    }
    crashPoint('input-staged');
    deps.log.info({ day, bytes: input.sizeBytes, seconds: secondsSince(startedAt) }, 'day staged for builders');
    return staged;
  });
}

/** A file that is not what was recorded is told as a build on this host would tell it. */
function asDownload(error: unknown, path: string): unknown {
  if (!(error instanceof PipelineError) || error.kind !== 'checksum_mismatch') return error;
  return new PipelineError('checksum_mismatch', `${path} is not the file that was downloaded. ${error.message}`, {
    hint: 'Run the same command with --retry-failed: the day is downloaded again.',
    cause: error,
  });
}
