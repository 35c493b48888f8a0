import { continueAsNew, log, proxyActivities, setCurrentDetails, workflowInfo } from '@temporalio/workflow';
import type { Activities } from '../activities/types.ts';
import { addZarrResults, emptyZarrResult } from '../core/zarr.ts';
import type { ZarrInput, ZarrResult } from '../core/zarr.ts';
import type { Day } from '../core/time/day.ts';
import { COMPUTE, LIGHT } from './options.ts';

/** Days that are looked up at once. */
const PLANNED_DAYS = 128;
/** Days that become visible together; as many files are open at once, and what a kill costs. */
const BATCH_DAYS = 16;

/**
 * Brings a Zarr store up to the ledger's products: looks up the days it lacks, in batches of ascending days, and writes them.
 * Its id carries the store alone, so that a store has one writer. A day that does not fit is told in the result. All of it is done
 * by the worker that has the workspace's folder: paths of products, and of a store in a folder, mean something there alone.
 */
export async function syncZarr(input: ZarrInput): Promise<ZarrResult> {
  const { product, target, rebuild, carried } = input;
  const light = proxyActivities<Activities>({ ...LIGHT, summary: `Zarr store ${target.store}` });
  let result = carried?.result ?? emptyZarrResult(target.store);
  let after: Day | null = carried?.after ?? null;
  const store = rebuild ? await placeOfRebuild(input) : target.store;
  for (;;) {
    const { settings, days } = await light.planZarr({ product, target, store, after, limit: PLANNED_DAYS });
    for (let first = 0; first < days.length; first += BATCH_DAYS) {
      const batch = days.slice(first, first + BATCH_DAYS);
      const summary = `${batch[0]!.day}..${batch.at(-1)!.day} into ${target.store}`;
      const heavy = proxyActivities<Activities>({ ...COMPUTE, summary });
      result = {
        ...addZarrResults(result, await heavy.syncZarrDays({ store, settings, days: batch })),
        store: target.store,
      };
      after = batch.at(-1)!.day;
      setCurrentDetails(`${result.written} days written, ${result.refusedDays} refused; up to ${after}.`);
    }
    if (days.length < PLANNED_DAYS) break;
    if (workflowInfo().continueAsNewSuggested) {
      return await continueAsNew<typeof syncZarr>({ ...input, carried: { store, after, result } });
    }
  }
  if (rebuild) {
    const finish = proxyActivities<Activities>({ ...COMPUTE, summary: `Put the new ${target.store} in place` });
    await finish.finishZarrRebuild(target.store);
  }
  log.info('Zarr store synced', { ...result });
  return result;
}

/** The successor's place: cleared when the rebuild begins, the same again after continue-as-new. */
async function placeOfRebuild({ target, carried }: ZarrInput): Promise<string> {
  if (carried) return carried.store;
  const activities = proxyActivities<Activities>({ ...COMPUTE, summary: `A place for the new ${target.store}` });
  return await activities.prepareZarrRebuild(target.store);
}
