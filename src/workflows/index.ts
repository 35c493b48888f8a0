/**
 * Every export here is a workflow type on the server. Workflows decide order, waiting and concurrency; each "if" about
 * data is a call into `src/core`. No clock, no chance, no input or output but through activities.
 */
export { backfillRange } from './backfill-range.ts';
export { processDay } from './process-day.ts';
export { scheduledBackfill } from './scheduled-backfill.ts';
export { syncZarr } from './sync-zarr.ts';
