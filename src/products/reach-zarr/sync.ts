/** Brings a store up to a list of changed days: only these are opened and written (APPEND-2…7, APPEND-10). */
import { createHash, webcrypto } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { basename } from 'node:path';
import { PipelineError } from '../../core/errors.ts';
import type { Day } from '../../core/time/day.ts';
import type { ZarrDay, ZarrRefusal } from '../../core/zarr.ts';
import { FormatError } from '../../formats/cdf/index.ts';
import { GrowingGroup, openReader } from '../../formats/zarr/index.ts';
import type { GroupReader, ObjectStore, PeriodBytes } from '../../formats/zarr/index.ts';
import { openDayFile } from './day-file.ts';
import type { DayFile } from './day-file.ts';
import { encodeDay } from './encode-day.ts';
import { storeErrors } from './errors.ts';
import { periodOfDay, SOURCE_HASH, zarrSchema } from './layout.ts';
import type { ZarrSettings } from './layout.ts';

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
  readonly file: DayFile;
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
    const { todo, refused } = await openFiles(days, settings);
    try {
      const unchanged = await readAgain(
        group,
        todo.filter(({ changed }) => held.has(changed.day)),
        hooks,
        refused,
      );
      const written = await writeDays(
        group,
        todo.filter(({ changed }) => !held.has(changed.day)),
        hooks,
        refused,
      );
      return { created: present === null, written, unchanged, refused };
    } finally {
      await Promise.all(todo.map(({ file }) => file.reader.close()));
    }
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

async function openFiles(
  days: readonly ZarrDay[],
  settings: ZarrSettings,
): Promise<{ todo: Todo[]; refused: ZarrRefusal[] }> {
  const todo: Todo[] = [];
  const refused: ZarrRefusal[] = [];
  for (const changed of days) {
    const { day } = changed;
    const period = periodOfDay(day, settings);
    const file =
      period < 0
        ? [`day: expected ${settings.origin}, the origin of this store, or later, found ${day}`]
        : await told(openDayFile(changed.path, day, settings));
    if (Array.isArray(file)) refused.push({ day, differences: file });
    else todo.push({ changed, period, file });
  }
  return { todo, refused };
}

/** What stands in the way of reading a file, as a difference. */
async function told<T>(work: Promise<T>): Promise<T | string[]> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof FormatError) return [`file: ${error.message}`];
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ['file: expected a CDF, found nothing at its path'];
    throw error;
  }
}

async function readAgain(
  group: GrowingGroup,
  todo: readonly Todo[],
  { onDay, signal }: SyncHooks,
  refused: ZarrRefusal[],
): Promise<SyncedDay[]> {
  const unchanged: SyncedDay[] = [];
  for (const each of todo) {
    if (signal?.aborted === true) break;
    const { changed } = each;
    const bytes = await encodeChecked(each, group);
    if (isDifferences(bytes)) refused.push({ day: changed.day, differences: bytes });
    else unchanged.push({ ...changed, objects: await hashes(bytes) });
    onDay?.(changed.day);
  }
  return unchanged;
}

async function writeDays(
  group: GrowingGroup,
  todo: readonly Todo[],
  { onDay, signal }: SyncHooks,
  refused: ZarrRefusal[],
): Promise<SyncedDay[]> {
  if (todo.length === 0) return [];
  const transaction = await group.begin(todo.map(({ period }) => period));
  const written: SyncedDay[] = [];
  let next: Promise<PeriodBytes | string[]> | undefined;
  for (const [i, each] of todo.entries()) {
    if (signal?.aborted === true) break;
    const { changed, period } = each;
    const bytes = await (next ?? encodeChecked(each, group));
    // While this day is written the next one is read.
    const following = todo[i + 1];
    next = following && encodeChecked(following, group);
    next?.catch(() => undefined);
    if (isDifferences(bytes)) {
      refused.push({ day: changed.day, differences: bytes });
      continue;
    }
    const [objects] = await Promise.all([hashes(bytes), transaction.write(period, bytes)]);
    written.push({ ...changed, objects });
    onDay?.(changed.day);
  }
  await next?.catch(() => undefined);
  await transaction.commit();
  return written;
}

function isDifferences(bytes: PeriodBytes | string[]): bytes is string[] {
  return Array.isArray(bytes);
}

/** The day's objects; differences when the file is damaged or not the one that was listed. */
async function encodeChecked({ changed, file }: Todo, group: GrowingGroup): Promise<PeriodBytes | string[]> {
  const { path, sha256 } = changed;
  const found = await fileHash(path);
  if (found !== sha256) return [`file: expected SHA-256 ${sha256} as listed, found ${found}`];
  return await told(encodeDay(file, { file: basename(path), sha256 }, group.schema));
}

async function fileHash(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(piece as Buffer);
  return hash.digest('hex');
}

/** SHA-256 of bytes, off the main thread. */
async function hashes(bytes: PeriodBytes): Promise<SyncedDay['objects']> {
  const pairs = Object.entries(bytes).map(async ([name, content]) => {
    const digest = content && (await webcrypto.subtle.digest('SHA-256', content));
    return [name, digest && Buffer.from(digest).toString('hex')] as const;
  });
  return Object.fromEntries(await Promise.all(pairs));
}
