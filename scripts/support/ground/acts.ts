/** The acts of the ground run, by the real program from outside. */
import { execFile } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Client, Connection } from '@temporalio/client';
import type { Simulator } from '../../../simulator/simulator.ts';
import type { ScheduleLine } from '../../../src/schedules.ts';
import type { TestBucket } from '../../../test/support/s3/buckets.ts';
import { freePorts, until } from './processes.ts';
import type { Processes, Running } from './processes.ts';
import type { Report } from './report.ts';
import type { TemporalServer } from './temporal.ts';

const PROGRAM = fileURLToPath(new URL('../../../bin/reachback', import.meta.url));
const PRODUCT = 'reach-all/quicklook';
const DAYS = ['2025-09-01', '2025-09-02', '2025-09-03', '2025-09-04', '2025-09-05'];
/** One is enough, but for builds that are nearly done when they are seen. */
const HAND_OVER_DAYS = ['2025-11-02', '2025-11-03', '2025-11-04', '2025-11-05', '2025-11-06'];
const HANDED_OVER_MS = 20_000;

export interface Ground {
  readonly folder: string;
  readonly processes: Processes;
  readonly report: Report;
  readonly temporal: TemporalServer;
  readonly simulator: Simulator;
  readonly bucket: TestBucket;
  readonly workspace: string;
  /** `s3://…` */
  readonly staging: string;
  readonly destination: string;
  readonly environment: Record<string, string>;
}

/** The workers that are there after the first act. */
export interface Crew {
  readonly downloads: Running;
  readonly builder: Running;
  /** Name of the workspace. */
  readonly name: string;
  /** Of the download worker: `host:port`. */
  readonly metrics: string;
}

function start(ground: Ground, name: string, args: readonly string[], extra: Record<string, string> = {}): Running {
  const { processes, environment, folder } = ground;
  return processes.start(name, PROGRAM, args, { ...environment, ...extra }, folder);
}

async function call({ environment, folder }: Ground, ...args: string[]): Promise<string> {
  const run = promisify(execFile);
  return (await run(PROGRAM, args, { env: environment, cwd: folder, maxBuffer: 1 << 24 })).stdout;
}

async function startBuilder(ground: Ground, host: string): Promise<Running> {
  const args = ['worker', '--role', 'build', '--workspace', ground.staging, '-v'];
  const worker = start(ground, host, args, { XDG_CACHE_HOME: join(ground.folder, host) });
  await until(`${host} polls`, () => (worker.output().includes('is polling') ? true : null));
  return worker;
}

function askedFor(simulator: Simulator, day: string): number {
  return simulator.requests().filter(({ range }) => range?.startsWith(day) === true).length;
}

const rangeArgs = ({ workspace, destination }: Ground, first: string, last: string): string[] => [
  'run',
  '--workspace',
  workspace,
  '--start-date',
  first,
  '--end-date',
  last,
  '--upload-to',
  destination,
  '--concurrency',
  '3',
  '--json',
];

