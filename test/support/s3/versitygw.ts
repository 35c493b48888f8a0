/**
 * A real S3 server for tests: versitygw, built once by Go at a pinned version, or the server that `REACHBACK_TEST_S3_ENDPOINT`
 * names (with `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` of an account that may make and remove buckets).
 *
 * No side effects on import. A machine without Go fails the tests with the reason: they prove nothing without a server.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { access, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../ports.ts';

/** The one of docker-compose.yml. */
export const VERSITYGW_VERSION = 'v1.8.0';
const MODULE = 'github.com/versity/versitygw/cmd/versitygw';
const CACHE = join(import.meta.dirname, '../../../node_modules/.cache');
const START_MS = 60_000;

export interface S3Server {
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** What the AWS SDK reads, for this process or another. */
  readonly environment: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

/** Starts a server of its own for a test file; the caller stops it. */
export async function startS3Server(): Promise<S3Server> {
  const named = process.env['REACHBACK_TEST_S3_ENDPOINT'];
  if (named !== undefined && named !== '') {
    const { AWS_ACCESS_KEY_ID: id = '', AWS_SECRET_ACCESS_KEY: secret = '' } = process.env;
    return serverAt(named, id, secret, () => Promise.resolve());
  }
  const program = await ensureVersitygw();
  const folder = await mkdtemp(join(tmpdir(), 'reachback-s3-'));
  const port = await freePort();
  const [id, secret] = ['reachback-test', randomBytes(16).toString('hex')];
  await Promise.all(['buckets', 'versions', 'metadata'].map((name) => mkdir(join(folder, name))));
  const places = ['--versioning-dir', join(folder, 'versions'), '--sidecar', join(folder, 'metadata')];
  const child = spawn(
    program,
    ['--port', `127.0.0.1:${port}`, '--health', '/health', '--quiet', 'posix', ...places, join(folder, 'buckets')],
    { env: { ROOT_ACCESS_KEY: id, ROOT_SECRET_KEY: secret }, stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const endpoint = `http://127.0.0.1:${port}`;
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await answers(`${endpoint}/health`, child);
  } catch (error) {
    await stop();
    throw new Error(`versitygw did not start: ${said}`, { cause: error });
  }
  return serverAt(endpoint, id, secret, stop);
}

function serverAt(endpoint: string, accessKeyId: string, secretAccessKey: string, stop: () => Promise<void>): S3Server {
  const environment = {
    AWS_ENDPOINT_URL_S3: endpoint,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_EC2_METADATA_DISABLED: 'true',
  };
  return { endpoint, accessKeyId, secretAccessKey, environment, stop };
}

/**
 * Builds the server if it is not there; safe to call from several processes at once.
 *
 * @returns path of the program
 * @throws Error with what is missing and the output of the failed command
 */
export async function ensureVersitygw(): Promise<string> {
  const folder = join(CACHE, `versitygw-${VERSITYGW_VERSION}`);
  const program = join(folder, 'versitygw');
  if (await exists(program)) return program;
  await mkdir(CACHE, { recursive: true });
  const building = `${folder}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
  try {
    await install(building);
    await rename(building, folder);
  } catch (error) {
    await rm(building, { recursive: true, force: true });
    if (await exists(program)) return program; // another process was quicker
    throw error;
  }
  return program;
}

function install(folder: string): Promise<void> {
  const source = `${MODULE}@${VERSITYGW_VERSION}`;
  const env = { ...process.env, GOBIN: folder, GOFLAGS: '' };
  return new Promise((resolve, reject) => {
    const child = spawn('go', ['install', source], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => (output += text));
    }
    child.on('error', (cause) => {
      const what = 'The S3 tests need a server: Go to build versitygw, or one that REACHBACK_TEST_S3_ENDPOINT names.';
      reject(new Error(what, { cause }));
    });
    child.on('close', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`"go install ${source}" ended with ${code}:\n${output.slice(-2_000)}`));
    });
  });
}

export async function answers(url: string, child: ChildProcess): Promise<void> {
  const end = Date.now() + START_MS;
  while (child.exitCode === null && Date.now() < end) {
    const ok = await fetch(url).then(
      (answer) => answer.ok,
      () => false,
    );
    if (ok) return;
    await sleep(50);
  }
  throw new Error(child.exitCode === null ? `no answer within ${START_MS} ms` : `it ended with ${child.exitCode}`);
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
