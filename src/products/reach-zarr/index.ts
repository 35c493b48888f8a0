/**
 * One Zarr store for years of the REACH L1C product: which arrays it has, how a day's CDF becomes part of it, and whether
 * it holds what it should. Paths, lists and stores come from the callers; README.md says where to start reading.
 */
export { describeStore, readSettings } from './info.ts';
export type { ZarrSettings } from './layout.ts';
export { syncDays } from './sync.ts';
export { takePlaceOf } from './take-place.ts';
export { verifyStore } from './verify.ts';
