/**
 * The activities of `syncZarr`: which days a store lacks, writing some of them, putting a rebuilt store in place. Shells
 * around `src/products/reach-zarr` and the ledger; they decide no order and try nothing again.
 */
export { syncZarrDays } from './sync-days.ts';
export { planZarr } from './plan-zarr.ts';
export { finishZarrRebuild, prepareZarrRebuild } from './rebuild.ts';
export { openZarrStore } from './open-store.ts';
