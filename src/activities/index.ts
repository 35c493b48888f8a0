/**
 * Activities: shells that fetch, call plain code, store, and return a small summary. They own effects and their order:
 * work under a temporary name, fsync, rename, manifest, ledger row, telemetry. Arguments and results stay small.
 * They must not decide what a day needs (that is `src/core/backfill`) nor retry (the engine does).
 */
import { ApplicationFailure } from '@temporalio/common';
import { isPipelineError } from '../core/errors.ts';
import type { ErrorKind } from '../core/errors.ts';
import { buildCdf } from './build/build-cdf.ts';
import { stageInput } from './build/stage-input.ts';
import { takeProduct } from './build/take-product.ts';
import { countRecords } from './count-records.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { downloadWindow } from './download-window.ts';
import { withHeartbeat } from './heartbeat.ts';
import { noted } from './passes.ts';
import { planRange } from './plan-range.ts';
import { createTellOfPause } from './long-pause.ts';
import { createTellOfPace } from './pace.ts';
import { recordDay } from './record-day.ts';
import type { PlanRequest, PlanResult, Stage } from '../core/backfill/types.ts';
import type { Activities, DayAttempt, StageResult } from './types.ts';
import { uploadProduct } from './upload-product.ts';
import * as zarr from './zarr/index.ts';

export function createActivities(deps: ActivityDependencies): Activities {
  const tellOfPause = createTellOfPause(deps.log);
  const tellOfPace = createTellOfPace(deps);
  const timed =
    (stage: Stage, run: StageActivity): StageActivity =>
    async (attempt) => {
      const result = await run(attempt);
      tellOfPace(stage, attempt, result);
      return result;
    };
  return {
    planRange: (request) => withHeartbeat(() => planWithGate(deps, request)),
    planZarr: (request) => zarr.planZarr(deps, request),
    syncZarrDays: (batch) => zarr.syncZarrDays(deps, batch),
    prepareZarrRebuild: (store) => zarr.prepareZarrRebuild(deps, store),
    finishZarrRebuild: (store) => zarr.finishZarrRebuild(deps, store),
    downloadWindow: tellingOfStops(
      deps,
      noted(
        deps,
        'download',
        timed('download', (attempt) => downloadWindow(deps, attempt, tellOfPause)),
      ),
    ),
    countRecords: tellingOfStops(
      deps,
      noted(deps, 'count', (attempt) => countRecords(deps, attempt)),
    ),
    buildCdf: tellingOfStops(
      deps,
      noted(
        deps,
        'build',
        timed('build', (attempt) => buildCdf(deps, attempt)),
      ),
    ),
    stageInput: (attempt) => stageInput(deps, attempt),
    takeProduct: tellingOfStops(deps, (attempt) => takeProduct(deps, attempt)),
    uploadProduct: tellingOfStops(
      deps,
      noted(deps, 'upload', (attempt) => uploadProduct(deps, attempt)),
    ),
    recordDay: (attempt) => withHeartbeat(() => recordDay(deps, attempt)),
    closeIncident: (incident) =>
      withHeartbeat(async () => {
        try {
          await deps.gate.open();
        } catch (error) {
          // The next download meets it too, and says so in the range's pause; the range itself must not end here.
          if (!isPipelineError(error, 'gate_held')) throw error;
          deps.log.warn({ incident }, `the incident stays open: ${error.message}`);
          return;
        }
        await deps.gate.closeIncident(incident);
      }),
  };
}

type StageActivity = (attempt: DayAttempt) => Promise<StageResult>;

/** What stops a whole run is told to operators, and that it goes on. */
function tellingOfStops({ notifier }: ActivityDependencies, stage: StageActivity): StageActivity {
  if (notifier === undefined) return stage;
  return async (attempt) => {
    const { product, day } = attempt.input;
    try {
      const result = await stage(attempt);
      notifier.wentOn(product);
      return result;
    } catch (error) {
      const cause = error instanceof ApplicationFailure ? (error.type ?? '') : '';
      if (STOPS_TOLD.has(cause)) notifier.stopped({ product, day, cause, detail: (error as Error).message });
      throw error;
    }
  };
}

/** A gate held by another process is told to whoever started the second one, at once. */
const STOPS_TOLD = new Set(['auth_rejected', 'source_aborted', 'disk_full'] satisfies ErrorKind[] as string[]);

/**
 * A plan with something to download takes the gate first: when another process has it, the range ends before it began
 * (exit code 2). A plan without leaves the gate alone.
 */
async function planWithGate(deps: ActivityDependencies, request: PlanRequest): Promise<PlanResult> {
  const plan = await planRange(deps, request);
  if (request.options.offline === true) return plan;
  // Days planned again are part of a range at work: its downloads say what is in their way, and it pauses.
  if (request.days === undefined && plan.days.some(({ stages }) => stages.includes('download'))) await deps.gate.open();
  return plan;
}
