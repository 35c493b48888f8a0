import { PipelineError } from '../../core/errors.ts';
import { DEFAULT_ZARR_ORIGIN } from '../../core/zarr.ts';
import { readSettings } from '../../products/reach-zarr/index.ts';
import type { ActivityDependencies } from '../dependencies.ts';
import { withHeartbeat } from '../heartbeat.ts';
import type { ZarrPlan, ZarrPlanRequest } from '../types.ts';

/** The next days that a store lacks, and the settings that it has or will have. A store that is gone is forgotten first. */
export async function planZarr(deps: ActivityDependencies, request: ZarrPlanRequest): Promise<ZarrPlan> {
  return await withHeartbeat(async () => {
    const { product, target, store, after, limit } = request;
    const present = await readSettings(deps.zarrStoreAt(store));
    // The successor of a store is made as that is, unless the command says otherwise or it cannot be read any more.
    const former =
      present ?? (store === target.store ? null : await readSettings(deps.zarrStoreAt(target.store)).catch(() => null));
    if (former && former.product !== product) {
      throw new PipelineError(
        'config_invalid',
        `${target.store} is the store of ${former.product}, not of ${product}.`,
        {
          hint: 'One store per product: name another place.',
        },
      );
    }
    if (!present && after === null) await deps.ledger.forgetZarrDays(store);
    const days = await deps.ledger.zarrChanges(store, product, after, limit);
    const settings = {
      product,
      origin: target.origin ?? former?.origin ?? DEFAULT_ZARR_ORIGIN,
      exactTimes: target.exactTimes ?? former?.exactTimes ?? false,
    };
    return { settings, days };
  });
}
