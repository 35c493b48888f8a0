/**
 * Puts a new store in the place of another where nothing can be renamed: a bucket. A folder is better renamed.
 *
 * 1. The group's document of the place becomes one of the new store that lists all periods as `updating`, by conditional
 *    replacement. If the present one is of another layout it has no periods: readers see nothing rather than what is wrong.
 * 2. Every object is copied, those of no use are removed.
 * 3. The group's document of the new store, again conditionally.
 *
 * Killed at any point and done again, it ends the same; the new store is left as it is.
 */
import { randomBytes } from 'node:crypto';
import { ZarrError } from './errors.ts';
import { encodeDocument, GROUP_KEY, groupDocument, parseGroup } from './metadata.ts';
import type { GroupState } from './metadata.ts';
import type { ObjectStore } from './object-store.ts';
import type { GroupSchema } from './schema.ts';
import { several } from './several.ts';

/** Objects under way at once. */
const COPIES = 8;

export interface ReplaceHooks {
  /** After each object that was copied. */
  readonly onObject?: (done: number, total: number) => void;
  /** Ends the work between two objects; the place stays listed as `updating`. */
  readonly signal?: AbortSignal;
}

/**
 * @param schema - of the new store
 * @throws ZarrError `not_zarr` when there is no new store; `conflict` when another writer is at the place; the signal's reason
 */
export async function replaceStore(
  place: ObjectStore,
  fresh: ObjectStore,
  schema: GroupSchema,
  hooks: ReplaceHooks = {},
): Promise<void> {
  const root = await fresh.get(GROUP_KEY);
  if (!root) throw new ZarrError('not_zarr', `There is no Zarr store at ${fresh.location}.`);
  const { periods } = parseGroup(root.bytes, schema, fresh.location);
  const present = await place.get(GROUP_KEY);
  const visible = present && periodsOfSameLayout(present.bytes, schema, place.location);
  const state: GroupState = {
    periods: visible ?? 0,
    updating: Array.from({ length: Math.max(periods, visible ?? 0) }, (_, period) => period),
    writer: randomBytes(8).toString('hex'),
  };
  const announcement = encodeDocument(groupDocument(schema, state));
  const version = await place.putIf(GROUP_KEY, announcement, present?.version ?? null);
  if (version === null) throw conflict(place);
  await copyObjects(place, fresh, hooks);
  if ((await place.putIf(GROUP_KEY, root.bytes, version)) === null) throw conflict(place);
}

/** Null when the document is of another layout, or of none. */
function periodsOfSameLayout(bytes: Uint8Array, schema: GroupSchema, location: string): number | null {
  try {
    return parseGroup(bytes, schema, location).periods;
  } catch (error) {
    if (error instanceof ZarrError) return null;
    throw error;
  }
}

async function copyObjects(place: ObjectStore, fresh: ObjectStore, { onObject, signal }: ReplaceHooks): Promise<void> {
  const keys = new Set<string>();
  for await (const { key } of fresh.list('')) keys.add(key);
  keys.delete(GROUP_KEY);
  let done = 0;
  await several([...keys], COPIES, async (key) => {
    signal?.throwIfAborted();
    if ((await place.takeOver?.(key, fresh)) !== true) await place.put(key, (await fresh.get(key))!.bytes);
    onObject?.((done += 1), keys.size);
  });
  for await (const { key } of place.list('')) if (key !== GROUP_KEY && !keys.has(key)) await place.delete(key);
}

function conflict({ location }: ObjectStore): ZarrError {
  return new ZarrError('conflict', `${location} was changed by another writer; it is not replaced.`);
}
