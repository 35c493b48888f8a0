/** Holds every object of a store against what its writer noted, and looks for what is missing or too many. */
import { createHash } from 'node:crypto';
import { PipelineError } from '../../core/errors.ts';
import type { Day } from '../../core/time/day.ts';
import { chunkKeyAlong, GROUP_KEY, GrowingGroup } from '../../formats/zarr/index.ts';
import type { ObjectStore } from '../../formats/zarr/index.ts';
import { storeErrors } from './errors.ts';
import { readSettings } from './info.ts';
import { periodOfDay, zarrSchema } from './layout.ts';
import type { SyncedDay } from './sync.ts';

export interface StoreFinding {
  readonly kind: 'missing' | 'damaged' | 'extra' | 'updating';
  /** Key of the object, or the day. */
  readonly where: string;
  readonly message: string;
}

export interface VerifyHooks {
  readonly onDay?: (day: Day) => void;
  /** Ends the work between two days. */
  readonly signal?: AbortSignal;
}

/**
 * Reads the whole store, a day at a time.
 *
 * @param days - every day that was committed, with the hashes of its objects
 * @returns nothing when all is as it should be
 * @throws PipelineError `config_invalid` when there is no store, or one of another layout; the reason of the signal
 */
export async function verifyStore(
  store: ObjectStore,
  days: readonly SyncedDay[],
  { onDay, signal }: VerifyHooks = {},
): Promise<StoreFinding[]> {
  return await storeErrors(store, async () => {
    const settings = await readSettings(store);
    const group = settings && (await GrowingGroup.open(store, zarrSchema(settings)));
    if (!settings || !group) {
      throw new PipelineError('config_invalid', `There is no Zarr store at ${store.location}.`, {
        hint: 'Check the place, or make the store with "reachback zarr sync".',
      });
    }
    const findings: StoreFinding[] = group.updating.map((period) => {
      const where = group.schema.periodName(period);
      return { kind: 'updating', where, message: 'a writer has begun it and not come to an end; sync again' };
    });
    const known = new Set([GROUP_KEY]);
    const check = async (key: string, expected: string | null): Promise<void> => {
      if (expected === null) return;
      known.add(key);
      const object = await store.get(key);
      const found = object && createHash('sha256').update(object.bytes).digest('hex');
      if (found === expected) return;
      const message = found === null ? 'is not there' : `expected SHA-256 ${expected}, found ${found}`;
      findings.push({ kind: found === null ? 'missing' : 'damaged', where: key, message });
    };
    for await (const { key, bytes } of group.derivedObjects()) {
      await check(key, createHash('sha256').update(bytes).digest('hex'));
    }
    const written = group.schema.arrays.filter(({ generated }) => !generated);
    for (const { day, objects } of days) {
      signal?.throwIfAborted();
      const period = periodOfDay(day, settings);
      if (period >= group.periods) {
        findings.push({ kind: 'missing', where: day, message: 'the ledger has it, the store ends before it' });
      }
      for (const array of written) await check(chunkKeyAlong(array, period), objects[array.name] ?? null);
      onDay?.(day);
    }
    for await (const { key } of store.list('')) {
      if (!known.has(key)) findings.push({ kind: 'extra', where: key, message: 'nothing in the ledger asks for it' });
    }
    return findings;
  });
}
