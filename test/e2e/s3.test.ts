/** The whole way to S3: the real program, the embedded server, a real S3 server behind a proxy that counts and disturbs. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { S3Client } from '@aws-sdk/client-s3';
import { parse } from 'csv-parse/sync';
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { createBucket, testClient } from '../support/s3/buckets.ts';
import type { TestBucket } from '../support/s3/buckets.ts';
import { startFaultProxy } from '../support/s3/fault-proxy.ts';
import type { FaultProxy } from '../support/s3/fault-proxy.ts';
import { startS3Server } from '../support/s3/versitygw.ts';
import type { S3Server } from '../support/s3/versitygw.ts';
import { startSecretsManager } from '../support/secrets-manager.ts';
import { TOKEN, createPlace, filesBelow, runArgs, waitUntil } from './harness.ts';
import type { Place } from './harness.ts';

const keyOf = (day: string): string =>
  `l1c/prelim/${day.replaceAll('-', '/')}/reach_all_l1c_prelim_${day.replaceAll('-', '')}T000000_v1.0.0.cdf`;

const FIRST = '2025-09-01';
const LAST = '2025-09-02';

let server: S3Server;
let proxy: FaultProxy;
let client: S3Client;

beforeAll(async () => {
  server = await startS3Server();
  proxy = await startFaultProxy(server.endpoint);
  client = testClient(server);
}, 600_000);

afterEach(() => {
  proxy.setFaults([]);
});

afterAll(async () => {
  client.destroy();
  await proxy.close();
  await server.stop();
});

interface SetUp {
  readonly place: Place;
  readonly bucket: TestBucket;
  readonly uri: string;
  readonly aws: Record<string, string>;
}

async function setUp(): Promise<SetUp> {
  const place = await createPlace();
  const bucket = await createBucket(client);
  proxy.takeRequests();
  const aws = { ...server.environment, AWS_ENDPOINT_URL_S3: proxy.url };
  return { place, bucket, uri: `s3://${bucket.name}/reach`, aws };
}

/** The flags of a quick run, with another destination. */
function argsTo(place: Place, uri: string, first: string, last: string, ...more: string[]): string[] {
  return runArgs(place, first, last, ...more).map((arg) => (arg.startsWith('file://') ? uri : arg));
}

const productOf = (place: Place, day: string): Buffer => readFileSync(join(place.workspace, 'products', keyOf(day)));

test('S3-1…S3-5, CDF-D21: two days arrive checked at their keys; the same command again transfers nothing', async () => {
  const { place, bucket, uri, aws } = await setUp();
  const done = await place.run(argsTo(place, uri, FIRST, LAST), aws);
  expect(done).toMatchObject({ code: 0 });
  expect(await bucket.keys()).toEqual([`reach/${keyOf(FIRST)}`, `reach/${keyOf(LAST)}`]);
  for (const day of [FIRST, LAST])
    expect((await bucket.read(`reach/${keyOf(day)}`))?.equals(productOf(place, day))).toBe(true);
  const csv = readFileSync(join(place.workspace, 'downloads/download_telemetry.csv'), 'utf8');
  const rows = parse<Record<string, string>>(csv, { columns: true }).filter(({ status }) => status === 'UPLOADED');
  expect(rows.map(({ s3_bucket, s3_key }) => `${s3_bucket} ${s3_key}`).toSorted()).toEqual(
    [FIRST, LAST].map((day) => `${bucket.name} reach/${keyOf(day)}`),
  );
  const requests = proxy.takeRequests();
  expect(requests.filter((method) => method === 'PUT')).toHaveLength(2);

  const again = await place.run(argsTo(place, `${uri}/`, FIRST, LAST), aws);
  expect(again.stdout).toContain('Everything was done already');
  expect(proxy.takeRequests()).toEqual(['HEAD']);

  // Another workspace makes the same products: nothing is transferred for them either.
  const other = place.workspace;
  const elsewhere = argsTo(place, uri, FIRST, LAST).map((arg) => (arg === other ? `${other}-2` : arg));
  expect(await place.run(elsewhere, aws)).toMatchObject({ code: 0 });
  expect(new Set(proxy.takeRequests())).toEqual(new Set(['HEAD']));
});

describe('told before anything is downloaded, exit code 2', () => {
  test.for([
    [
      'a bucket that does not exist',
      (uri: string) => [uri.replace(/[0-9a-f]+\/reach/, 'missing')],
      /there is no bucket reachback-missing/,
    ],
    [
      'another region',
      (uri: string) => [uri, '--aws-region', 'eu-west-1'],
      /in the region us-east-1, not in eu-west-1/,
    ],
  ] as const)('CLI §5: %s', async ([, destination, says]) => {
    const { place, uri, aws } = await setUp();
    const [target = '', ...more] = destination(uri);
    const ended = await place.run(argsTo(place, target, FIRST, LAST, ...more), aws);
    expect(ended).toMatchObject({ code: 2, stderr: expect.stringMatching(says) });
    expect(place.simulator.stats().requests).toBe(0);
    expect(filesBelow(join(place.workspace, 'downloads'))).toEqual([]);
  });

  test('a dry run asks nobody (CLI-13)', async () => {
    const { place, uri, aws } = await setUp();
    expect(await place.run(argsTo(place, uri, FIRST, LAST, '--dry-run'), aws)).toMatchObject({ code: 0 });
    expect(proxy.takeRequests()).toEqual([]);
  });

  test('CLI-7: the flags of the reference name the same destination', async () => {
    const { place, aws } = await setUp();
    const range = ['--start-date', FIRST, '--end-date', LAST, '--input-dir', '.', '--output-dir', 'out'];
    const ended = await place.run(['process', ...range, '--upload-to-s3', '--s3-bucket', 'reachback-missing'], aws);
    expect(ended).toMatchObject({ code: 2, stderr: expect.stringContaining('s3://reachback-missing') });
  });
});

