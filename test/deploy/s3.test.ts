/** The S3 server of docker-compose.yml, started by its own command and environment, without an engine. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { parseDestination } from '../../src/storage/destination.ts';
import { freePort } from '../support/ports.ts';
import { VERSITYGW_VERSION, answers, ensureVersitygw } from '../support/s3/versitygw.ts';
import { readComposeFile } from './compose-file.ts';

const { versitygw, worker } = readComposeFile().services;

test('temporal §6: the version that the tests build is the one that runs', () => {
  expect(versitygw?.image).toBe(`versity/versitygw:${VERSITYGW_VERSION}`);
});

test(
  'S3-4: versitygw as the compose file starts it takes a delivery of a worker with the settings of the compose file',
  { timeout: 600_000 },
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'reachback-compose-s3-'));
    const port = await freePort();
    const [shell = '', ...args] = [...versitygw!.entrypoint!, ...versitygw!.command!].map((word) =>
      word.replaceAll('/srv/s3', folder).replace('--port :7070', `--port 127.0.0.1:${port}`),
    );
    const chosen: Record<string, string> = { AWS_ACCESS_KEY_ID: 'chosen', AWS_SECRET_ACCESS_KEY: 'chosen-and-long' };
    // `${NAME:?message}` as an operator's .env fills it.
    const filled = (value: string | null | undefined): string =>
      chosen[/^\$\{(\w+):\?/.exec(value ?? '')?.[1] ?? ''] ?? '';
    const { ROOT_ACCESS_KEY: id, ROOT_SECRET_KEY: secret } = versitygw!.environment!;
    const PATH = [dirname(await ensureVersitygw()), process.env['PATH']].join(delimiter);
    const env = { PATH, ROOT_ACCESS_KEY: filled(id), ROOT_SECRET_KEY: filled(secret) };
    const server = spawn(shell, args, { env, stdio: 'ignore' });
    onTestFinished(async () => {
      server.kill('SIGKILL');
      if (server.exitCode === null && server.signalCode === null) await once(server, 'exit');
      await rm(folder, { recursive: true, force: true });
      vi.unstubAllEnvs();
    });
    await answers(`http://127.0.0.1:${port}/health`, server);

    const settings = worker!.environment!;
    expect(settings['AWS_ENDPOINT_URL_S3']).toBe('${AWS_ENDPOINT_URL_S3-http://versitygw:7070}');
    for (const name of Object.keys(chosen)) vi.stubEnv(name, filled(settings[name]));
    const destination = parseDestination('s3://products/reach', {
      endpoint: `http://127.0.0.1:${port}`,
      region: 'us-east-1',
      timeoutMs: 20_000,
    });
    await destination.check();
    const sourcePath = join(folder, 'product.cdf');
    await writeFile(sourcePath, 'a product');
    const sha256 = createHash('sha256').update('a product').digest('hex');
    const { status } = await destination.deliver({ sourcePath, sizeBytes: 9, sha256, key: 'l1c/a.cdf', owner: 'x/y' });
    expect(status).toBe('written');
    expect(await readFile(join(folder, 'buckets/products/reach/l1c/a.cdf'), 'utf8')).toBe('a product');
    destination.close();
  },
);
