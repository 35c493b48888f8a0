import { addZarrResults, emptyZarrResult } from '../../core/zarr.ts';
import type { ZarrResult } from '../../core/zarr.ts';
import { syncDays } from '../../products/reach-zarr/index.ts';
import type { ActivityDependencies } from '../dependencies.ts';
import { withHeartbeat } from '../heartbeat.ts';
import type { ZarrBatch } from '../types.ts';

/** Writes some days, which become visible at once, and notes them in the ledger. Days that do not fit are told, not thrown. */
export async function syncZarrDays(deps: ActivityDependencies, batch: ZarrBatch): Promise<ZarrResult> {
  return await withHeartbeat(async (signal, tell) => {
    const { store, settings, days } = batch;
    let done = 0;
    const onDay = (): void => tell({ phase: 'writing days', done: (done += 1), total: days.length });
    tell({ phase: 'writing days', done, total: days.length });
    const { created, written, unchanged, refused } = await syncDays(deps.zarrStoreAt(store), settings, days, {
      onDay,
      signal,
    });
    await deps.ledger.putZarrDays(store, settings.product, [...written, ...unchanged]);
    signal.throwIfAborted();
    for (const { day, differences } of refused)
      deps.log.warn({ day, store, differences }, 'day does not fit the Zarr store');
    deps.log.info({ store, written: written.map(({ day }) => day) }, 'Zarr store synced');
    return addZarrResults(emptyZarrResult(store), {
      store,
      created,
      written: written.length,
      unchanged: unchanged.length,
      refusedDays: refused.length,
      refused,
    });
  });
}
