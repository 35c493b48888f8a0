/** Full-size days through the real program: download, count, build, deliver, with its embedded Temporal server. */
import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { figure, median } from '../support/figures.ts';
import type { Figure } from '../support/figures.ts';
import { OPEN_GATE, REACHBACK, programEnvironment } from '../support/ground.ts';
import type { Ground } from '../support/ground.ts';
import { run } from '../support/processes.ts';
import { watchTree } from '../support/process-tree.ts';
import type { TreeUsage } from '../support/process-tree.ts';

const PROBE = fileURLToPath(new URL('../loop-probe.ts', import.meta.url));
const GOAL_WALL = 1.3;
const GOAL_CPU = 2.2;
const GOAL_RSS_MIB = 700;
const GOAL_GROWTH = 1.15;
/** Fewer days say nothing about growth. */
const FEWEST_FOR_GROWTH = 4;
const GOAL_DELAY_MS = 100;
/** Threads with less are not told. */
const LEAST_THREAD_CPU_S = 0.1;
/** Moments of a blocked event loop that are told. */
const WORST_TOLD = 8;

export interface DayRun {
  /** From the first request to the last one. */
  readonly requestsS: number;
  readonly requests: number;
  /** From the start of the process to the first request at the source. */
  readonly startUpS: number;
  /** From the first request to the last product at its destination. */
  readonly workS: number;
  /** From there to the end of the process. */
  readonly endS: number;
  /** Of the main thread between first request and last delivery. */
  readonly longestDelayMs: number;
  /** Of the tree without the Temporal server, user and system, between first request and last delivery. */
  readonly workCpuS: number;
  readonly usage: TreeUsage;
}

export async function benchDay(ground: Ground): Promise<Figure[]> {
  const days = ground.days.length;
  const { result, floor } = await ground.betweenFloors(() => runDays(ground, OPEN_GATE));
  const { startUpS, workS, endS, longestDelayMs, workCpuS, usage } = result;
  const wall = { what: 'floor', value: floor.wallS };
  const each = days === 1 ? 'wall of the day' : `wall per day, ${days} days`;
  return [
    figure('day', `${each}, first request to last delivery`, workS / days, 's', { beside: wall, goal: GOAL_WALL }),
    figure('day', 'start-up: process start to first request', startUpS, 's'),
    figure('day', 'end: last delivery to exit', endS, 's'),
    figure('day', 'wall of the whole run', startUpS + workS + endS, 's'),
    figure('day', 'CPU per day, first request to last delivery, without the Temporal server', workCpuS / days, 's', {
      beside: { what: 'floor', value: floor.cpuS },
      goal: GOAL_CPU,
    }),
    figure('day', 'CPU of start-up and end, without the Temporal server', usage.cpuS - workCpuS, 's'),
    ...[...usage.threadCpuS]
      .filter(([, cpuS]) => cpuS / days >= LEAST_THREAD_CPU_S)
      .map(([name, cpuS]) => figure('day', `CPU per day of the worker's threads "${name}"`, cpuS / days, 's')),
    figure('day', 'CPU of the Temporal server', usage.temporalCpuS, 's'),
    figure('day', 'peak RSS of the worker process', usage.rootPeakMiB, 'MiB', { goal: GOAL_RSS_MIB }),
    ...(days < FEWEST_FOR_GROWTH ? [] : [growth(usage)]),
    figure('day', 'peak RSS of the tree without the Temporal server', usage.treePeakMiB, 'MiB'),
    figure('day', 'peak RSS of the tree', usage.treePeakWithTemporalMiB, 'MiB'),
    figure('day', 'longest event-loop delay of the worker while at work', longestDelayMs, 'ms', {
      goal: GOAL_DELAY_MS,
    }),
  ];
}

function growth({ rootMiB }: TreeUsage): Figure {
  const quarter = Math.floor(rootMiB.length / 4);
  const beside = { what: 'second quarter', value: median(rootMiB.slice(quarter, 2 * quarter)) };
  const late = median(rootMiB.slice(-quarter));
  return figure('day', 'RSS of the worker in the last quarter', late, 'MiB', { beside, goal: GOAL_GROWTH });
}