test('a worker on an external server looks at the bucket when it plans: no request to the source, exit code 2', async () => {
  const { place, uri, aws } = await setUp();
  const dev = place.start(['dev', '--workspace', place.workspace], aws);
  await waitUntil('the server of dev is up', () => dev.output().includes('Ctrl-C stops it'));
  const missing = uri.replace(/[0-9a-f]+\/reach/, 'missing');
  const ended = await place.run(argsTo(place, missing, FIRST, LAST, '--aws-region', 'eu-west-1'), aws);
  expect(ended.stderr).toContain('--aws-region has no effect here');
  expect(ended).toMatchObject({ code: 2, stderr: expect.stringContaining('there is no bucket reachback-missing') });
  expect(place.simulator.stats().requests).toBe(0);
  dev.child.kill('SIGTERM');
  await dev.ended;
});

test('SAFE-5: killed with -9 in the middle of the transfer or right behind it, the same command again: one object, the right bytes', async () => {
  const inTheMiddle = async ({ place, bucket, uri, aws }: SetUp): Promise<void> => {
    proxy.setFaults([{ method: 'PUT', times: 9, fault: { kind: 'slow', chunkDelayMs: 60_000 } }]);
    const killed = place.start(argsTo(place, uri, FIRST, FIRST), aws);
    const requests: string[] = [];
    await waitUntil('the transfer has begun', () => {
      requests.push(...proxy.takeRequests());
      return requests.includes('PUT');
    });
    killed.child.kill('SIGKILL');
    await killed.ended;
    expect(await bucket.keys()).toEqual([]);
    proxy.setFaults([]);
    expect(await place.run(argsTo(place, uri, FIRST, FIRST), aws)).toMatchObject({ code: 0 });
  };
  const behindIt = async ({ place, bucket, uri, aws }: SetUp, own: FaultProxy): Promise<void> => {
    const through = { ...aws, AWS_ENDPOINT_URL_S3: own.url };
    await place.run(argsTo(place, uri, FIRST, FIRST), { ...through, REACHBACK_CRASH_POINT: 'upload-put' });
    expect(await bucket.keys()).toEqual([`reach/${keyOf(FIRST)}`]);
    own.takeRequests();
    expect(await place.run(argsTo(place, uri, FIRST, FIRST), through)).toMatchObject({ code: 0 });
    // The object is found; nothing is transferred again.
    expect(new Set(own.takeRequests())).toEqual(new Set(['HEAD']));
  };
  const [one, other, own] = [await setUp(), await setUp(), await startFaultProxy(server.endpoint)];
  onTestFinished(() => own.close());
  // Most of it is waiting for what the killed ones do not tell any more.
  await Promise.all([inTheMiddle(one), behindIt(other, own)]);
  for (const { place, bucket } of [one, other]) {
    expect(await bucket.keys()).toEqual([`reach/${keyOf(FIRST)}`]);
    expect((await bucket.read(`reach/${keyOf(FIRST)}`))?.equals(productOf(place, FIRST))).toBe(true);
  }
});

test('CLI-21, UDL-7, CLI-D1: the token from AWS Secrets Manager downloads a day, and is in no output and no file, nor is the key for S3', async () => {
  const { place, uri, aws } = await setUp();
  const service = await startSecretsManager();
  service.setAnswer({ status: 200, body: { SecretString: JSON.stringify({ basicauth: TOKEN }) } });
  const arn = 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:udl';
  const secret = { BASICAUTH: undefined, SECRET_ARN_UDL: arn, AWS_ENDPOINT_URL_SECRETS_MANAGER: service.endpoint };
  const args = argsTo(place, uri, FIRST, FIRST, '--aws-region', 'us-east-1', '-vv');
  const done = await place.run(args, { ...aws, ...secret });
  await service.close();
  expect(done).toMatchObject({ code: 0 });
  expect(service.requests.map(({ body }) => body)).toEqual([{ SecretId: arn }]);
  const secrets = [TOKEN.slice(6), server.secretAccessKey];
  const leaks = filesBelow(place.dir).filter((path) => secrets.some((text) => readFileSync(path).includes(text)));
  expect(leaks).toEqual([]);
  expect(secrets.filter((text) => (done.stdout + done.stderr).includes(text))).toEqual([]);
});
