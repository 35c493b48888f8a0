import { stat } from 'node:fs/promises';
import { Context } from '@temporalio/activity';
import { PipelineError } from '../core/errors.ts';
import type { StageHeartbeat } from '../core/backfill/types.ts';
import { expectedRecords, parseProductSlug } from '../core/product.ts';
import { availabilityPct } from '../core/records/counts.ts';
import { crashPoint } from '../storage/crash-point.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { secondsSince, stageAttempt } from './dependencies.ts';
import { discardSlices, downloadDay } from './download/index.ts';
import { withHeartbeat } from './heartbeat.ts';
import type { TellOfPause } from './long-pause.ts';
import type { DayAttempt, StageResult } from './types.ts';

/**
 * Downloads the day's window: only the slices that are missing, then the artifact.
 *
 * @throws ApplicationFailure `source_unavailable` when slices are missing after this pass (the engine tries again), and
 *   the kinds that give the day up or stop the run
 */
export async function downloadWindow(
  deps: ActivityDependencies,
  dayAttempt: DayAttempt,
  tellOfPause: TellOfPause,
): Promise<StageResult> {
  const silence = (): number => deps.source?.silentMs() ?? 0;
  return await withHeartbeat(async (signal, tell) => {
    const startedAt = performance.now();
    const { product, day, options } = dayAttempt.input;
    if (!deps.source) throw withoutToken();
    const { runId, workspace } = dayAttempt.input;
    const gate = deps.gate.forRun({ runId, workspace });
    await gate.open();
    const stage = stageAttempt(dayAttempt, 'download');
    await deps.ledger.openStage(stage);
    await deps.telemetry.flush();
    const { attempt, heartbeatDetails } = Context.current().info;
    const before = heartbeatDetails as StageHeartbeat | undefined;
    const outcome = await downloadDay(
      { gate, source: deps.source, ledger: deps.ledger, folders: deps.workspace, log: deps.log },
      {
        product,
        day,
        sliceMode: options.sliceMode,
        freshRun: attempt === 1,
        requestsBefore: before?.requests ?? 0,
        verify: true,
      },
      {
        signal,
        onProgress: ({ slicesDone, slicesTotal, records, bytes, requests, rate, waiting }) =>
          tell({
            phase: 'slices',
            done: slicesDone,
            total: slicesTotal,
            records,
            bytes,
            requests,
            rate,
            ...(waiting && { waiting }),
          }),
      },
    )
      .catch(async (error: unknown) => {
        await tellOfPause(dayAttempt.range, gate);
        throw error;
      })
      .finally(() => gate.keep());
    const seconds = secondsSince(startedAt);
    const noteCheck = async (artifactSha256: string | null): Promise<Pick<StageResult, 'check'>> => {
      const { check } = outcome;
      if (check === null) return {};
      await deps.ledger.putCheck({ product, day, artifactSha256, ...check });
      if (check.state !== 'verified') deps.log.warn({ day, ...check }, `day ${check.state}`);
      return { check: check.state };
    };
    if (outcome.outcome === 'no_data') {
      const checked = await noteCheck(null);
      await deps.ledger.closeStage(stage, { status: 'SKIPPED_NO_DATA', seconds, reason: outcome.reason });
      await deps.telemetry.flush();
      await discardSlices(deps.workspace, product, day);
      deps.log.info({ day, reason: outcome.reason }, 'day SKIPPED_NO_DATA');
      return { seconds, outcome: 'no_data', records: 0, requests: outcome.requests, ...checked };
    }
    const { path, sizeBytes, sha256, counts } = outcome;
    const { records } = counts;
    await deps.ledger.putArtifact({
      kind: 'download',
      product,
      day,
      path,
      sizeBytes,
      sha256,
      mtimeMs: (await stat(path)).mtimeMs,
      records,
      inputSha256: null,
      profile: null,
      version: null,
      createdAt: new Date().toISOString(),
    });
    crashPoint('download-recorded');
    const checked = await noteCheck(sha256);
    await deps.ledger.closeStage(stage, { status: 'DOWNLOADED', seconds, records, sizeBytes, path });
    crashPoint('download-closed');
    await deps.telemetry.flush();
    await discardSlices(deps.workspace, product, day);
    const availability = availabilityPct(records, expectedRecords(parseProductSlug(product)));
    deps.log.info(
      { day, records, availabilityPct: availability, sizeBytes, seconds, path, ...checked },
      'day DOWNLOADED',
    );
    const { requests } = outcome;
    return { seconds, records, availabilityPct: availability, downloadBytes: sizeBytes, requests, ...checked };
  }, silence);
}

/** Stops the run: every further day would fail the same way. */
function withoutToken(): PipelineError {
  return new PipelineError('auth_rejected', 'This worker has no UDL token.', {
    hint: 'Set BASICAUTH for the worker, start it again, then: reachback resume',
  });
}
