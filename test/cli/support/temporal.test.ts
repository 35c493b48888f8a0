import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { externalConnection, missingNamespace, whyUnreachable } from '../../../src/cli/support/temporal.ts';
import { readEnvironment } from '../../../src/config.ts';

async function folder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'reachback-temporal-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

const ADDRESS = { TEMPORAL_ADDRESS: 'temporal.example:7233' };

test('a server of the operator without TLS', async () => {
  const options = externalConnection(readEnvironment(ADDRESS, await folder()));
  expect(options.address).toBe('temporal.example:7233');
  expect(options.tls ?? false).toBe(false);
});

test('TEMPORAL_TLS with certificates reaches the connection, also from .env', async () => {
  const dir = await folder();
  const files = { ca: join(dir, 'ca.pem'), cert: join(dir, 'client.pem'), key: join(dir, 'client.key') };
  for (const [name, path] of Object.entries(files)) await writeFile(path, `the ${name}`);
  const lines = [
    'TEMPORAL_TLS=true',
    `TEMPORAL_TLS_SERVER_CA_CERT_PATH=${files.ca}`,
    `TEMPORAL_TLS_CLIENT_CERT_PATH=${files.cert}`,
    `TEMPORAL_TLS_CLIENT_KEY_PATH=${files.key}`,
    'TEMPORAL_TLS_SERVER_NAME=inside.example',
  ];
  await writeFile(join(dir, '.env'), lines.join('\n'));
  const { tls: given } = externalConnection(readEnvironment(ADDRESS, dir));
  const tls = typeof given === 'object' ? given : undefined;
  const text = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString();
  expect(tls).toMatchObject({ serverNameOverride: 'inside.example' });
  expect(text(tls?.serverRootCACertificate)).toBe('the ca');
  expect(text(tls?.clientCertPair?.crt)).toBe('the cert');
  expect(text(tls?.clientCertPair?.key)).toBe('the key');
});

test('TEMPORAL_API_KEY reaches the connection, and brings TLS with it', async () => {
  const options = externalConnection(readEnvironment({ ...ADDRESS, TEMPORAL_API_KEY: 'the-key' }, await folder()));
  expect(options.apiKey).toBe('the-key');
  expect(options.tls).toBeTruthy();
});

test.for([
  ['ConnectError("tcp connect error", 127.0.0.1:1, Os { code: 111, kind: ConnectionRefused })', 'nobody listens there'],
  ['ConnectError("dns error", Custom { kind: Uncategorized })', 'its name is not known'],
  [
    'ConnectError(Custom { kind: InvalidData, error: InvalidMessage(InvalidContentType) })',
    'it does not speak TLS there, see TEMPORAL_TLS',
  ],
  [
    'Status { code: PermissionDenied, message: "Request unauthorized.", details: b"" }',
    'it refuses the credentials (TEMPORAL_API_KEY, TEMPORAL_TLS_…): Request unauthorized.',
  ],
  ['something new', 'something new'],
])('why a server cannot be reached: %s', ([said, words]) => {
  expect(whyUnreachable(said ?? '')).toBe(words);
});

test.for([
  "Namespace not found: 'foo'",
  'Namespace foo was not found or otherwise could not be described: Status {}',
  'Namespace foo is not found.',
])('a namespace that is not there: %s', (message) => {
  for (const error of [new Error(message), new Error('starting failed', { cause: new Error(message) })]) {
    expect(missingNamespace(error)).toMatchObject({
      kind: 'config_invalid',
      message: 'The Temporal server has no namespace "foo".',
    });
  }
  expect(missingNamespace(new Error('a bug'))).toBe(null);
});
