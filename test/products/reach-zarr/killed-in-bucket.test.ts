/** A writer to a bucket that is killed at each step. `REACHBACK_ZARR_STEPS=all` takes every step, not a few. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { expect, test } from 'vitest';
import type { ZarrDay } from '../../../src/core/zarr.ts';
import { openReader } from '../../../src/formats/zarr/index.ts';
import { syncDays } from '../../../src/products/reach-zarr/index.ts';
import { S3ObjectStore } from '../../../src/storage/s3/object-store.ts';
import { FaultyStore } from '../../formats/zarr/faulty-store.ts';
import { MemoryStore } from '../../formats/zarr/memory-store.ts';
import { contentOf } from '../../formats/zarr/small-group.ts';
import { temporaryFolder } from '../../storage/temporary-folder.ts';
import { createBucket } from '../../support/s3/buckets.ts';
import { useS3Server } from '../../support/s3/use-server.ts';
import { makeDay, SETTINGS } from './days.ts';

const CHILD = fileURLToPath(new URL('./sync-child.ts', import.meta.url));
const IS_ALL = process.env['REACHBACK_ZARR_STEPS'] === 'all';
const s3 = useS3Server();

test('APPEND-9: a writer to a bucket killed with -9 at each step: nothing half shows, and the next sync ends as an undisturbed one', async () => {
  const folder = await temporaryFolder();
  const [first, second] = [await makeDay(folder, '2026-01-01'), await makeDay(folder, '2026-01-02')];
  const again = await makeDay(folder, '2026-01-01', { edition: 1 });
  const { name } = await createBucket(s3.client);
  const newDay = { what: 'a new day', before: [first], list: [second] };
  const otherEdition = { what: 'a day in another edition', before: [first, second], list: [again] };
  for (const { what, before, list } of [newDay, otherEdition]) {
    const memory = new MemoryStore();
    await syncDays(memory, SETTINGS, before);
    const former = await contentOf(memory);
    const counting = new FaultyStore(memory, Infinity);
    await syncDays(counting, SETTINGS, list);
    const expected = await contentOf(memory);
    for (const step of stepsOf(counting.changes)) {
      const store = new S3ObjectStore(`s3://${name}/${what.replaceAll(' ', '-')}/${step}.zarr`, s3.settings);
      await syncDays(store, SETTINGS, before);
      expect(await killedAt(store.location, list, step), `step ${step}`).toBe('SIGKILL');
      // The day is listed, or nothing of it is there, or all.
      const found = await contentOf(store);
      const isWhole = isDeepStrictEqual(found, former) || isDeepStrictEqual(found, expected);
      const { attributes } = await openReader(store);
      const isListed = (attributes['updating'] as string[]).includes(list[0]!.day);
      expect(isListed || isWhole, `step ${step}`).toBe(true);
      await syncDays(store, SETTINGS, list);
      expect(await contentOf(store), `step ${step}`).toEqual(expected);
    }
  }
}, 600_000);

/** The announcement, the first and last objects, the documents and the commit are steps of their own. */
function stepsOf(changes: number): number[] {
  const all = Array.from({ length: changes }, (_, step) => step);
  return IS_ALL ? all : [0, 1, Math.floor(changes / 2), changes - 1];
}

/** @param changes - that the writer makes before it dies in the next one */
async function killedAt(store: string, days: readonly ZarrDay[], changes: number): Promise<string | null> {
  const child = spawn(
    process.execPath,
    [CHILD, store, JSON.stringify(SETTINGS), JSON.stringify(days), String(changes)],
    {
      env: { ...process.env, ...s3.server.environment },
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  );
  const [, signal] = (await once(child, 'close')) as [number | null, string | null];
  return signal;
}
