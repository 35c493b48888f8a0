import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { requireToken } from '../src/cli/support/token.ts';
import { lendAwsVariables, readEnvironment } from '../src/config.ts';
import { PipelineError } from '../src/core/errors.ts';
import { Secret } from '../src/core/secret.ts';
import { temporaryFolder } from './storage/temporary-folder.ts';

const TOKEN = 'Basic dXNlcjpzZWNyZXQtcGFzc3dvcmQ=';

function errorOf(run: () => unknown): PipelineError {
  try {
    run();
  } catch (error) {
    if (error instanceof PipelineError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('configuration', () => {
  test('design §6: defaults when nothing is set', async () => {
    expect(readEnvironment({ HOME: '/home/someone' }, await temporaryFolder())).toEqual({
      token: null,
      ledgerUrl: null,
      secretArn: null,
      slackWebhook: null,
      s3Endpoint: null,
      awsRegion: null,
      udlBaseUrl: 'https://unifieddatalibrary.com',
      externalTemporal: false,
      temporalNamespace: 'default',
      metrics: null,
      health: null,
      passWaitMs: 5_000,
      waitInsideMs: 120_000,
      staging: null,
      stateHome: '/home/someone/.local/state',
      cacheHome: '/home/someone/.cache',
      requestTimeoutMs: 120_000,
      threads: 2,
      crashPoint: null,
      variables: { HOME: '/home/someone' },
    });
  });

  test.for([
    ['/var/lib/someone', '/var/lib/someone'],
    ['relative/path', '/home/someone/.local/state'],
    ['', '/home/someone/.local/state'],
  ])('XDG_STATE_HOME "%s" means %s', async ([given, expected]) => {
    const environment = readEnvironment({ HOME: '/home/someone', XDG_STATE_HOME: given }, await temporaryFolder());
    expect(environment.stateHome).toBe(expected);
  });

  test('what is set is used; the address loses its trailing slashes', async () => {
    const set = {
      BASICAUTH: TOKEN,
      UDL_BASE_URL: 'http://127.0.0.1:8080//',
      TEMPORAL_ADDRESS: 'temporal.example:7233',
      TEMPORAL_NAMESPACE: 'reach',
      REACHBACK_PASS_WAIT_MS: '1',
      REACHBACK_REQUEST_TIMEOUT_MS: '250',
      REACHBACK_THREADS: '8',
      REACHBACK_CRASH_POINT: 'slice-renamed:3',
      OTHER: 'kept for libraries',
    };
    const environment = readEnvironment(set, await temporaryFolder());
    expect(environment).toMatchObject({
      udlBaseUrl: 'http://127.0.0.1:8080',
      externalTemporal: true,
      temporalNamespace: 'reach',
      passWaitMs: 1,
      requestTimeoutMs: 250,
      threads: 8,
      crashPoint: { point: 'slice-renamed', nth: 3 },
      variables: { OTHER: 'kept for libraries' },
    });
    expect(environment.token?.reveal()).toBe(TOKEN);
    expect(Object.isFrozen(environment)).toBe(true);
  });

  test('.env fills what the environment leaves unset, and never more', async () => {
    const folder = await temporaryFolder();
    writeFileSync(join(folder, '.env'), 'UDL_BASE_URL=http://from-file:1\nREACHBACK_THREADS=3\nTEMPORAL_NAMESPACE=\n');
    const environment = readEnvironment({ UDL_BASE_URL: 'http://from-environment:2', REACHBACK_THREADS: '' }, folder);
    expect(environment).toMatchObject({
      udlBaseUrl: 'http://from-environment:2',
      threads: 3,
      temporalNamespace: 'default',
    });
  });

  test.for([
    'BASICAUTH',
    'SECRET_ARN_UDL',
    'SLACK_WEBHOOK_URL',
    'AWS_REGION',
    'AWS_ENDPOINT_URL_S3',
    'UDL_BASE_URL',
    'TEMPORAL_ADDRESS',
    'TEMPORAL_NAMESPACE',
    'REACHBACK_PASS_WAIT_MS',
    'REACHBACK_REQUEST_TIMEOUT_MS',
    'REACHBACK_THREADS',
  ])('UDL-7: an empty %s counts as unset', async (name) => {
    const folder = await temporaryFolder();
    expect(readEnvironment({ [name]: '' }, folder)).toEqual(readEnvironment({}, folder));
  });

  test.for<[name: string, value: string, expected: string]>([
    ['AWS_ENDPOINT_URL_S3', 'localhost:7070', 'the address of an S3 server'],
    ['SECRET_ARN_UDL', 'two words', 'Secrets Manager'],
    ['UDL_BASE_URL', 'udl.example', 'https://unifieddatalibrary.com'],
    ['UDL_BASE_URL', 'ftp://udl.example', 'http://'],
    ['TEMPORAL_ADDRESS', 'nowhere', 'host:port'],
    ['TEMPORAL_ADDRESS', 'http://host:7233', 'host:port'],
    ['REACHBACK_PASS_WAIT_MS', '0', '1 to 300000'],
    ['REACHBACK_PASS_WAIT_MS', 'soon', '1 to 300000'],
    ['REACHBACK_REQUEST_TIMEOUT_MS', '99', '100 to 3600000'],
    ['REACHBACK_REQUEST_TIMEOUT_MS', '1.5', '100 to 3600000'],
    ['REACHBACK_THREADS', '65', '1 to 64'],
    ['REACHBACK_THREADS', 'two', '1 to 64'],
  ])('%s=%s is refused, naming the variable, the value and what is expected', async ([name, value, expected]) => {
    const folder = await temporaryFolder();
    const error = errorOf(() => readEnvironment({ [name]: value, BASICAUTH: TOKEN }, folder));
    expect(error.kind).toBe('config_invalid');
    expect(error.message).toContain(`${name} is "${value}"`);
    expect(`${error.message} ${error.hint}`).toContain(expected);
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(TOKEN.slice(6));
  });

  test('TRACK-15: the address of a webhook is a secret: not in the error about it, not in what is printed', async () => {
    const folder = await temporaryFolder();
    const error = errorOf(() => readEnvironment({ SLACK_WEBHOOK_URL: 'hooks.example/T0/secret-part' }, folder));
    expect(error).toMatchObject({ kind: 'config_invalid', hint: expect.stringContaining('SLACK_WEBHOOK_URL') });
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('secret-part');
    const { slackWebhook } = readEnvironment({ SLACK_WEBHOOK_URL: 'https://hooks.example/T0/secret-part' }, folder);
    expect(slackWebhook?.reveal()).toBe('https://hooks.example/T0/secret-part');
    expect(inspect(slackWebhook, { showHidden: true })).not.toContain('secret-part');
  });

  test('a .env that cannot be read is an error that names it, without its content', async () => {
    const folder = await temporaryFolder();
    mkdirSync(join(folder, '.env'));
    const error = errorOf(() => readEnvironment({}, folder));
    expect(error).toMatchObject({ kind: 'config_invalid', hint: expect.stringContaining('chmod 600') });
    expect(error.message).toContain(join(folder, '.env'));
  });

  test('the token is printed by nothing that prints the checked part', async () => {
    const { variables: _forLibraries, ...checked } = readEnvironment({ BASICAUTH: TOKEN }, await temporaryFolder());
    expect(checked.token).not.toBeNull();
    for (const text of [
      JSON.stringify(checked),
      inspect(checked, { showHidden: true }),
      `${checked.token?.toString()}`,
    ]) {
      expect(text).not.toContain(TOKEN.slice(6));
    }
  });

  test('UDL-10: without a token the error names both variables and the form', async () => {
    const { token } = readEnvironment({}, await temporaryFolder());
    expect(errorOf(() => requireToken(token))).toMatchObject({
      kind: 'config_invalid',
      message: expect.stringMatching(/BASICAUTH.*SECRET_ARN_UDL/),
      hint: expect.stringContaining('Authorization value'),
    });
    expect(requireToken(new Secret(TOKEN)).reveal()).toBe(TOKEN);
  });

  test('UDL-7: an empty BASICAUTH leaves the word to SECRET_ARN_UDL', async () => {
    const environment = readEnvironment({ BASICAUTH: '', SECRET_ARN_UDL: 'arn:x' }, await temporaryFolder());
    expect(environment).toMatchObject({ token: null, secretArn: 'arn:x' });
  });

  test('S3-4: region and endpoint as AWS tools name them, the nearer name first', async () => {
    const folder = await temporaryFolder();
    const all = {
      AWS_DEFAULT_REGION: 'eu-west-1',
      AWS_REGION: 'eu-central-1',
      AWS_ENDPOINT_URL: 'http://all:1',
      AWS_ENDPOINT_URL_S3: 'http://s3:2/',
    };
    expect(readEnvironment(all, folder)).toMatchObject({ awsRegion: 'eu-central-1', s3Endpoint: 'http://s3:2' });
    const { AWS_REGION: _region, AWS_ENDPOINT_URL_S3: _s3, ...general } = all;
    expect(readEnvironment(general, folder)).toMatchObject({ awsRegion: 'eu-west-1', s3Endpoint: 'http://all:1' });
    expect(readEnvironment({}, folder)).toMatchObject({ awsRegion: null, s3Endpoint: null });
  });

  test("S3-4: the SDK's chain sees the credentials of .env, and no empty variable", async () => {
    const folder = await temporaryFolder();
    writeFileSync(join(folder, '.env'), 'AWS_ACCESS_KEY_ID=from-file\nAWS_PROFILE=from-file\nOTHER=1\n');
    const processEnv: Record<string, string | undefined> = { AWS_PROFILE: 'from-shell', AWS_REGION: '' };
    lendAwsVariables(readEnvironment(processEnv, folder), processEnv);
    expect(processEnv).toEqual({ AWS_ACCESS_KEY_ID: 'from-file', AWS_PROFILE: 'from-shell' });
  });
});
