/** Several workers without a common folder: one downloads, two build in folders of their own, S3 lies between them. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { S3Client } from '@aws-sdk/client-s3';
import { Connection } from '@temporalio/client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { taskQueues } from '../../src/core/backfill/ids.ts';
import { VERSION } from '../../src/core/version.ts';
import { startPostgres } from '../ledger/postgres-server.ts';
import type { PostgresServer } from '../ledger/postgres-server.ts';
import { createBucket, testClient } from '../support/s3/buckets.ts';
import { startS3Server } from '../support/s3/versitygw.ts';
import type { S3Server } from '../support/s3/versitygw.ts';
import { createPlace, filesBelow, runArgs, waitUntil } from './harness.ts';

let postgres: PostgresServer;
let server: S3Server;
let client: S3Client;
beforeAll(async () => {
  [postgres, server] = await Promise.all([startPostgres(), startS3Server()]);
  client = testClient(server);
}, 600_000);
afterAll(async () => {
  client.destroy();
  await Promise.all([postgres.remove(), server.stop()]);
});

const FAST = ['--max-concurrent-requests', '16', '--initial-rate', '1000', '--max-rate', '1000'];

test('SAFE-6: two builders with folders of their own, both killed in the middle of a day: every day once, nothing left in the staging', async () => {
  const place = await createPlace({ tiny: true });
  const bucket = await createBucket(client);
  const staging = `s3://${bucket.name}/staging`;
  const env = { ...server.environment, REACHBACK_LEDGER_URL: (await postgres.newSchema()).reveal() };
  const at = ['--workspace', place.workspace];
  const dev = place.start(['dev', '--no-worker', '--json', ...at], env);
  await waitUntil('the server', () => dev.output().includes('"ready"'));
  const { address } = JSON.parse(dev.output().split('\n')[0]!) as { address: string };

  // Before anybody has claimed it, a builder says so.
  const builderEnv = (host: string, crash?: string) => ({
    ...env,
    TEMPORAL_ADDRESS: address,
    XDG_CACHE_HOME: join(place.dir, host),
    ...(crash !== undefined && { REACHBACK_CRASH_POINT: crash }),
  });
  const build = ['worker', '--role', 'build', '--workspace', staging];
  expect(await place.run(build, builderEnv('a'))).toMatchObject({
    code: 2,
    stderr: expect.stringContaining(`Nothing is staged at ${staging}`),
  });

  const download = ['worker', '--role', 'download', '--staging', staging, ...at, ...FAST];
  const downloads = place.start(download, { ...env, TEMPORAL_ADDRESS: address });
  await waitUntil('polling', () => downloads.output().includes('polling'));
  const doomed = [
    place.start(build, builderEnv('a', 'cdf-temporary')),
    place.start(build, builderEnv('b', 'product-noted')),
  ];
  for (const worker of doomed) await waitUntil('polling', () => worker.output().includes('polling'));
  // Each says on the server who it is and which version of the program.
  const [, name = ''] = /Worker of (\S+)/.exec(downloads.output()) ?? [];
  await expect
    .poll(() => versionsPolling(address, taskQueues(name).build))
    .toEqual([{ deploymentName: `reachback-${name}`, buildId: VERSION }]);
  const running = place.start(runArgs(place, '2025-09-01', '2025-09-05', '--concurrency', '3'), env);
  await Promise.all(doomed.map(({ ended }) => ended));
  expect(doomed.map(({ child }) => child.signalCode)).toEqual(['SIGKILL', 'SIGKILL']);
  const left = filesBelow(join(place.dir, 'a')).filter((path) => path.endsWith('.csv'));
  expect(left).toHaveLength(1);

  // On one of the hosts a worker is started again: it clears what was left, and does all days.
  const builder = place.start(build, builderEnv('a'));
  const run = await running.ended;
  expect(run.stdout).toMatch(/planned=5 downloaded=5 processed=5 uploaded=5 .* failed=0/);
  expect(run.code).toBe(0);
  expect(filesBelow(place.delivered).filter((path) => path.endsWith('.cdf'))).toHaveLength(5);
  expect(filesBelow(join(place.workspace, 'products')).filter((path) => path.endsWith('.cdf'))).toHaveLength(5);
  expect(filesBelow(place.dir).filter((path) => path.endsWith('.tmp'))).toEqual([]);
  expect(await bucket.keys()).toEqual(['staging/workspace.json']);
  const desks = join(place.dir, 'a/reachback/builds', readdirSync(join(place.dir, 'a/reachback/builds'))[0]!);
  expect(readdirSync(desks).filter((name) => !name.includes('.'))).toEqual(['desk-1']);
  expect(readdirSync(join(desks, 'desk-1'))).toEqual([]);
  const telemetry = readFileSync(join(place.workspace, 'downloads/download_telemetry.csv'), 'utf8');
  for (const status of ['DOWNLOADED', 'PROCESSED', 'UPLOADED']) {
    expect(telemetry.match(new RegExp(`,${status},`, 'g'))).toHaveLength(5);
  }
  expect(telemetry).not.toContain('desk-1');

  // The same command again has nothing to do: the products are at home, as recorded.
  const again = await place.run(runArgs(place, '2025-09-01', '2025-09-05'), env);
  expect(again.stdout).toContain('Everything was done already');
  builder.child.kill('SIGTERM');
  expect((await builder.ended).code).toBe(0);
  // Another workspace may not use the place.
  const other = await place.run(['worker', '--staging', staging, '--workspace', `${place.workspace}-2`], {
    ...builderEnv('c'),
    REACHBACK_LEDGER_URL: (await postgres.newSchema()).reveal(),
  });
  expect(other).toMatchObject({ code: 2, stderr: expect.stringContaining('stages the files of ws-') });
});

/** The deployment versions of the workers that poll a queue for activities, each once. */
async function versionsPolling(address: string, queue: string): Promise<object[]> {
  const connection = await Connection.connect({ address });
  const taskQueue = { namespace: 'default', taskQueue: { name: queue }, taskQueueType: 2 };
  const { pollers } = await connection.workflowService.describeTaskQueue(taskQueue);
  await connection.close();
  const seen = (pollers ?? []).map(({ deploymentOptions: options }) => ({
    deploymentName: options?.deploymentName,
    buildId: options?.buildId,
  }));
  return [...new Map(seen.map((each) => [JSON.stringify(each), each])).values()];
}

test('what does not go together is told, exit code 2', async () => {
  const place = await createPlace({ tiny: true });
  const env = { ...server.environment, TEMPORAL_ADDRESS: '127.0.0.1:1' };
  for (const [args, says] of [
    [['--workspace', 's3://bucket/staging'], 's3://bucket/staging is a staging, not a folder: --role all needs'],
    [['--role', 'build', '--workspace', 's3://bucket/staging'], 'REACHBACK_LEDGER_URL=postgres://'],
    [['--staging', 's3://bucket/staging'], '--staging is for several workers'],
  ] as const) {
    const ended = await place.run(['worker', ...args], env);
    expect(ended).toMatchObject({ code: 2, stderr: expect.stringContaining(says) });
  }
  expect(existsSync(join(place.dir, '.cache/reachback/builds'))).toBe(false);
});
