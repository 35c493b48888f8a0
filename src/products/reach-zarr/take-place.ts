/** A rebuilt store in the place of the one it succeeds, in a bucket. */
import { PipelineError } from '../../core/errors.ts';
import { replaceStore } from '../../formats/zarr/index.ts';
import type { ObjectStore, ReplaceHooks } from '../../formats/zarr/index.ts';
import { storeErrors } from './errors.ts';
import { readSettings } from './info.ts';
import { zarrSchema } from './layout.ts';

/**
 * @throws PipelineError `store_conflict` when another writer is at the place; `config_invalid` when there is no new store
 */
export async function takePlaceOf(place: ObjectStore, fresh: ObjectStore, hooks: ReplaceHooks = {}): Promise<void> {
  const settings = await readSettings(fresh);
  if (!settings) {
    throw new PipelineError('config_invalid', `There is no Zarr store at ${fresh.location}.`, {
      hint: 'Run "reachback zarr rebuild" again.',
    });
  }
  await storeErrors(place, async () => await replaceStore(place, fresh, zarrSchema(settings), hooks));
}