/** Five days; a builder dies while it builds, and the Temporal server while days are under way. */
export async function killInTheMiddle(ground: Ground): Promise<Crew> {
  const { report, workspace, staging, temporal } = ground;
  const [metricsPort = 0] = await freePorts(1);
  const metrics = `127.0.0.1:${metricsPort}`;
  const pace = ['--initial-rate', '200', '--max-rate', '200', '--max-concurrent-requests', '16'];
  const roles = ['worker', '--role', 'download', '--workspace', workspace, '--staging', staging];
  const downloads = start(ground, 'downloads', [...roles, ...pace, '--metrics', metrics, '--log-format', 'json', '-v']);
  const ready = () => /^{"type":"ready","workspace":"([^"]+)"/m.exec(downloads.output());
  const [, name = ''] = await until('the download worker polls', ready);
  const doomed = await startBuilder(ground, 'host-a');
  const builder = await startBuilder(ground, 'host-b');
  report.say(
    `workspace ${name}: a download worker, builders ${doomed.pid} and ${builder.pid} with folders of their own`,
  );

  const run = start(ground, 'run', rangeArgs(ground, DAYS[0]!, DAYS.at(-1)!));
  const day = await killInABuild(ground, name, doomed);
  const killedAt = performance.now();
  await doomed.ended;
  report.say(`kill -9 of host-a (${doomed.pid}) while it built ${day}`);

  const watch = start(ground, 'watch', ['watch', '--workspace', workspace, '--json']);
  await until('watch sees days', () => (watch.output().includes('"running"') ? true : null));
  await temporal.restart(async () => {
    report.say('kill -9 of the Temporal server; it stays away for 10 s');
    await new Promise((resolve) => setTimeout(resolve, 10_000));
  });
  report.say('the Temporal server is started again');
  const code = await run.ended;
  const seconds = ((performance.now() - killedAt) / 1_000).toFixed(0);
  report.check(
    'the range ends with every day, a builder and the server killed in it',
    code === 0,
    `exit ${code}, ${seconds} s after the first kill`,
  );
  const watched = await watch.ended;
  report.check('watch outlives the restart of the server and sees the end', watched === 0, `exit ${watched}`);

  await compareRange(ground, builder, day);
  await bringBack(ground);
  return { downloads, builder, name, metrics };
}

/** Kills the builder once it stands still in the middle of a build. @returns the day */
async function killInABuild(ground: Ground, name: string, doomed: Running): Promise<string> {
  for (;;) {
    const left = DAYS.filter((day) => !hasBuilt(doomed, day));
    const day = await untilBuilds(ground, name, doomed, left);
    doomed.child.kill('SIGSTOP');
    // What it had written before it stood still arrives.
    await new Promise((resolve) => setTimeout(resolve, 100));
    const isMidway = !hasBuilt(doomed, day);
    doomed.child.kill(isMidway ? 'SIGKILL' : 'SIGCONT');
    if (isMidway) return day;
  }
}

/** @returns the day that a builder is at work at */
async function untilBuilds(
  { temporal }: Ground,
  name: string,
  worker: Running,
  days: readonly string[],
): Promise<string> {
  const connection = await Connection.connect({ address: temporal.address });
  const { workflow } = new Client({ connection });
  try {
    return await until(`${worker.name} builds a day`, async () => {
      for (const day of days) {
        const handle = workflow.getHandle(`day/${name}/${PRODUCT}/${day}`);
        const described = await handle.describe().catch(() => null);
        const builds = (described?.raw.pendingActivities ?? []).some(
          ({ activityType, lastWorkerIdentity }) =>
            activityType?.name === 'buildCdf' && lastWorkerIdentity?.startsWith(`build/${worker.pid}@`) === true,
        );
        if (builds) return day;
      }
      return null;
    });
  } finally {
    await connection.close();
  }
}

/** @param day - that the killed builder had begun */
async function compareRange(
  { report, bucket, workspace, simulator }: Ground,
  builder: Running,
  day: string,
): Promise<void> {
  const other = builder.output().includes(`day=${day}`) && /built and staged/.test(builder.output());
  report.check(`the dead host's day ${day} is built by the other`, other, `host-b: ${lineOf(builder, day)}`);
  const keys = await bucket.keys();
  const products = keys.filter((key) => key.startsWith('products/') && key.endsWith('.cdf'));
  report.check('each day is delivered once', products.length === DAYS.length, `${products.length} products in S3`);
  const staged = keys.filter((key) => key.startsWith('staging/'));
  report.check('nothing stays in the staging', staged.join() === 'staging/workspace.json', staged.join(', '));
  const telemetry = readFileSync(join(workspace, 'downloads/download_telemetry.csv'), 'utf8');
  const rows = ['DOWNLOADED', 'PROCESSED', 'UPLOADED'].map((status) => telemetry.split(`,${status},`).length - 1);
  report.check(
    'one closing row for each stage of each day',
    rows.every((count) => count === DAYS.length),
    rows.join(', '),
  );
  const { requests, repeatedAnswers } = simulator.stats();
  report.check(
    'nothing is asked twice because of a kill of others',
    repeatedAnswers <= 16,
    `${requests} requests, ${repeatedAnswers} repeated`,
  );
}

