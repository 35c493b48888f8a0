/**
 * Activities: shells that fetch, call plain code, store, and return a small summary. They own effects and their order:
 * work under a temporary name, fsync, rename, manifest, ledger row, telemetry. Arguments and results stay small.
 * They must not decide what a day needs (that is `src/core/backfill`) nor retry (the engine does).
 */
import { buildCdf } from './build-cdf.ts';
import { countRecords } from './count-records.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { downloadWindow } from './download-window.ts';
import { withHeartbeat } from './heartbeat.ts';
import { planRange } from './plan-range.ts';
import { recordDay } from './record-day.ts';
import type { Activities } from './types.ts';
import { uploadProduct } from './upload-product.ts';

export function createActivities(deps: ActivityDependencies): Activities {
  return {
    planRange: (request) => withHeartbeat(() => planRange(deps, request)),
    downloadWindow: (attempt) => downloadWindow(deps, attempt),
    countRecords: (attempt) => countRecords(deps, attempt),
    buildCdf: (attempt) => buildCdf(deps, attempt),
    uploadProduct: (attempt) => uploadProduct(deps, attempt),
    recordDay: (attempt) => withHeartbeat(() => recordDay(deps, attempt)),
    closeIncident: (incident) =>
      withHeartbeat(async () => {
        deps.gate.closeIncident(incident);
      }),
  };
}
