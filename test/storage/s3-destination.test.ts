import { createHash } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { parseDestination } from '../../src/storage/destination.ts';
import type { Delivery, Destination } from '../../src/storage/destination.ts';
import type { S3Settings } from '../../src/storage/s3/settings.ts';
import { createBucket } from '../support/s3/buckets.ts';
import { useS3Server } from '../support/s3/use-server.ts';
import { destinationContract } from './destination-contract.ts';
import { temporaryFolder } from './temporary-folder.ts';

const KEY = 'l1c/prelim/2026/01/01/reach_all_l1c_prelim_20260101T000000_v1.0.0.cdf';
const OWNER = 'reach-all/quicklook';

const s3 = useS3Server();

function destinationAt(uri: string, settings: Partial<S3Settings> = {}): Destination {
  return parseDestination(uri, { ...s3.settings, ...settings });
}

async function delivery(content: string, more: Partial<Delivery> = {}): Promise<Delivery> {
  const sourcePath = join(await temporaryFolder(), 'product.cdf');
  await writeFile(sourcePath, content);
  const sha256 = createHash('sha256').update(content).digest('hex');
  return { sourcePath, sizeBytes: Buffer.byteLength(content), sha256, key: KEY, owner: OWNER, ...more };
}

destinationContract('s3://bucket/prefix', async () => {
  const bucket = await createBucket(s3.client);
  const inBucket = (key: string): string => `delivered/here/${key}`;
  return {
    destination: destinationAt(`s3://${bucket.name}/delivered/here/`),
    read: (key) => bucket.read(inBucket(key)),
    put: (key, content) => bucket.put(inBucket(key), content),
    keys: async () => (await bucket.keys()).map((key) => key.replace('delivered/here/', '')),
    readBackup: async (uri) => (await bucket.read(uri.replace(`s3://${bucket.name}/`, '')))!,
  };
});

