/**
 * The operator's ground on one machine, `npm run ground`: what docker-compose.yml starts, as plain processes. PostgreSQL, the
 * Temporal server on it, versitygw, a simulated source, a worker that downloads and two that build in folders of their own.
 * Then five days, a builder and the Temporal server killed in the middle, a SIGTERM, and a schedule's two runs beside a backfill.
 *
 * Prints what it sees and ends with 1 when something is not as it should be. Needs Go the first time, to build the two
 * servers; listens on 127.0.0.1 alone and leaves nothing running. `-- --cadence 5` makes days of full size (default 30 s).
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ensureTemporalBinary } from '../src/embedded/temporal-binary.ts';
import { startSimulator } from '../simulator/simulator.ts';
import { startPostgres } from '../test/ledger/postgres-server.ts';
import { createBucket, testClient } from '../test/support/s3/buckets.ts';
import { startS3Server } from '../test/support/s3/versitygw.ts';
import { killInTheMiddle, scheduleBesideBackfill, settle } from './support/ground/acts.ts';
import type { Ground } from './support/ground/acts.ts';
import { Processes } from './support/ground/processes.ts';
import { openReport } from './support/ground/report.ts';
import { startTemporal } from './support/ground/temporal.ts';

const { cadence } = parseArgs({ options: { cadence: { type: 'string', default: '30' } } }).values;
const TOKEN = 'Basic Z3JvdW5kOmdyb3VuZA==';
/** Whatever happens, it is over then. */
const LIMIT_MS = 15 * 60_000;

const folder = await mkdtemp(join(tmpdir(), 'reachback-ground-'));
const report = openReport();
const processes = new Processes();
const endings: (() => Promise<void>)[] = [() => rm(folder, { recursive: true, force: true, maxRetries: 5 })];
function stop(why: string): void {
  console.error(why);
  process.exitCode = 1;
  void endAll().finally(() => process.exit());
}
const over = setTimeout(() => stop(`not over after ${LIMIT_MS / 60_000} minutes`), LIMIT_MS);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop(`stopped by ${signal}`));

async function endAll(): Promise<void> {
  await processes.stopAll();
  for (const end of endings.toReversed()) await end();
}

try {
  const cli = (await ensureTemporalBinary(process.env)).path;
  const postgres = await startPostgres();
  endings.push(() => postgres.remove());
  const database = { port: postgres.port, user: 'temporal', password: randomBytes(24).toString('hex') };
  await postgres.query(null, `create role temporal login createdb password '${database.password}'`);
  const temporal = await startTemporal(processes, folder, database, cli);
  const [shown] = (await postgres.query(null, 'show server_version')) as { server_version: string }[];
  report.say(`Temporal ${temporal.version} on PostgreSQL ${shown?.server_version}, ${temporal.address}`);
  const s3 = await startS3Server();
  endings.push(() => s3.stop());
  const client = testClient(s3);
  const bucket = await createBucket(client);
  const simulator = await startSimulator({ cadenceS: Number(cadence), token: TOKEN });
  endings.push(() => simulator.close());
  report.say(`versitygw ${s3.endpoint}; simulator, a reading every ${cadence} s: ${simulator.url}`);

  const ground: Ground = {
    folder,
    processes,
    report,
    temporal,
    simulator,
    bucket,
    workspace: join(folder, 'ws'),
    staging: `s3://${bucket.name}/staging`,
    destination: `s3://${bucket.name}/products`,
    environment: {
      ...s3.environment,
      PATH: process.env['PATH'] ?? '',
      HOME: folder,
      XDG_STATE_HOME: join(folder, 'state'),
      TEMPORAL_ADDRESS: temporal.address,
      UDL_BASE_URL: simulator.url,
      BASICAUTH: TOKEN,
      REACHBACK_LEDGER_URL: (await postgres.newSchema()).reveal(),
      NO_COLOR: '1',
    },
  };
  const crew = await killInTheMiddle(ground);
  await scheduleBesideBackfill(ground, crew);
  await settle(ground, crew);
  client.destroy();
} catch (error) {
  report.check('the run came to its end', false, (error as Error).message.slice(0, 1_000));
} finally {
  clearTimeout(over);
  await endAll();
}
if (!report.close()) process.exitCode = 1;
