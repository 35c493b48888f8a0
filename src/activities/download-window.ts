import { Context } from '@temporalio/activity';
import { PipelineError } from '../core/errors.ts';
import type { StageHeartbeat } from '../core/backfill/types.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { stageAttempt } from './dependencies.ts';
import { downloadDay, reprocessDay } from './download/index.ts';
import type { DownloadHooks, DownloadProgress, DownloadRequest } from './download/index.ts';
import { withHeartbeat } from './heartbeat.ts';
import { lookAgain } from './look-again.ts';
import type { TellOfPause } from './long-pause.ts';
import { recordDownload, recordSame } from './record-download.ts';
import type { DayAttempt, StageResult } from './types.ts';

/**
 * Downloads the day's window: only the slices that are missing, then the artifact. A day that is done is looked at again, and
 * touched only when the source has something else by now.
 *
 * @throws ApplicationFailure `source_unavailable` when slices are missing after this pass (the engine tries again), and
 *   the kinds that give the day up or stop the run
 */
export async function downloadWindow(
  deps: ActivityDependencies,
  dayAttempt: DayAttempt,
  tellOfPause: TellOfPause,
): Promise<StageResult> {
  if (dayAttempt.input.options.offline === true) return await completeFromKept(deps, dayAttempt);
  const silence = (): number => deps.source?.silentMs() ?? 0;
  return await withHeartbeat(async (signal, tell) => {
    const startedAt = performance.now();
    const { runId, workspace, product, day, options, recheck } = dayAttempt.input;
    if (!deps.source) throw withoutToken();
    const gate = deps.gate.forRun({ runId, workspace });
    await gate.open();
    const stage = stageAttempt(dayAttempt, 'download');
    const { attempt, heartbeatDetails } = Context.current().info;
    const before = heartbeatDetails as StageHeartbeat | undefined;
    const parts = { gate, source: deps.source, ledger: deps.ledger, folders: deps.workspace, log: deps.log };
    const request: DownloadRequest = {
      product,
      day,
      sliceMode: options.sliceMode,
      freshRun: attempt === 1,
      requestsBefore: before?.requests ?? 0,
      verify: true,
    };
    const hooks: DownloadHooks = { signal, onProgress: (progress) => tell(heartbeatOf(progress)) };
    try {
      const looked = recheck && (await lookAgain(deps, dayAttempt, parts, request, hooks));
      if (looked?.outcome === 'same') return await recordSame(deps, dayAttempt, looked, startedAt);
      await deps.ledger.openStage(stage);
      await deps.telemetry.flush();
      if (looked?.outcome === 'changed') {
        await deps.ledger.putSlices(looked.rows);
        return await recordDownload(deps, dayAttempt, looked.done, startedAt);
      }
      const requestsBefore = looked?.requests ?? request.requestsBefore ?? 0;
      return await recordDownload(
        deps,
        dayAttempt,
        await downloadDay(parts, { ...request, requestsBefore, again: looked !== undefined }, hooks),
        startedAt,
      );
    } catch (error) {
      await tellOfPause(dayAttempt.range, gate);
      throw error;
    } finally {
      await gate.keep();
    }
  }, silence);
}

/** TRACK-10: no gate, no token, no request. */
async function completeFromKept(deps: ActivityDependencies, dayAttempt: DayAttempt): Promise<StageResult> {
  return await withHeartbeat(async (signal) => {
    const startedAt = performance.now();
    const { product, day, options } = dayAttempt.input;
    await deps.ledger.openStage(stageAttempt(dayAttempt, 'download'));
    await deps.telemetry.flush();
    const parts = { ledger: deps.ledger, folders: deps.workspace, log: deps.log };
    const outcome = await reprocessDay(parts, { product, day, sliceMode: options.sliceMode }, { signal });
    return await recordDownload(deps, dayAttempt, outcome, startedAt);
  });
}

function heartbeatOf(progress: DownloadProgress): StageHeartbeat {
  const { slicesDone, slicesTotal, records, bytes, requests, rate, waiting } = progress;
  return {
    phase: 'slices',
    done: slicesDone,
    total: slicesTotal,
    records,
    bytes,
    requests,
    rate,
    ...(waiting && { waiting }),
  };
}

/** Stops the run: every further day would fail the same way. */
function withoutToken(): PipelineError {
  return new PipelineError('auth_rejected', 'This worker has no UDL token.', {
    hint: 'Set BASICAUTH for the worker, start it again, then: reachback resume',
  });
}