describe('an object in a bucket', () => {
  test('S3-1, S3-4: key from the name, bucket as given; the server has the SHA-256 and whose it is', async () => {
    const bucket = await createBucket(s3.client);
    const destination = destinationAt(`s3://${bucket.name}`);
    const product = await delivery('a product');
    expect(await destination.deliver(product)).toEqual({ status: 'written', uri: `s3://${bucket.name}/${KEY}` });
    expect(destination.recordedAs(KEY)).toEqual({ bucket: bucket.name, key: KEY });
    expect(await bucket.facts(KEY)).toEqual({
      sha256: Buffer.from(product.sha256, 'hex').toString('base64'),
      metadata: { 'reachback-product': OWNER },
    });
  });

  test('a prefix is part of the recorded key', () => {
    expect(destinationAt('s3://bucket/a/b').recordedAs(KEY)).toEqual({ bucket: 'bucket', key: `a/b/${KEY}` });
  });

  test('CDF-D21: an object without a SHA-256 of its own is read, not believed', async () => {
    const bucket = await createBucket(s3.client);
    await bucket.put(KEY, 'A product');
    const destination = destinationAt(`s3://${bucket.name}`);
    await expect(destination.deliver(await delivery('a product'))).rejects.toMatchObject({ kind: 'config_invalid' });
    expect((await destination.deliver(await delivery('A product'))).status).toBe('already_there');
    expect((await bucket.facts(KEY)).metadata).toEqual({ 'reachback-product': OWNER });
    expect((await bucket.facts(KEY)).sha256).toBeDefined();
  });

  test.for([
    [false, /not versioned: the former object is copied below _backup\//],
    [true, /is versioned and keeps the former object/],
  ] as const)('SAFE-11: other content is not replaced unasked (versioned: %s)', async ([versioned, says]) => {
    const bucket = await createBucket(s3.client, versioned);
    const destination = destinationAt(`s3://${bucket.name}`);
    await destination.deliver(await delivery('former'));
    await expect(destination.deliver(await delivery('latter'))).rejects.toMatchObject({
      kind: 'config_invalid',
      message: `s3://${bucket.name}/${KEY} holds other content, and nothing says that it may be replaced.`,
      hint: expect.stringMatching(says),
    });
    expect((await bucket.read(KEY))?.toString()).toBe('former');
    expect(await bucket.keys()).toEqual([KEY]);
  });

  test('SAFE-11: --replace in a versioned bucket leaves the former version and makes no copy', async () => {
    const bucket = await createBucket(s3.client, true);
    const destination = destinationAt(`s3://${bucket.name}`);
    await destination.deliver(await delivery('former'));
    const result = await destination.deliver(await delivery('latter', { replace: true }));
    const versionId = /\?versionId=(.+)$/.exec(result.backupPath ?? '')?.[1];
    expect(result.status).toBe('replaced');
    expect((await bucket.read(KEY, versionId))?.toString()).toBe('former');
    expect((await bucket.read(KEY))?.toString()).toBe('latter');
    expect(await bucket.keys()).toEqual([KEY]);
  });

  test('SAFE-11: --backup-prefix says where the copy goes, owner and all', async () => {
    const bucket = await createBucket(s3.client);
    const destination = destinationAt(`s3://${bucket.name}/p`);
    await destination.deliver(await delivery('former'));
    await destination.deliver(await delivery('latter', { replace: true, backupPrefix: 'old/ones' }));
    const [copy] = (await bucket.keys()).filter((key) => key !== `p/${KEY}`);
    expect(copy).toMatch(new RegExp(`^p/old/ones/\\d{8}T\\d{9}Z/${KEY}$`));
    expect((await bucket.read(copy!))?.toString()).toBe('former');
    expect((await bucket.facts(copy!)).metadata).toEqual({ 'reachback-product': OWNER });
  });

  test('two deliveries of the same at once: both succeed, one object', async () => {
    const bucket = await createBucket(s3.client);
    const product = await delivery('x'.repeat(3_000_000));
    const both = await Promise.all([0, 1].map(() => destinationAt(`s3://${bucket.name}`).deliver(product)));
    expect(both.map(({ status }) => status)).toContain('written');
    expect(await bucket.keys()).toEqual([KEY]);
    expect(await bucket.read(KEY)).toHaveLength(3_000_000);
  });

  test('cancelled in the middle: the reason is thrown, nothing is there', async () => {
    const bucket = await createBucket(s3.client);
    const stop = new AbortController();
    const reason = new Error('the worker stops');
    const delivering = destinationAt(`s3://${bucket.name}`).deliver(await delivery('x'.repeat(5_000_000)), {
      signal: stop.signal,
      onProgress: () => stop.abort(reason),
    });
    await expect(delivering).rejects.toBe(reason);
    expect(await bucket.keys()).toEqual([]);
  });
});

test('credentials that run out and cannot be renewed for a while are waited for: the day is not given up', async () => {
  const { name } = await createBucket(s3.client);
  const folder = await temporaryFolder();
  const { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey } = s3.server;
  // As the role of a machine: a pair for an hour, asked for again behind it.
  const Expiration = new Date(Date.now() + 3_600_000).toISOString();
  const pair = join(folder, 'pair.json');
  await writeFile(pair, JSON.stringify({ Version: 1, AccessKeyId, SecretAccessKey, Expiration }));
  await writeFile(join(folder, 'config'), `[profile role]\ncredential_process = cat ${pair}\n`);
  const role = {
    AWS_CONFIG_FILE: join(folder, 'config'),
    AWS_SHARED_CREDENTIALS_FILE: '/nowhere',
    AWS_PROFILE: 'role',
  };
  const keys = { AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined };
  for (const [variable, value] of Object.entries({ ...role, ...keys })) vi.stubEnv(variable, value);
  onTestFinished(() => {
    vi.useRealTimers();
    for (const variable of Object.keys(role)) vi.stubEnv(variable, undefined);
    for (const variable of Object.keys(keys)) vi.stubEnv(variable, s3.server.environment[variable]);
  });
  const destination = destinationAt(`s3://${name}`);
  await destination.check();
  await rm(pair);
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 7_200_000 });
  await expect(destination.deliver(await delivery('a product'))).rejects.toMatchObject({
    kind: 'storage_unavailable',
    message: expect.stringContaining('the AWS credentials have expired (CredentialsProviderError)'),
  });
});

