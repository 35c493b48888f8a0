/**
 * The download of one day without the engine: which slices are missing, one pass over them through the gate, slice files,
 * the artifact and its manifest. It never asks twice for a slice in a pass (in halves when the answer may have been cut),
 * waits for nothing but the gate, and writes no telemetry: when a pass leaves slices missing it throws, and who called decides
 * about the next one. Start reading with `download-day.ts`.
 */
export { downloadDay } from './download-day.ts';
export { recheckDay } from './recheck.ts';
export { allKeptBodies } from './kept-body.ts';
export { reprocessDay, surveyKeptDay } from './reprocess.ts';
export type { KeptDay } from './reprocess.ts';
export type { RecheckOutcome } from './recheck.ts';
export { discardSlices } from './slice-store.ts';
export type {
  DownloadDependencies,
  DownloadHooks,
  DownloadOutcome,
  DownloadProgress,
  DownloadRequest,
} from './types.ts';