/** Sends all days through the program. @param gate - its pacing flags */
export async function runDays(ground: Ground, gate: readonly string[]): Promise<DayRun> {
  const source = await ground.source();
  const folder = ground.folder('run');
  const workspace = join(folder, 'workspace');
  const delivered = join(folder, 'delivered');
  const loopFile = join(folder, 'loop.json');
  mkdirSync(delivered);
  await source.mark();
  ground.say(`${ground.days.length} day(s) through the program`);
  let watch: ReturnType<typeof watchTree> | undefined;
  const range = ['--start-date', ground.days[0]!, '--end-date', ground.days.at(-1)!, '--concurrency', '2'];
  const places = ['--workspace', workspace, '--upload-to', pathToFileURL(delivered).href];
  const { startedMs, endedMs } = await run(REACHBACK, ['run', ...range, ...places, '--profile', 'istp', ...gate], {
    env: {
      ...programEnvironment(source.url, folder),
      BENCH_LOOP_FILE: loopFile,
      NODE_OPTIONS: `--import=${pathToFileURL(PROBE).href}`,
    },
    onStart: (pid) => {
      watch = watchTree(pid);
    },
  }).finally(() => watch?.end());
  const usage = watch!.end();
  const products = filesBelow(delivered).filter((path) => path.endsWith('.cdf'));
  if (products.length !== ground.days.length) {
    throw new Error(`${products.length} products were delivered, ${ground.days.length} expected.`);
  }
  const requests = await source.requestTimes();
  const deliveredMs = Math.max(...products.map((path) => statSync(path).ctimeMs)) - performance.timeOrigin;
  keepInputs(ground, workspace, products[0]!);
  const longestDelayMs = longestDelay(ground, loopFile, requests.firstMs, deliveredMs);
  rmSync(folder, { recursive: true, force: true });
  return {
    requestsS: (requests.lastMs - requests.firstMs) / 1_000,
    requests: requests.count,
    startUpS: (requests.firstMs - startedMs) / 1_000,
    workS: (deliveredMs - requests.firstMs) / 1_000,
    endS: (endedMs - deliveredMs) / 1_000,
    longestDelayMs,
    workCpuS: usage.cpuBetween(requests.firstMs, deliveredMs),
    usage,
  };
}

/** Other cases take one day's files from here. */
function keepInputs(ground: Ground, workspace: string, product: string): void {
  const downloads = join(workspace, 'downloads');
  const name = readdirSync(downloads).find((each) => each.startsWith('REACH') && each.endsWith('.csv'));
  if (name === undefined) throw new Error(`No day file in ${downloads}.`);
  const folder = ground.folder('kept');
  renameSync(join(downloads, name), join(folder, name));
  renameSync(product, join(folder, basename(product)));
  ground.keepDayFile(join(folder, name));
  ground.keepProduct(join(folder, basename(product)));
}

/** Tells the worst moments, so that their cause can be looked for. */
function longestDelay(ground: Ground, loopFile: string, fromMs: number, toMs: number): number {
  const looks = JSON.parse(readFileSync(loopFile, 'utf8')) as readonly { atMs: number; ms: number }[];
  const worst = looks
    .map(({ atMs, ms }) => ({ atMs: atMs - performance.timeOrigin, ms }))
    .filter(({ atMs }) => atMs >= fromMs && atMs <= toMs)
    .toSorted((a, b) => b.ms - a.ms);
  for (const { atMs, ms } of worst.slice(0, WORST_TOLD)) {
    if (ms > GOAL_DELAY_MS)
      ground.say(
        `event loop blocked for ${ms.toFixed(0)} ms, ${((atMs - fromMs) / 1_000).toFixed(1)} s after the start`,
      );
  }
  return worst[0]?.ms ?? 0;
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
