/**
 * CLI-21 as far as it goes without a container engine: the program as the image has it (what the Dockerfile copies, nothing else of
 * the project), started by its entry point, in its working folder, with its environment and no other, by what an operator passes.
 */
import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, symlinkSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { PROJECT, readProjectFile } from '../deploy/compose-file.ts';
import { loadWorkflowBundle } from '../../src/embedded/workflow-bundle.ts';
import { createBucket, testClient } from '../support/s3/buckets.ts';
import { startS3Server } from '../support/s3/versitygw.ts';
import { startSecretsManager } from '../support/secrets-manager.ts';
import { TOKEN, createPlace, fileHashes, filesBelow } from './harness.ts';
import type { Ended } from './harness.ts';

const DOCKERFILE = readProjectFile('Dockerfile').replaceAll(/\\\n\s*/g, '');
/** Of the last stage: what runs. */
const [, LAST_STAGE = ''] = /\nFROM (?:(?!\nFROM )[^])*\nFROM ([^]*)/.exec(`\n${DOCKERFILE}`) ?? [];

const valueOf = (name: string): string => new RegExp(`^${name} (.*)$`, 'm').exec(LAST_STAGE)?.[1] ?? '';

/** `/` of the image, of which only the program and the folders of data matter. */
async function unpackImage(root: string): Promise<void> {
  const [, home = ''] = /^WORKDIR (\S+)$/m.exec(DOCKERFILE) ?? [];
  const copied = [...DOCKERFILE.matchAll(/^COPY (?!--from)(.*) \S+$/gm)].flatMap(([, sources = '']) =>
    sources.split(' '),
  );
  for (const path of copied.filter((each) => existsSync(join(PROJECT, each)))) {
    mkdirSync(dirname(join(root, home, path)), { recursive: true });
    cpSync(join(PROJECT, path), join(root, home, path), { recursive: true });
  }
  symlinkSync(join(PROJECT, 'node_modules'), join(root, home, 'node_modules'));
  // Left by `npm ci`, which the image is made with.
  await loadWorkflowBundle();
  cpSync(join(PROJECT, 'build'), join(root, home, 'build'), { recursive: true });
  for (const volume of valueOf('VOLUME').split(' ')) mkdirSync(join(root, volume), { recursive: true });
}

function programHashes(root: string): Record<string, string>[] {
  const homes = readdirSync(join(root, 'opt')).map((name) => join(root, 'opt', name));
  return homes.flatMap((home) => ['bin', 'src', 'build'].map((name) => fileHashes(join(home, name))));
}

test('CLI-21: the image’s program downloads and delivers a day from SECRET_ARN_UDL and AWS variables alone; files come into mounted folders only', async () => {
  const [place, s3, service] = await Promise.all([createPlace(), startS3Server(), startSecretsManager()]);
  onTestFinished(async () => {
    await service.close();
    await s3.stop();
  });
  service.setAnswer({ status: 200, body: { SecretString: JSON.stringify({ basicauth: TOKEN }) } });
  const client = testClient(s3);
  onTestFinished(() => client.destroy());
  const bucket = await createBucket(client);
  const root = join(place.dir, 'image');
  await unpackImage(root);
  const inside = (path: string): string => join(root, path);
  const ofImage = Object.fromEntries(
    valueOf('ENV')
      .split(' ')
      .map((pair) => pair.split('=') as [string, string])
      .map(([name, value]) => [name, value.startsWith('/') ? inside(value) : value]),
  );
  const [entry = ''] = JSON.parse(valueOf('ENTRYPOINT')) as string[];
  const given = {
    SECRET_ARN_UDL: 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:udl',
    AWS_ACCESS_KEY_ID: s3.accessKeyId,
    AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
    AWS_REGION: 'us-east-1',
    // Where these services are otherwise is known to the SDK.
    AWS_ENDPOINT_URL_S3: s3.endpoint,
    AWS_ENDPOINT_URL_SECRETS_MANAGER: service.endpoint,
    UDL_BASE_URL: place.simulator.url,
    TEMPORAL_CLI_PATH: place.environment['TEMPORAL_CLI_PATH'] ?? '',
    HOME: inside('/home/node'),
  };
  const program = programHashes(root);
  const day = ['--start-date', '2025-09-01', '--end-date', '2025-09-01'];
  const args = ['run', ...day, '--sensor-id', 'REACH-101', '--upload-to', `s3://${bucket.name}/reach`];
  const done = await start(inside(entry), args, inside(valueOf('WORKDIR')), {
    PATH: process.env['PATH'] ?? '',
    ...ofImage,
    ...given,
  });
  expect(done).toMatchObject({ code: 0, stdout: expect.stringContaining('downloaded=1 processed=1 uploaded=1') });
  const [product = ''] = filesBelow(inside('/srv/data/products')).filter((path) => path.endsWith('.cdf'));
  const key = relative(inside('/srv/data/products'), product);
  expect(await bucket.keys()).toEqual([`reach/${key}`]);
  expect((await bucket.read(`reach/${key}`))?.equals(readFileSync(product))).toBe(true);
  expect(existsSync(inside('/srv/data/downloads/REACH-101_20250901T000000_20250902T000000.csv'))).toBe(true);

  expect(programHashes(root)).toEqual(program);
  expect(readdirSync(root).toSorted()).toEqual(['opt', 'srv']);
  expect(readdirSync(inside('/srv')).toSorted()).toEqual(['data', 'state']);
  const secrets = [TOKEN.slice('Basic '.length), s3.secretAccessKey];
  const written = filesBelow(inside('/srv')).map((path) => readFileSync(path));
  expect(
    secrets.filter(
      (text) => (done.stdout + done.stderr).includes(text) || written.some((bytes) => bytes.includes(text)),
    ),
  ).toEqual([]);
});

async function start(file: string, args: readonly string[], cwd: string, env: Record<string, string>): Promise<Ended> {
  const child = spawn(file, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (text: Buffer) => (stdout += text.toString()));
  child.stderr.on('data', (text: Buffer) => (stderr += text.toString()));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
}
