import { describe, expect, test } from 'vitest';
import { GrowingGroup } from '../../src/formats/zarr/index.ts';
import { S3ObjectStore } from '../../src/storage/s3/object-store.ts';
import { syncDays } from '../../src/products/reach-zarr/index.ts';
import { MemoryStore } from '../formats/zarr/memory-store.ts';
import { objectStoreContract } from '../formats/zarr/object-store-contract.ts';
import { bytesOf, contentOf, SCHEMA } from '../formats/zarr/small-group.ts';
import { makeDay, SETTINGS } from '../products/reach-zarr/days.ts';
import { createBucket } from '../support/s3/buckets.ts';
import { useS3Server } from '../support/s3/use-server.ts';
import { temporaryFolder } from './temporary-folder.ts';

const s3 = useS3Server();

async function emptyStore(prefix = 'stores/reach.zarr'): Promise<S3ObjectStore> {
  const { name } = await createBucket(s3.client);
  return new S3ObjectStore(`s3://${name}/${prefix}`, s3.settings);
}

objectStoreContract('s3://bucket/prefix', () => emptyStore());

describe('a Zarr store in a bucket', () => {
  test('APPEND-6: has the objects of one in memory, byte for byte, after two syncs', async () => {
    const folder = await temporaryFolder();
    const days = [await makeDay(folder, '2026-01-02'), await makeDay(folder, '2026-01-01')];
    const [store, memory] = [await emptyStore(), new MemoryStore()];
    await syncDays(memory, SETTINGS, days);
    for (const day of days) await syncDays(store, SETTINGS, [day]);
    expect(await contentOf(store)).toEqual(await contentOf(memory));
  });

  test('APPEND-10: of two writers the one that lost is told so by name, whatever it tries next', async () => {
    const store = await emptyStore();
    const first = await GrowingGroup.create(store, SCHEMA);
    const second = (await GrowingGroup.open(store, SCHEMA))!;
    await expect(GrowingGroup.create(store, SCHEMA)).rejects.toMatchObject({ kind: 'conflict' });
    const lost = await first.begin([0]);
    await expect(second.begin([1])).rejects.toMatchObject({ kind: 'conflict' });
    const won = await (await GrowingGroup.open(store, SCHEMA))!.begin([1]);
    await won.write(1, await bytesOf(1, 1));
    await won.commit();
    for (const next of [async () => await lost.write(0, await bytesOf(0, 1)), async () => await lost.commit()]) {
      await expect(next()).rejects.toMatchObject({
        kind: 'conflict',
        message: `${store.location} was changed by another writer; nothing of this one is committed.`,
      });
    }
    expect((await GrowingGroup.open(store, SCHEMA))!.periods).toBe(2);
  });

  test('a store beside it in the bucket is taken over by the server, one in another bucket is not', async () => {
    const [place, other] = [await emptyStore(), await emptyStore()];
    const beside = new S3ObjectStore(place.location.replace('reach.zarr', '.reach.zarr.rebuild'), s3.settings);
    await beside.put('a/c.0', Buffer.from('x'));
    expect(await place.takeOver('a/c.0', beside)).toBe(true);
    expect(Buffer.from((await place.get('a/c.0'))!.bytes).toString()).toBe('x');
    expect(await other.takeOver('a/c.0', beside)).toBe(false);
    expect(await other.get('a/c.0')).toBeNull();
  });

  test('a bucket that is not there is told by name, as a place of a store and not of a delivery', async () => {
    const store = new S3ObjectStore('s3://no-such-bucket-here/x.zarr', s3.settings);
    await expect(store.putIf('zarr.json', Buffer.from('x'), null)).rejects.toMatchObject({
      kind: 'config_invalid',
      message: `Cannot use the Zarr store s3://no-such-bucket-here/x.zarr: there is no bucket no-such-bucket-here at ${s3.server.endpoint} (HTTP 404, NoSuchBucket).`,
    });
  });
});
