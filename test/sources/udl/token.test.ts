/** The token from AWS Secrets Manager: the real client against a small server that speaks the service's protocol. */
import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import type { PipelineError } from '../../../src/core/errors.ts';
import { tokenFromSecretsManager } from '../../../src/sources/udl/token.ts';
import { startSecretsManager } from '../../support/secrets-manager.ts';
import type { SecretsManager } from '../../support/secrets-manager.ts';

const ARN = 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:udl-AbCdEf';
const TOKEN = 'Basic c2VjcmV0LXVzZXI6dmVyeS1zZWNyZXQ=';

let service: SecretsManager;

beforeAll(async () => {
  service = await startSecretsManager();
});

afterAll(() => service.close());

beforeEach(() => {
  service.requests.length = 0;
  vi.stubEnv('AWS_ENDPOINT_URL_SECRETS_MANAGER', service.endpoint);
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'an-account');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'its-key');
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
  vi.stubEnv('AWS_REGION', undefined);
  vi.stubEnv('AWS_CONFIG_FILE', '/nowhere/config');
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', '/nowhere/credentials');
});

afterEach(() => {
  vi.unstubAllEnvs();
});

function holds(SecretString: string | undefined, more: object = {}): void {
  const text = SecretString !== undefined && { SecretString };
  service.setAnswer({ status: 200, body: { ARN, Name: 'udl', ...text, ...more } });
}

async function refusal(region: string | null = 'eu-central-1'): Promise<PipelineError> {
  return await tokenFromSecretsManager({ arn: ARN, region }).then(
    () => Promise.reject(new Error('nothing was refused')),
    (error: unknown) => error as PipelineError,
  );
}

test('UDL-7: GetSecretValue of the ARN, key basicauth, verbatim', async () => {
  holds(JSON.stringify({ basicauth: TOKEN, other: 'x' }));
  const token = await tokenFromSecretsManager({ arn: ARN, region: 'eu-central-1' });
  expect(token.reveal()).toBe(TOKEN);
  expect(inspect(token, { showHidden: true })).not.toContain('c2VjcmV0');
  expect(service.requests).toMatchObject([{ target: 'secretsmanager.GetSecretValue', body: { SecretId: ARN } }]);
});

test('UDL-8: the region given signs the request, else that of the environment', async () => {
  holds(JSON.stringify({ basicauth: TOKEN }));
  await tokenFromSecretsManager({ arn: ARN, region: 'eu-north-1' });
  vi.stubEnv('AWS_REGION', 'us-west-2');
  await tokenFromSecretsManager({ arn: ARN, region: null });
  expect(service.requests[0]?.authorization).toContain('/eu-north-1/secretsmanager/');
  expect(service.requests[1]?.authorization).toContain('/us-west-2/secretsmanager/');
});

test.for<[string, string | undefined, RegExp]>([
  ['no JSON', `${TOKEN} and no JSON`, /its text is not JSON/],
  ['without the key', JSON.stringify({ BASICAUTH: TOKEN }), /no text under the key "basicauth"/],
  ['null', 'null', /no text under the key/],
  ['a list', JSON.stringify([TOKEN]), /no text under the key/],
  ['an empty value', JSON.stringify({ basicauth: '' }), /no text under the key/],
  ['no text as value', JSON.stringify({ basicauth: { value: TOKEN } }), /no text under the key/],
  ['two lines', JSON.stringify({ basicauth: `${TOKEN}\n` }), /not one line of plain ASCII/],
  ['binary', undefined, /only binary content/],
])('UDL-10, UDL-D13: a secret that is %s is named, and no part of it is told', async ([, text, reason]) => {
  holds(text, text === undefined ? { SecretBinary: Buffer.from(TOKEN).toString('base64') } : {});
  const error = await refusal();
  expect(error).toMatchObject({ kind: 'config_invalid', hint: expect.stringContaining('{"basicauth"') });
  expect(error.message).toMatch(reason);
  expect(error.message).toContain(ARN);
  expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('c2VjcmV0');
});

test.for<[string, number, RegExp, RegExp]>([
  ['ResourceNotFoundException', 400, /no such secret in that region/, /--aws-region/],
  ['AccessDeniedException', 400, /access is denied/, /secretsmanager:GetSecretValue/],
  ['DecryptionFailure', 400, /key cannot be used/, /kms:Decrypt/],
  ['ExpiredTokenException', 400, /session token .* has expired/, /Renew/],
  ['UnrecognizedClientException', 400, /access key is not known/, /AWS_ACCESS_KEY_ID/],
  ['InvalidSignatureException', 400, /signature is not right/, /AWS_SECRET_ACCESS_KEY/],
  ['InvalidRequestException', 400, /being deleted/, /Restore/],
])('UDL-D13: %s is a configuration error in words, with what to do', async ([type, status, what, hint]) => {
  service.setAnswer({ status, type, body: { __type: type, message: 'the words of the service' } });
  const error = await refusal();
  expect(error).toMatchObject({ kind: 'config_invalid', hint: expect.stringMatching(hint) });
  expect(error.message).toMatch(what);
  expect(error.hint).toContain('BASICAUTH');
});

test('UDL-D13: no region: named, with the one that the ARN tells', async () => {
  const error = await refusal(null);
  expect(error).toMatchObject({ kind: 'config_invalid', message: expect.stringContaining('no AWS region is known') });
  expect(error.hint).toContain('--aws-region eu-central-1');
  expect(service.requests).toEqual([]);
});

test('UDL-D13: no credentials', async () => {
  vi.stubEnv('AWS_ACCESS_KEY_ID', undefined);
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', undefined);
  expect((await refusal()).message).toContain('no AWS credentials were found');
});

test('UDL-D13: a service that cannot be reached', async () => {
  vi.stubEnv('AWS_ENDPOINT_URL_SECRETS_MANAGER', 'http://127.0.0.1:9');
  const error = await refusal();
  expect(error).toMatchObject({ kind: 'config_invalid', message: expect.stringContaining('ECONNREFUSED') });
});