/** What host-a left is removed when a worker is started there again. */
async function bringBack(ground: Ground): Promise<void> {
  const worker = await startBuilder(ground, 'host-a');
  const desks = join(ground.folder, 'host-a/reachback/builds');
  const left = readdirSync(desks, { recursive: true }).filter((path) => /\.(csv|cdf)$/.test(String(path)));
  ground.report.check('a builder clears what a killed one left', left.length === 0, `${left.length} files left`);
  const asked = performance.now();
  worker.child.kill('SIGTERM');
  const code = await worker.ended;
  const ms = performance.now() - asked;
  ground.report.check(
    'SIGTERM ends an idle builder',
    code === 0 && ms < HANDED_OVER_MS,
    `exit ${code} after ${(ms / 1_000).toFixed(1)} s`,
  );
}

function lineOf(worker: Running, day: string): string {
  return (
    worker
      .output()
      .split('\n')
      .find((line) => line.includes(day) && line.includes('staged'))
      ?.slice(0, 120) ?? 'no line'
  );
}

/**
 * A backfill under way that is too long to be over meanwhile; the schedule's first run fetches its days beside it, the second has
 * nothing to do. Then the backfill is told to finish.
 */
export async function scheduleBesideBackfill(ground: Ground, { name }: Crew): Promise<void> {
  const { report, workspace, simulator, destination } = ground;
  const at = ['--workspace', workspace];
  const backfill = start(ground, 'backfill', rangeArgs(ground, '2025-01-01', '2025-06-30'));
  await until('the backfill asks', () => (askedFor(simulator, '2025-01-01') > 0 ? true : null));
  const target = ['--sensor-id', 'REACH-101', '--upload-to', destination];
  await call(ground, 'schedule', 'create', ...at, '--name', 'daily', '--trailing-days', '2', ...target);
  const window = ['--delay', '7200', '--window', '172800', '--every', '3600'];
  await call(ground, 'schedule', 'create', ...at, '--name', 'recent', ...window, ...target);

  const list = async (which: string): Promise<ScheduleLine | undefined> => {
    const lines = JSON.parse(await call(ground, 'schedule', 'list', ...at, '--json')) as ScheduleLine[];
    return lines.find((line) => line.name === which);
  };
  const ofDaily = (): number => simulator.requests().filter(({ idSensor }) => idSensor === 'REACH-101').length;
  const sent: number[] = [];
  for (const [index, which] of ['daily', 'daily', 'recent'].entries()) {
    const asked = performance.now();
    await call(ground, 'schedule', 'trigger', which, ...at);
    const runs = which === 'recent' ? 1 : index + 1;
    await until(`run ${runs} of ${which}`, async () => {
      const line = await list(which);
      return (line?.recent.length ?? 0) >= runs && line?.running.length === 0 ? true : null;
    });
    sent.push(ofDaily());
    const seconds = ((performance.now() - asked) / 1_000).toFixed(1);
    report.say(`schedule ${which}, run ${runs}: ${seconds} s, ${sent.at(-1)} requests of its sensor so far`);
  }
  const isOpen = backfill.child.exitCode === null;
  report.check(
    'the daily run is through while the backfill goes on',
    isOpen,
    isOpen ? 'backfill open' : 'backfill over',
  );
  const [first = 0, second = 0, recent = 0] = sent;
  report.check('the first run fetches its two days', first >= 8, `${first} requests`);
  report.check('the second has nothing to do', second === first, `${second - first} requests more`);
  report.check(
    'the window of UDL-16 as a schedule finds the same days done',
    recent === second,
    `${recent - second} requests more`,
  );
  await call(ground, 'finish', ...at);
  const code = await backfill.ended;
  report.check(`the backfill of ${name} goes on undisturbed until it is told to finish`, code === 0, `exit ${code}`);
}