describe('S3-4: what does not work is told before a run, in plain words, with what to do', () => {
  async function refusal(uri: string, settings: Partial<S3Settings> = {}): Promise<unknown> {
    return await destinationAt(uri, settings)
      .check()
      .then(() => 'fine')
      .catch((error: unknown) => error);
  }

  test('no such bucket', async () => {
    expect(await refusal('s3://no-such-bucket-here/p')).toMatchObject({
      kind: 'config_invalid',
      message: `Cannot deliver to s3://no-such-bucket-here/p: there is no bucket no-such-bucket-here at ${s3.server.endpoint} (HTTP 404, NoSuchBucket).`,
      hint: expect.stringContaining('make the bucket first'),
    });
  });

  test('a wrong region: the right one is named', async () => {
    const { name } = await createBucket(s3.client);
    expect(await refusal(`s3://${name}`, { region: 'eu-west-1' })).toMatchObject({
      kind: 'config_invalid',
      message: expect.stringContaining(`the bucket ${name} is in the region us-east-1, not in eu-west-1`),
      hint: expect.stringContaining('--aws-region us-east-1'),
    });
  });

  test.for([
    ['a wrong secret key', { AWS_SECRET_ACCESS_KEY: 'wrong' }, /secret key does not fit the access key/],
    ['an unknown access key', { AWS_ACCESS_KEY_ID: 'nobody' }, /access key is not known there/],
    [
      'no credentials',
      { AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined },
      /no AWS credentials were found/,
    ],
  ] as const)('%s', async ([, environment, says]) => {
    const { name } = await createBucket(s3.client);
    const nowhere = { AWS_CONFIG_FILE: '/nowhere', AWS_SHARED_CREDENTIALS_FILE: '/nowhere' };
    const before = Object.entries(environment).map(([variable]) => [variable, process.env[variable]] as const);
    for (const [variable, value] of Object.entries({ ...nowhere, ...environment })) vi.stubEnv(variable, value);
    const error = await refusal(`s3://${name}`);
    for (const [variable, value] of before) vi.stubEnv(variable, value);
    expect(error).toMatchObject({ kind: 'config_invalid', message: expect.stringMatching(says) });
    expect(error).toHaveProperty('hint', expect.stringContaining('AWS_ACCESS_KEY_ID'));
  });

  test('a session token that is none of that account: told, and not tried again', async () => {
    const { name } = await createBucket(s3.client);
    vi.stubEnv('AWS_SESSION_TOKEN', 'of-another-account');
    const error = await refusal(`s3://${name}`);
    vi.stubEnv('AWS_SESSION_TOKEN', undefined);
    expect(error).toMatchObject({
      kind: 'config_invalid',
      message: expect.stringContaining('the session token does not fit there'),
      hint: expect.stringContaining('AWS_SESSION_TOKEN'),
    });
  });

  test('http behind https://', async () => {
    const endpoint = s3.server.endpoint.replace('http:', 'https:');
    const error = await refusal('s3://bucket', { endpoint });
    expect(error).toHaveProperty(
      'message',
      `Cannot deliver to s3://bucket: ${endpoint} cannot be reached, it does not speak TLS there (http:// in place of https://?) (EPROTO).`,
    );
  });

  test('nobody listens: may be better later', async () => {
    expect(await refusal('s3://bucket', { endpoint: 'http://127.0.0.1:9' })).toMatchObject({
      kind: 'storage_unavailable',
      message:
        'Cannot deliver to s3://bucket: http://127.0.0.1:9 cannot be reached, nobody listens there (ECONNREFUSED).',
      hint: expect.stringContaining('AWS_ENDPOINT_URL_S3'),
    });
  });

  test('no region for Amazon S3', async () => {
    vi.stubEnv('AWS_ENDPOINT_URL_S3', undefined);
    vi.stubEnv('AWS_CONFIG_FILE', '/nowhere');
    const error = await refusal('s3://bucket', { endpoint: null });
    vi.stubEnv('AWS_ENDPOINT_URL_S3', s3.server.endpoint);
    expect(error).toMatchObject({
      kind: 'config_invalid',
      message: expect.stringContaining('no AWS region is known'),
      hint: expect.stringContaining('--aws-region'),
    });
  });

  test('a bucket that is there: fine', async () => {
    const { name } = await createBucket(s3.client);
    expect(await refusal(`s3://${name}/any/prefix`)).toBe('fine');
  });
});
