/** A long range of tiny days through the real program, then the same command again when all of it is finished. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { addDays, parseDay } from '../../src/core/time/day.ts';
import { figure, median } from '../support/figures.ts';
import type { Figure } from '../support/figures.ts';
import { OPEN_GATE, REACHBACK, programEnvironment } from '../support/ground.ts';
import type { Ground } from '../support/ground.ts';
import { watchTree } from '../support/process-tree.ts';
import type { TreeUsage } from '../support/process-tree.ts';
import { run } from '../support/processes.ts';
import { startSource } from '../support/simulated-source.ts';

const FIRST = parseDay('2015-01-01');
const SENSOR = 'REACH-101';
const DAYS_AT_ONCE = 8;
const LOOK_EVERY_MS = 2_000;
const GOAL_DAY_EVENTS = 50;
const GOAL_RANGE_EVENTS_PER_DAY = 10;
const GOAL_AGAIN_S = 30;
const GOAL_GROWTH = 1.15;

/** Longest histories met: of a day, and of a range by run. */
interface Histories {
  days: number;
  longestDay: number;
  readonly ranges: Map<string, number>;
}

export async function benchRange(ground: Ground): Promise<Figure[]> {
  const source = await startSource([], ['--tiny', '--sensors', SENSOR]);
  try {
    const folder = ground.folder('range');
    const command = commandLine(folder, ground.tinyDays);
    const env = programEnvironment(source.url, folder);
    ground.say(`${ground.tinyDays} tiny days through the program`);
    const first = await watched(command, env, join(folder, 'workspace'));
    ground.say('the same range again');
    const again = await watched(command, env, null);
    return figures(ground.tinyDays, first, again);
  } finally {
    await source.stop();
  }
}

function commandLine(folder: string, days: number): string[] {
  const range = ['--start-date', FIRST, '--end-date', addDays(FIRST, days - 1), '--sensor-id', SENSOR];
  const places = ['--workspace', join(folder, 'workspace'), '--upload-to', pathToFileURL(join(folder, 'out')).href];
  return ['run', ...range, ...places, '--concurrency', String(DAYS_AT_ONCE), '--json', ...OPEN_GATE];
}

interface Watched {
  readonly wallS: number;
  readonly usage: TreeUsage;
  readonly histories: Histories;
}

/** @param workspace - whose embedded server tells the histories; null to leave it alone */
async function watched(
  command: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  workspace: string | null,
): Promise<Watched> {
  const histories: Histories = { days: 0, longestDay: 0, ranges: new Map() };
  const ended = new AbortController();
  let watch: ReturnType<typeof watchTree> | undefined;
  const looking = workspace === null ? null : lookAtHistories(workspace, histories, ended.signal);
  try {
    const { startedMs, endedMs } = await run(REACHBACK, command, {
      env,
      onStart: (pid) => {
        watch = watchTree(pid);
      },
    });
    return { wallS: (endedMs - startedMs) / 1_000, usage: watch!.end(), histories };
  } finally {
    watch?.end();
    ended.abort();
    await looking;
  }
}

/** Asks the embedded server for the histories' lengths now and then; it goes away with the run. */
async function lookAtHistories(workspace: string, histories: Histories, signal: AbortSignal): Promise<void> {
  let connection: Connection | null = null;
  let since = new Date(0);
  while (!signal.aborted) {
    await setTimeout(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
    try {
      connection ??= await Connection.connect({ address: addressOf(workspace) });
      since = await look(new Client({ connection }), histories, since);
    } catch {
      // Not there yet, or gone already.
    }
  }
  await connection?.close();
}

function addressOf(workspace: string): string {
  const { address } = JSON.parse(readFileSync(join(workspace, 'state', 'embedded.json'), 'utf8')) as {
    address: string;
  };
  return address;
}

/** @returns when to go on: closed days are looked at once, a little overlap apart */
async function look(client: Client, histories: Histories, since: Date): Promise<Date> {
  const now = new Date(Date.now() - LOOK_EVERY_MS);
  const days = `WorkflowType = 'processDay' AND CloseTime >= '${since.toISOString()}'`;
  for await (const { historyLength } of client.workflow.list({ query: days })) {
    histories.days += 1;
    histories.longestDay = Math.max(histories.longestDay, historyLength ?? 0);
  }
  for await (const { workflowId, runId } of client.workflow.list({ query: `WorkflowType = 'backfillRange'` })) {
    const { historyLength } = await client.workflow.getHandle(workflowId, runId).describe();
    histories.ranges.set(runId, historyLength ?? 0);
  }
  return now;
}

function figures(days: number, { wallS, usage, histories }: Watched, again: Watched): Figure[] {
  if (histories.days === 0 || histories.ranges.size === 0) throw new Error('No history was seen.');
  const events = [...histories.ranges.values()].reduce((sum, length) => sum + length, 0);
  const tenth = Math.ceil(usage.rootMiB.length / 10);
  // From the second tenth on: before that, the program is still being compiled.
  const early = median(usage.rootMiB.slice(tenth, 2 * tenth));
  const late = median(usage.rootMiB.slice(-tenth));
  return [
    figure('range', `${days} tiny days, ${DAYS_AT_ONCE} at once: whole run`, wallS, 's'),
    figure('range', 'wall per day', wallS / days, 's'),
    figure('range', 'CPU per day, without the Temporal server', usage.cpuS / days, 's'),
    figure('range', 'CPU per day of the Temporal server', usage.temporalCpuS / days, 's'),
    figure('range', 'events of the longest day', histories.longestDay, 'events', { goal: GOAL_DAY_EVENTS }),
    figure('range', `events of the range per day, ${histories.ranges.size} run(s)`, events / days, 'events', {
      goal: GOAL_RANGE_EVENTS_PER_DAY,
    }),
    figure('range', 'events of the longest run of the range', Math.max(...histories.ranges.values()), 'events'),
    figure('range', 'RSS of the worker in the last tenth', late, 'MiB', {
      beside: { what: 'second tenth', value: early },
      goal: GOAL_GROWTH,
    }),
    figure('range', 'peak RSS of the worker', usage.rootPeakMiB, 'MiB'),
    figure('range', 'the finished range again', again.wallS, 's', { goal: GOAL_AGAIN_S }),
  ];
}