/** SIGTERM in the middle of a download: handed over, and the next worker asks only for what is missing. */
export async function settle(ground: Ground, { downloads, builder, name, metrics }: Crew): Promise<void> {
  const { report, simulator } = ground;
  const figures = await (await fetch(`http://${metrics}/metrics`)).text();
  const wanted = ['requests', 'answers', 'bytes', 'records', 'stage_duration_seconds', 'gate_wait_seconds'];
  const missing = wanted.filter((each) => !figures.includes(`reachback_${each}`));
  const queueWait = figures.includes('temporal_activity_schedule_to_start_latency_seconds');
  report.check(
    'metrics: requests, answers, bytes, records, stage seconds, waits',
    missing.length === 0 && queueWait,
    missing.length === 0 ? 'all there' : `missing ${missing.join()}`,
  );
  const run = start(ground, 'last', rangeArgs(ground, '2025-11-01', '2025-11-01'));
  await until('the day is half there', () => (askedFor(simulator, '2025-11-01') > 60 ? true : null));
  const asked = performance.now();
  downloads.child.kill('SIGTERM');
  const code = await downloads.ended;
  const ms = performance.now() - asked;
  report.check(
    'SIGTERM hands a download over within 20 s',
    code === 0 && ms < HANDED_OVER_MS,
    `exit ${code} after ${(ms / 1_000).toFixed(1)} s`,
  );
  const before = simulator.stats().repeatedAnswers;
  start(ground, 'downloads again', [
    'worker',
    '--role',
    'download',
    '--workspace',
    ground.workspace,
    '--staging',
    ground.staging,
  ]);
  const ended = await run.ended;
  const repeated = simulator.stats().repeatedAnswers - before;
  report.check(
    'the next worker asks only for what is missing',
    ended === 0 && repeated <= 16,
    `exit ${ended}, ${repeated} answers repeated`,
  );
  await handOverBuild(ground, name, builder);
}

/**
 * SIGTERM in the middle of a build: another builder does the day. A build that was nearly done ends before the worker does,
 * which is as good; then the next day is tried.
 */
async function handOverBuild(ground: Ground, name: string, first: Running): Promise<void> {
  const { report } = ground;
  let builder = first;
  for (const day of HAND_OVER_DAYS) {
    const run = start(ground, `run of ${day}`, rangeArgs(ground, day, day));
    await untilBuilds(ground, name, builder, [day]);
    const asked = performance.now();
    builder.child.kill('SIGTERM');
    const code = await builder.ended;
    const ms = performance.now() - asked;
    const isHandedOver = !hasBuilt(builder, day);
    const next = await startBuilder(ground, `after ${day}`);
    const ended = await run.ended;
    const seen = `exit ${code} after ${(ms / 1_000).toFixed(1)} s; ${day}: exit ${ended}`;
    if (code !== 0 || ms >= HANDED_OVER_MS || ended !== 0 || isHandedOver) {
      report.check('SIGTERM hands a build over within 20 s', code === 0 && ms < HANDED_OVER_MS, seen);
      const isBuilt = ended === 0 && hasBuilt(next, day);
      report.check('another builder does that day', isBuilt, `exit ${ended}, ${lineOf(next, day)}`);
      return;
    }
    report.say(`${day} was built before the worker ended: ${seen}`);
    builder = next;
  }
  report.check('SIGTERM hands a build over within 20 s', false, `each of ${HAND_OVER_DAYS.join(', ')} ended first`);
}

function hasBuilt(worker: Running, day: string): boolean {
  return worker.output().includes(`day built and staged day=${day}`);
}
