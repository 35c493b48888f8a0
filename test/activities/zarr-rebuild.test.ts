/** Rebuilding a Zarr store in a bucket, where nothing can be renamed: the activities as the workflow calls them. */
import { statSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { ActivityDependencies } from '../../src/activities/dependencies.ts';
import { createActivities } from '../../src/activities/index.ts';
import type { Activities } from '../../src/activities/types.ts';
import type { ZarrDay, ZarrTarget } from '../../src/core/zarr.ts';
import { openReader } from '../../src/formats/zarr/index.ts';
import type { ObjectStore } from '../../src/formats/zarr/index.ts';
import { syncDays, verifyStore } from '../../src/products/reach-zarr/index.ts';
import { S3ObjectStore } from '../../src/storage/s3/object-store.ts';
import { FaultyStore } from '../formats/zarr/faulty-store.ts';
import { MemoryStore } from '../formats/zarr/memory-store.ts';
import { contentOf } from '../formats/zarr/small-group.ts';
import { makeDay, ORIGIN, SETTINGS } from '../products/reach-zarr/days.ts';
import { createBucket } from '../support/s3/buckets.ts';
import { useS3Server } from '../support/s3/use-server.ts';
import { ALL, createPlace, engine, failureOf } from './set-up.ts';
import type { Place } from './set-up.ts';

const s3 = useS3Server();

const URI = 's3://bucket/stores/reach.zarr';
const BESIDE = 's3://bucket/stores/.reach.zarr.rebuild';

async function withDays(): Promise<{ place: Place; days: ZarrDay[] }> {
  const place = await createPlace();
  const days = [await makeDay(place.workspace.root, '2026-01-01'), await makeDay(place.workspace.root, '2026-01-03')];
  for (const { day, path, sha256 } of days) {
    const { size: sizeBytes, mtimeMs } = statSync(path);
    const facts = { records: 1, inputSha256: 'a'.repeat(64), profile: 'istp', version: '1.0.0' } as const;
    const createdAt = '2026-02-01T00:00:00.000Z';
    await place.ledger.putArtifact({
      kind: 'product',
      product: ALL,
      day,
      path,
      sizeBytes,
      mtimeMs,
      sha256,
      ...facts,
      createdAt,
    });
  }
  return { place, days };
}

function activitiesOver(deps: ActivityDependencies, zarrStoreAt: (uri: string) => ObjectStore): Activities {
  return createActivities({ ...deps, zarrStoreAt });
}

async function run<T>(work: () => Promise<T>): Promise<T> {
  return (await engine().run(work)) as T;
}

/** Writes what a store lacks, as `syncZarr` does. */
async function sync(activities: Activities, target: ZarrTarget, store = target.store): Promise<number> {
  const plan = { product: ALL, target, store, after: null, limit: 10 };
  const { settings, days } = await run(() => activities.planZarr(plan));
  const { written } = await run(() => activities.syncZarrDays({ store, settings, days }));
  return written;
}

/** All but the last step of a rebuild. @returns where the new store is */
async function makeBeside(activities: Activities, target: ZarrTarget): Promise<string> {
  const beside = await run(() => activities.prepareZarrRebuild(target.store));
  await sync(activities, target, beside);
  return beside;
}

/** One store per URI. */
function storesInMemory(): (uri: string) => MemoryStore {
  const stores = new Map<string, MemoryStore>();
  return (uri) => {
    const store = stores.get(uri) ?? new MemoryStore();
    stores.set(uri, store);
    return store;
  };
}

async function contentOfFullBuild(days: readonly ZarrDay[], settings = SETTINGS): Promise<Record<string, string>> {
  const store = new MemoryStore();
  await syncDays(store, settings, days);
  return await contentOf(store);
}

describe('a rebuild in a bucket', () => {
  test('APPEND-6, APPEND-9: mends damage and takes what is too many away; over a real server', async () => {
    const { place, days } = await withDays();
    const bucket = await createBucket(s3.client);
    const activities = activitiesOver(place.deps, (uri) => new S3ObjectStore(uri, s3.settings));
    const target = { store: `s3://${bucket.name}/stores/reach.zarr`, origin: ORIGIN, exactTimes: null };
    const store = new S3ObjectStore(target.store, s3.settings);
    expect(await sync(activities, target)).toBe(2);
    await store.put('lat/c.0.0', Buffer.from('damaged'));
    await store.put('lat/c.7.0', Buffer.from('too many'));
    await store.delete('lon/c.2.0');
    const beside = await makeBeside(activities, target);
    expect(beside).toBe(`s3://${bucket.name}/stores/.reach.zarr.rebuild`);
    await run(() => activities.finishZarrRebuild(target.store));
    expect(await contentOf(store)).toEqual(await contentOfFullBuild(days));
    expect((await bucket.keys()).filter((key) => !key.startsWith('stores/reach.zarr/'))).toEqual([]);
    expect(await verifyStore(store, await place.ledger.zarrDays(target.store))).toEqual([]);
    expect(await sync(activities, target)).toBe(0);
  });

  test.each([
    { what: 'the same layout', target: { store: URI, origin: ORIGIN, exactTimes: null } },
    { what: 'another layout', target: { store: URI, origin: '2025-12-30' as typeof ORIGIN, exactTimes: true } },
  ])('APPEND-9: to $what, stopped at a change and done again: ends as an undisturbed one', async ({ target }) => {
    const { place, days } = await withDays();
    const settings = { ...SETTINGS, origin: target.origin, exactTimes: target.exactTimes ?? false };
    const expected = await contentOfFullBuild(days, settings);
    const storeAt = storesInMemory();
    const calm = activitiesOver(place.deps, storeAt);
    await sync(calm, { store: URI, origin: ORIGIN, exactTimes: null });
    const former = new Map(storeAt(URI).objects);
    await makeBeside(calm, target);
    const rows = await place.ledger.zarrDays(BESIDE);
    const fresh = new Map(storeAt(BESIDE).objects);

    const counts = new FaultyStore(storeAt(URI), Infinity);
    await run(() => activitiesOver(place.deps, (uri) => (uri === URI ? counts : storeAt(uri))).finishZarrRebuild(URI));
    expect(await contentOf(storeAt(URI))).toEqual(expected);
    // Between the first changes and the last ones objects are copied, one like the other.
    const last = counts.changes - 1;
    for (const survived of [0, 1, 2, last >> 1, last - 1, last]) {
      for (const [uri, objects] of [
        [URI, former],
        [BESIDE, fresh],
      ] as const) {
        storeAt(uri).objects.clear();
        for (const [key, bytes] of objects) storeAt(uri).objects.set(key, bytes);
      }
      await place.ledger.putZarrDays(BESIDE, ALL, rows);
      const faulty = new FaultyStore(storeAt(URI), survived);
      const stopped = activitiesOver(place.deps, (uri) => (uri === URI ? faulty : storeAt(uri)));
      await expect(run(() => stopped.finishZarrRebuild(URI))).rejects.toThrow('killed');
      if (survived > 0) await expectNothingWrongShown(storeAt(URI), days);
      await run(() => calm.finishZarrRebuild(URI));
      expect(await contentOf(storeAt(URI))).toEqual(expected);
      expect(await place.ledger.zarrDays(URI)).toEqual(rows);
    }
    expect([...storeAt(BESIDE).objects.keys()]).toEqual([]);
  });

  test('APPEND-10: a writer that comes between loses nothing: the rebuild ends with the named conflict', async () => {
    const { place } = await withDays();
    const storeAt = storesInMemory();
    const target = { store: URI, origin: ORIGIN, exactTimes: null };
    const calm = activitiesOver(place.deps, storeAt);
    await sync(calm, target);
    await makeBeside(calm, target);
    const another = new MemoryStore();
    Object.assign(another, { objects: storeAt(URI).objects });
    another.put = async (key, bytes) => {
      storeAt(URI).objects.set('zarr.json', Buffer.from('{"written by": "another"}'));
      another.objects.set(key, bytes);
    };
    const crossed = activitiesOver(place.deps, (uri) => (uri === URI ? another : storeAt(uri)));
    const failure = await failureOf(run(() => crossed.finishZarrRebuild(URI)));
    expect(failure).toMatchObject({
      type: 'store_conflict',
      message: expect.stringContaining('it is not replaced') as string,
    });
    expect(Buffer.from((await storeAt(URI).get('zarr.json'))!.bytes).toString()).toContain('another');
  });
});

/** What readers find in the middle: a document that lists every day that there is, or no day at all. */
async function expectNothingWrongShown(store: ObjectStore, days: readonly ZarrDay[]): Promise<void> {
  const reader = await openReader(store);
  const updating = reader.attributes['updating'] as string[];
  expect(updating).toEqual(expect.arrayContaining(days.map(({ day }) => day)));
  const { shape } = await reader.array('time');
  expect(shape[0]! % 17_280).toBe(0);
}
