/** A Temporal server on PostgreSQL as docker-compose.yml sets it up: its versions, its environments, its two jobs. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ensureGoPrograms } from '../go-programs.ts';
import { freePorts } from './processes.ts';
import type { Processes, Running } from './processes.ts';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

export interface TemporalServer {
  readonly address: string;
  readonly version: string;
  /** As `kill -9` does, and then a new one on the same database and port. */
  restart(whileAway: () => Promise<void>): Promise<void>;
}

/** Of PostgreSQL: an account that may make databases. */
export interface Database {
  readonly port: number;
  readonly user: string;
  readonly password: string;
}

/** @param cli - the `temporal` command line */
export async function startTemporal(
  processes: Processes,
  folder: string,
  database: Database,
  cli: string,
): Promise<TemporalServer> {
  const compose = readFileSync(join(ROOT, 'docker-compose.yml'), 'utf8');
  const [, version = ''] = /image: temporalio\/server:([\d.]+)/.exec(compose) ?? [];
  const { programs, sources } = await ensureGoPrograms('go.temporal.io/server', `v${version}`, [
    'cmd/server',
    'cmd/tools/sql',
  ]);
  const bin = join(folder, 'bin');
  await mkdir(bin);
  await Promise.all([symlink(programs['sql']!, join(bin, 'temporal-sql-tool')), symlink(cli, join(bin, 'temporal'))]);
  const PATH = `${bin}:${process.env['PATH'] ?? ''}`;
  const job = async (script: string, env: Record<string, string>): Promise<void> => {
    await run('sh', [join(ROOT, 'deploy/temporal', script)], { env: { PATH, ...env }, timeout: 180_000 });
  };
  const { port, user, password } = database;
  await job('setup-postgres.sh', {
    SQL_PLUGIN: 'postgres12',
    SQL_HOST: '127.0.0.1',
    SQL_PORT: String(port),
    SQL_USER: user,
    SQL_PASSWORD: password,
    SCHEMA_DIR: join(sources, 'schema/postgresql/v12'),
  });
  const [frontend = 0, ...others] = await freePorts(9);
  const names = ['FRONTEND_HTTP', 'FRONTEND_MEMBERSHIP', 'HISTORY_GRPC', 'HISTORY_MEMBERSHIP', 'MATCHING_GRPC'];
  names.push('MATCHING_MEMBERSHIP', 'WORKER_GRPC', 'WORKER_MEMBERSHIP');
  const environment: Record<string, string> = {
    DB: 'postgres12',
    DB_PORT: String(port),
    POSTGRES_SEEDS: '127.0.0.1',
    POSTGRES_USER: user,
    POSTGRES_PWD: password,
    BIND_ON_IP: '127.0.0.1',
    NUM_HISTORY_SHARDS: '128',
    DYNAMIC_CONFIG_FILE_PATH: join(ROOT, 'deploy/temporal/dynamicconfig/reachback.yaml'),
    LOG_LEVEL: 'warn',
    // PostgreSQL takes 100 connections here, 200 in docker-compose.yml.
    SQL_MAX_CONNS: '10',
    SQL_MAX_IDLE_CONNS: '10',
    SQL_VIS_MAX_CONNS: '5',
    SQL_VIS_MAX_IDLE_CONNS: '5',
    FRONTEND_GRPC_PORT: String(frontend),
    ...Object.fromEntries(names.map((name, index) => [`${name}_PORT`, String(others[index])])),
  };
  const address = `127.0.0.1:${frontend}`;
  const start = (): Running => processes.start('temporal', programs['server']!, ['start'], environment, folder);
  let server = start();
  try {
    await job('init-namespace.sh', { TEMPORAL_ADDRESS: address });
  } catch (error) {
    throw new Error(`The Temporal server did not come up: ${lastWords(server)}`, { cause: error });
  }
  return {
    address,
    version,
    async restart(whileAway) {
      server.child.kill('SIGKILL');
      await server.ended;
      await whileAway();
      server = start();
    },
  };
}

/** The latest messages of its log, without the places in its code. */
function lastWords(server: Running): string {
  const lines = server
    .output()
    .split('\n')
    .filter((line) => line !== '');
  return lines
    .slice(-5)
    .map((line) => line.replace(/"(stacktrace|logging-call-at)":.*/, '').slice(0, 400))
    .join(' | ');
}
