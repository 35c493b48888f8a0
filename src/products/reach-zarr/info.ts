/** What a store says about itself. */
import { parseDay, addDays } from '../../core/time/day.ts';
import type { Day } from '../../core/time/day.ts';
import { openReader } from '../../formats/zarr/index.ts';
import type { ObjectStore } from '../../formats/zarr/index.ts';
import { storeErrors } from './errors.ts';
import { SOURCE_HASH, TIME_OFFSET } from './layout.ts';
import type { ZarrSettings } from './layout.ts';

export interface StoreInfo {
  readonly settings: ZarrSettings;
  /** Days that were written, ascending. */
  readonly days: readonly Day[];
  /** Days that are being rewritten, or were when a writer was killed. */
  readonly updating: readonly string[];
  readonly objects: number;
  readonly sizeBytes: number;
}

/** The settings that a store was made with; null when there is none. @throws PipelineError `config_invalid` for another's store */
export async function readSettings(store: ObjectStore): Promise<ZarrSettings | null> {
  return await storeErrors(store, async () => {
    if ((await store.get('zarr.json')) === null) return null;
    const { attributes, arrays } = await openReader(store);
    const { product, time_origin: origin } = attributes as { product?: string; time_origin?: string };
    return {
      product: String(product),
      origin: String(origin).slice(0, 10) as Day,
      exactTimes: arrays.includes(TIME_OFFSET),
    };
  });
}

/** Lists all objects. Null when there is no store. */
export async function describeStore(store: ObjectStore): Promise<StoreInfo | null> {
  const settings = await readSettings(store);
  if (!settings) return null;
  const { attributes } = await openReader(store);
  const days: Day[] = [];
  let objects = 0;
  let sizeBytes = 0;
  for await (const object of store.list('')) {
    objects += 1;
    sizeBytes += object.sizeBytes;
    const period = new RegExp(`^${SOURCE_HASH}/c\\.(\\d+)$`).exec(object.key)?.[1];
    if (period !== undefined) days.push(addDays(parseDay(settings.origin), Number(period)));
  }
  const updating = attributes['updating'] as string[];
  return { settings, days: days.toSorted(), updating, objects, sizeBytes };
}
