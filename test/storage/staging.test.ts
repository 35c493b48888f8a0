import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { S3Client } from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { Staging } from '../../src/storage/staging.ts';
import type { StagedFile } from '../../src/storage/staging.ts';
import { createBucket, testClient } from '../support/s3/buckets.ts';
import type { TestBucket } from '../support/s3/buckets.ts';
import { startFaultProxy } from '../support/s3/fault-proxy.ts';
import type { FaultProxy } from '../support/s3/fault-proxy.ts';
import { startS3Server } from '../support/s3/versitygw.ts';
import type { S3Server } from '../support/s3/versitygw.ts';
import { temporaryFolder } from './temporary-folder.ts';

let server: S3Server;
let proxy: FaultProxy;
let client: S3Client;

beforeAll(async () => {
  server = await startS3Server();
  for (const [name, value] of Object.entries(server.environment)) vi.stubEnv(name, value);
  proxy = await startFaultProxy(server.endpoint);
  client = testClient(server);
}, 600_000);

afterEach(() => proxy.setFaults([]));

afterAll(async () => {
  client.destroy();
  await proxy.close();
  await server.stop();
  vi.unstubAllEnvs();
});

const CONTENT = 'a day of records\n'.repeat(10_000);

interface Place {
  readonly area: Staging;
  readonly bucket: TestBucket;
  readonly folder: string;
  /** A file on this host, and how it is staged. */
  readonly path: string;
  readonly file: StagedFile;
}

async function setUp(): Promise<Place> {
  const [bucket, folder] = await Promise.all([createBucket(client), temporaryFolder()]);
  const area = areaIn(bucket);
  const path = join(folder, 'day.csv');
  writeFileSync(path, CONTENT);
  const sha256 = createHash('sha256').update(CONTENT).digest('hex');
  proxy.takeRequests();
  return {
    area,
    bucket,
    folder,
    path,
    file: { key: `days/input/${sha256}/day.csv`, sizeBytes: CONTENT.length, sha256 },
  };
}

function areaIn({ name }: TestBucket, prefix = 'staging'): Staging {
  return new Staging(`s3://${name}/${prefix}`, { endpoint: proxy.url, region: null, timeoutMs: 20_000 });
}

describe('one place, one workspace', () => {
  test('claimed once for good: again by the same, refused to another, told to builders', async () => {
    const { area, bucket } = await setUp();
    await expect(area.workspace()).rejects.toMatchObject({
      kind: 'config_invalid',
      message: `Nothing is staged at ${area.base}: no worker has begun to use it.`,
    });
    await area.claim('one-1234');
    await area.claim('one-1234');
    await expect(areaIn(bucket).claim('two-5678')).rejects.toMatchObject({
      kind: 'config_invalid',
      message: expect.stringContaining('stages the files of one-1234, not of two-5678') as string,
    });
    expect(await areaIn(bucket).workspace()).toBe('one-1234');
    await areaIn(bucket, 'other').claim('two-5678');
  });

  test.for([
    ['s3://some-bucket', 'is a whole bucket'],
    ['s3://X/staging', 'Cannot stage files at "s3://X/staging"'],
  ] as const)('%s is no place for it', ([uri, says]) => {
    expect(() => new Staging(uri, { endpoint: null, region: null, timeoutMs: 1 })).toThrow(says);
  });

  test('a bucket that is not there is told by name', async () => {
    const area = new Staging('s3://no-such-bucket-here/x', { endpoint: proxy.url, region: null, timeoutMs: 20_000 });
    await expect(area.claim('one-1234')).rejects.toMatchObject({
      kind: 'config_invalid',
      message: expect.stringMatching(/^Cannot stage files at .*there is no bucket no-such-bucket-here/) as string,
    });
  });
});

describe('a file passes', () => {
  test('put once with its SHA-256, fetched whole, swept with its day and nothing else', async () => {
    const { area, bucket, folder, path, file } = await setUp();
    await area.claim('one-1234');
    await area.put(file, path);
    expect((await bucket.facts(`staging/${file.key}`)).sha256).toBe(Buffer.from(file.sha256, 'hex').toString('base64'));
    proxy.takeRequests();
    await area.put(file, path);
    expect(proxy.takeRequests()).toEqual(['HEAD']);
    const copy = join(folder, 'elsewhere', 'day.csv');
    const told: number[] = [];
    await area.fetch(file, copy, { onProgress: (bytes) => told.push(bytes) });
    expect(readFileSync(copy, 'utf8')).toBe(CONTENT);
    expect(told.at(-1)).toBe(CONTENT.length);
    await area.put({ ...file, key: 'days/other' }, path);
    expect(await area.sweep('days/input/')).toBe(1);
    expect(await bucket.keys()).toEqual(['staging/days/other', 'staging/workspace.json']);
  });

  test('a lost answer to the transfer is settled by a look', async () => {
    const { area, bucket, path, file } = await setUp();
    proxy.setFaults([{ method: 'PUT', fault: { kind: 'lose_answer' } }]);
    await area.put(file, path);
    expect(proxy.takeRequests()).toEqual(['HEAD', 'PUT', 'HEAD']);
    expect(await bucket.keys()).toEqual([`staging/${file.key}`]);
  });

  test('a file that is not what was announced reaches nobody', async () => {
    const { area, bucket, path, file } = await setUp();
    writeFileSync(path, CONTENT.replace('a', 'A'));
    await expect(area.put(file, path)).rejects.toMatchObject({ kind: 'checksum_mismatch' });
    expect(await bucket.keys()).toEqual([]);
  });

  test.for([
    ['other content of the same size', CONTENT.replace('a', 'A'), 'storage_unavailable'],
    ['a part of it', CONTENT.slice(0, 1_000), 'storage_unavailable'],
    ['nothing', null, 'input_invalid'],
  ] as const)('%s in its place is not taken, and leaves no file', async ([, content, kind]) => {
    const { area, bucket, folder, file } = await setUp();
    if (content !== null) await bucket.put(`staging/${file.key}`, content);
    await expect(area.fetch(file, join(folder, 'copy'))).rejects.toMatchObject({ kind });
    expect(readdirSync(folder)).toEqual(['day.csv']);
  });

  test('an answer that breaks off is told in words, and leaves no file; the next try succeeds', async () => {
    const { area, folder, path, file } = await setUp();
    await area.put(file, path);
    proxy.setFaults([{ method: 'GET', fault: { kind: 'lose_answer' } }]);
    await expect(area.fetch(file, join(folder, 'copy'))).rejects.toMatchObject({
      kind: 'storage_unavailable',
      message: expect.stringContaining(`Cannot stage files at ${area.base}`) as string,
    });
    expect(readdirSync(folder)).toEqual(['day.csv']);
    await area.fetch(file, join(folder, 'copy'));
    expect(readFileSync(join(folder, 'copy'), 'utf8')).toBe(CONTENT);
  });
});

test('a note that is not JSON is none', async () => {
  const { area, bucket } = await setUp();
  await bucket.put('staging/days/note.json', 'half a no');
  expect(await area.getNote('days/note.json')).toBeNull();
  await area.putNote('days/note.json', { seconds: 2 });
  expect(await area.getNote('days/note.json')).toEqual({ seconds: 2 });
});
