/** Brings a store up to a list of changed days: only these are opened and written (APPEND-2…7, APPEND-10). */
import { PipelineError } from '../../core/errors.ts';
import type { Day } from '../../core/time/day.ts';
import type { ZarrDay, ZarrRefusal } from '../../core/zarr.ts';
import { GrowingGroup, openReader } from '../../formats/zarr/index.ts';
import type { GroupReader, ObjectStore, PeriodBytes } from '../../formats/zarr/index.ts';
import { openDayFile, told } from './day-file.ts';
import { encodeInThread, ENCODERS } from './encode-in-thread.ts';
import { storeErrors } from './errors.ts';
import { periodOfDay, SOURCE_HASH, zarrSchema } from './layout.ts';
import type { ZarrSettings } from './layout.ts';
import type { EncodedDay } from './thread-protocol.ts';

export interface SyncedDay extends ZarrDay {
  /** SHA-256 of the day's objects by array; null where the day has none. */
  readonly objects: Readonly<Record<string, string | null>>;
}

interface SyncResult {
  readonly created: boolean;
  readonly written: readonly SyncedDay[];
  /** Days that the store holds in this edition already; not touched, but read, to tell what their objects hold. */
  readonly unchanged: readonly SyncedDay[];
  /** Days that do not fit the store; as they were. */
  readonly refused: readonly ZarrRefusal[];
}

interface SyncHooks {
  /** After each day that was written or found unchanged. */
  readonly onDay?: (day: Day) => void;
  /** Ends the work between two days; what is written by then is committed and returned. */
  readonly signal?: AbortSignal;
}

/** A day whose file fits. */
interface Todo {
  readonly changed: ZarrDay;
  readonly period: number;
}

interface Work {
  readonly settings: ZarrSettings;
  readonly hooks: SyncHooks;
  /** Days found unfit are added. */
  readonly refused: ZarrRefusal[];
}

/**
 * Makes the store when there is none, writes the days of the list that it does not hold in this edition, and commits them
 * at once. An empty list touches nothing.
 *
 * @param days - in any order, each day once; bound the list: all its days become visible together
 * @throws PipelineError `store_conflict` when another writer has taken over, `config_invalid` when the store has another
 *   layout, `checksum_mismatch` when the store is damaged, `invariant_broken` when the list has a day twice
 */
export async function syncDays(
  store: ObjectStore,
  settings: ZarrSettings,
  days: readonly ZarrDay[],
  hooks: SyncHooks = {},
): Promise<SyncResult> {
  if (days.length === 0) return { created: false, written: [], unchanged: [], refused: [] };
  if (new Set(days.map(({ day }) => day)).size !== days.length) {
    throw new PipelineError('invariant_broken', 'The list of changed days names one of them twice.');
  }
  return await storeErrors(store, async () => {
    const schema = zarrSchema(settings);
    await store.tidy();
    const present = await GrowingGroup.open(store, schema);
    const group = present ?? (await GrowingGroup.create(store, schema));
    const held = await heldDays(group, settings, days);
    const { todo, refused } = await checkFiles(days, settings);
    const work = { settings, hooks, refused };
    const unchanged = await encodeDays(
      todo.filter(({ changed }) => held.has(changed.day)),
      work,
    );
    const written = await writeDays(
      group,
      todo.filter(({ changed }) => !held.has(changed.day)),
      work,
    );
    return { created: present === null, written, unchanged, refused };
  });
}

/** Days that readers see whole and in the edition of the list. */
async function heldDays(group: GrowingGroup, settings: ZarrSettings, days: readonly ZarrDay[]): Promise<Set<Day>> {
  const held = new Set<Day>();
  if (group.periods === 0) return held;
  const reader = await openReader(group.store);
  for (const { day, sha256 } of days) {
    const period = periodOfDay(day, settings);
    const isVisible = period >= 0 && period < group.periods && !group.updating.includes(period);
    if (isVisible && (await sourceHash(reader, period)) === sha256) held.add(day);
  }
  return held;
}

/** Hash of the file that a visible period was taken from; empty when there is none. */
async function sourceHash(reader: GroupReader, period: number): Promise<string> {
  const array = await reader.array(SOURCE_HASH);
  const { data } = await array.getChunk([period]);
  return String((data as ArrayLike<unknown>)[0]);
}

/** Holds all files against the layout before anything is announced: what is refused leaves no trace. */
async function checkFiles(
  days: readonly ZarrDay[],
  settings: ZarrSettings,
): Promise<{ todo: Todo[]; refused: ZarrRefusal[] }> {
  const todo: Todo[] = [];
  const refused: ZarrRefusal[] = [];
  for (const changed of days) {
    const { day, path } = changed;
    const period = periodOfDay(day, settings);
    const file =
      period < 0
        ? [`day: expected ${settings.origin}, the origin of this store, or later, found ${day}`]
        : await told(openDayFile(path, day, settings));
    if (Array.isArray(file)) refused.push({ day, differences: file });
    else {
      await file.reader.close();
      todo.push({ changed, period });
    }
  }
  return { todo, refused };
}

async function writeDays(group: GrowingGroup, todo: readonly Todo[], work: Work): Promise<SyncedDay[]> {
  if (todo.length === 0) return [];
  const transaction = await group.begin(todo.map(({ period }) => period));
  const written = await encodeDays(todo, work, (period, bytes) => transaction.write(period, bytes));
  await transaction.commit();
  return written;
}

/**
 * Encodes days, several at once.
 *
 * @param write - takes the objects of a day; absent: only what they hash to is wanted
 * @returns the days that fit, in the order of the list
 */
async function encodeDays(
  todo: readonly Todo[],
  { settings, hooks: { onDay, signal }, refused }: Work,
  write?: (period: number, bytes: PeriodBytes) => Promise<void>,
): Promise<SyncedDay[]> {
  const done: (SyncedDay | undefined)[] = [];
  let next = 0;
  let hasFailed = false;
  const isOver = (): boolean => next === todo.length || hasFailed || signal?.aborted === true;
  const finish = async (index: number, { hashes, bytes }: EncodedDay): Promise<void> => {
    const { changed, period } = todo[index]!;
    await write?.(period, bytes);
    done[index] = { ...changed, objects: hashes };
    onDay?.(changed.day);
  };
  const encode = async (): Promise<void> => {
    // A day is written while the next one is encoded; never more than these two.
    let writing = Promise.resolve();
    while (!isOver()) {
      const index = next++;
      const { changed } = todo[index]!;
      const encoded = await encodeInThread({ day: changed, settings, withBytes: write !== undefined });
      await writing;
      if (Array.isArray(encoded)) refused.push({ day: changed.day, differences: encoded });
      else writing = finish(index, encoded);
      writing.catch(() => undefined);
    }
    await writing;
  };
  const encoders = Array.from({ length: ENCODERS }, () =>
    encode().catch((error: unknown) => {
      hasFailed = true;
      throw error;
    }),
  );
  // Whoever begins again must not meet a writer that goes on.
  const ends = await Promise.allSettled(encoders);
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
  return done.filter((each) => each !== undefined);
}
