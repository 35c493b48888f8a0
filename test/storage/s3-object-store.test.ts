import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { S3Client } from '@aws-sdk/client-s3';
import { S3ObjectStore } from '../../src/storage/s3/object-store.ts';
import { syncDays } from '../../src/products/reach-zarr/index.ts';
import { MemoryStore } from '../formats/zarr/memory-store.ts';
import { objectStoreContract } from '../formats/zarr/object-store-contract.ts';
import { contentOf } from '../formats/zarr/small-group.ts';
import { makeDay, SETTINGS } from '../products/reach-zarr/days.ts';
import { createBucket, testClient } from '../support/s3/buckets.ts';
import { startS3Server } from '../support/s3/versitygw.ts';
import type { S3Server } from '../support/s3/versitygw.ts';
import { temporaryFolder } from './temporary-folder.ts';

let server: S3Server;
let client: S3Client;

beforeAll(async () => {
  server = await startS3Server();
  for (const [name, value] of Object.entries(server.environment)) vi.stubEnv(name, value);
  client = testClient(server);
}, 600_000);

afterAll(async () => {
  client.destroy();
  await server.stop();
  vi.unstubAllEnvs();
});

async function emptyStore(prefix = 'stores/reach.zarr'): Promise<S3ObjectStore> {
  const { name } = await createBucket(client);
  return new S3ObjectStore(`s3://${name}/${prefix}`, { endpoint: server.endpoint, region: null, timeoutMs: 20_000 });
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

  test('a bucket that is not there is told by name', async () => {
    const settings = { endpoint: server.endpoint, region: null, timeoutMs: 20_000 };
    const store = new S3ObjectStore('s3://no-such-bucket-here/x.zarr', settings);
    await expect(store.putIf('zarr.json', Buffer.from('x'), null)).rejects.toMatchObject({
      kind: 'config_invalid',
      message: expect.stringContaining('there is no bucket no-such-bucket-here') as string,
    });
  });
});
