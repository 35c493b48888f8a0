/** Plays every case at every placement and judges what came of it. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { addDays, parseDay } from '../../../src/core/time/day.ts';
import type { Day } from '../../../src/core/time/day.ts';
import { startSimulator } from '../../../simulator/simulator.ts';
import type { FaultPlan, RequestRecord } from '../../../simulator/simulator.ts';
import { PLACEMENTS, faultCases } from './cases.ts';
import type { FaultCase, Placement, Setting } from './cases.ts';
import { startDoor } from './door.ts';
import { playRange } from './pipeline.ts';
import type { PlayedRange } from './pipeline.ts';

export interface MatrixRow {
  readonly fault: string;
  readonly placement: Placement;
  /** `complete`, or what is wrong. */
  readonly outcome: string;
  /** By the simulator, counts of the source left out. */
  readonly requestsSeen: number;
  readonly slices: number;
  readonly slicesFailed: number;
  readonly slicesAskedAgain: number;
  /** Asked again although nothing was wrong with their answer. */
  readonly askedInVain: number;
  /** By the simulator's clock, or by what the client itself had read, whichever is more. */
  readonly begunInCooldown: number;
}

type Rule = FaultPlan['rules'][number];

/** A case at a placement, with the days that are its own. */
interface Play {
  readonly fault: FaultCase;
  readonly placement: Placement;
  readonly days: readonly Day[];
}

/** Cases that share a product and a worker's set-up, and so a range. */
interface Group {
  readonly product: typeof SENSOR | typeof ALL;
  readonly setting: Setting;
  readonly group: readonly Play[];
}

const FIRST_DAY = parseDay('2025-03-01');
const SENSOR = 'reach-101/quicklook';
const ALL = 'reach-all/quicklook';
/** Source, worker and builds share one process here: what was sent before a 429 was read may be seen that much later. */
const GRACE_MS = 1_000;
/** Days of four slices that 10 % are drawn from where every fault costs a pause. */
const DAYS_FOR_PAUSES = 6;
const SEED = 3;

export interface MatrixOptions {
  /** Real lengths of pauses and timeouts. */
  readonly full: boolean;
  /** Which cases are played; all by default. */
  readonly wanted?: (fault: string, placement: Placement) => boolean;
}

/** @param folder - for workspaces; the caller removes it */
export async function playMatrix(
  env: TestWorkflowEnvironment,
  folder: string,
  { full, wanted = () => true }: MatrixOptions,
): Promise<MatrixRow[]> {
  const cases = faultCases(full);
  const groups: Group[] = [...new Map(cases.map(({ setting }) => [setting.name, setting])).values()].flatMap(
    (setting): Group[] => {
      const own = cases.filter((each) => each.setting.name === setting.name);
      const pairs = own
        .flatMap((fault) => PLACEMENTS.map((at) => ({ fault, at })))
        .filter(({ fault, at }) => wanted(fault.name, at));
      const both: Group[] = [
        { product: SENSOR, setting, group: plays(pairs.filter(({ fault, at }) => isFew(fault, at))) },
        { product: ALL, setting, group: plays(pairs.filter(({ fault, at }) => isMany(fault, at))) },
      ];
      return both.filter(({ group }) => group.length > 0);
    },
  );
  const calm = new Map<Group['product'], PlayedRange>();
  for (const product of [SENSOR, ALL] as const) {
    const days = groups
      .filter((each) => each.product === product)
      .flatMap(({ group }) => group.flatMap((play) => play.days));
    if (days.length > 0) calm.set(product, await playCalm(env, folder, product, days.toSorted().at(-1)!));
  }
  // Most of it is waiting, so they are played side by side.
  const rows = (await Promise.all(groups.map((each) => playGroup(env, folder, each, calm.get(each.product)!)))).flat();
  const order = cases.map(({ name }) => name);
  return rows.toSorted((a, b) => order.indexOf(a.fault) - order.indexOf(b.fault));
}

/** A storm is one event: there is no tenth of it. */
function isFew({ pauses, fault }: FaultCase, placement: Placement): boolean {
  const isStorm = fault !== 'refused' && fault.kind === 'storm';
  return placement !== '10 % of requests' || (pauses && !isStorm);
}

function isMany({ pauses }: FaultCase, placement: Placement): boolean {
  return placement === '10 % of requests' && !pauses;
}

/** Gives each case days of its own, one after the other. */
function plays(list: readonly { fault: FaultCase; at: Placement }[]): Play[] {
  let next = FIRST_DAY;
  return list.map(({ fault, at }) => {
    const count = at === '10 % of requests' && fault.pauses ? DAYS_FOR_PAUSES : 1;
    const days = Array.from({ length: count }, (_, index) => addDays(next, index));
    next = addDays(next, count);
    return { fault, placement: at, days };
  });
}

/** An undisturbed run of all days that some group has. */
async function playCalm(
  env: TestWorkflowEnvironment,
  parent: string,
  product: Group['product'],
  last: Day,
): Promise<PlayedRange> {
  const simulator = await startSimulator({ tiny: true });
  try {
    const [{ setting }] = faultCases(false) as [FaultCase];
    const folder = await subfolder(parent, `calm ${product}`);
    return await playRange(env, {
      folder,
      url: simulator.url,
      product,
      first: FIRST_DAY,
      last,
      setting,
      concurrency: 8,
    });
  } finally {
    await simulator.close();
  }
}

async function playGroup(
  env: TestWorkflowEnvironment,
  parent: string,
  { product, setting, group }: Group,
  calm: PlayedRange,
): Promise<MatrixRow[]> {
  const simulator = await startSimulator({ tiny: true, logLength: 100_000, cooldownGraceMs: GRACE_MS });
  const door = await startDoor(simulator.port);
  try {
    simulator.setFaults({ seed: SEED, rules: group.flatMap(rulesOf) });
    const moments = group.flatMap(closings);
    door.closeAt(moments);
    const days = group.flatMap((play) => play.days);
    const folder = await subfolder(parent, `${setting.name} ${product}`);
    const range = { folder, url: door.url, product, first: days[0]!, last: days.at(-1)!, setting, concurrency: 1 };
    const disturbed = await playRange(env, range);
    if (door.shut() !== moments.length) throw new Error(`The door was shut ${door.shut()} times of ${moments.length}.`);
    return group.map((play) => judge(play, calm, disturbed, simulator.requests()));
  } finally {
    await door.stop();
    await simulator.close();
  }
}

async function subfolder(parent: string, name: string): Promise<string> {
  const folder = join(parent, name.replaceAll(/[ /]/g, '-'));
  await mkdir(folder, { recursive: true });
  return folder;
}

function rulesOf({ fault: { fault }, placement, days }: Play): Rule[] {
  if (fault === 'refused') return [];
  if (placement === '10 % of requests') {
    return days.map((day) => ({ match: { day, fraction: 0.1, firstAttempts: 2 }, fault }));
  }
  return [{ match: { day: days[0]!, slice: SLICE_AT[placement], firstAttempts: 1 }, fault, times: 1 }];
}

const SLICE_AT = { 'first slice': 0, 'middle slice': 2, 'last slice': -1 } as const;

/** Before which requests of the source the port is closed: the first, third and last of a day, or some of all. */
function closings({ fault: { fault }, placement, days }: Play): { day: Day; slice: number }[] {
  if (fault !== 'refused') return [];
  if (placement === '10 % of requests') return [0, 2, 5].map((index) => ({ day: days[index]!, slice: index % 4 }));
  return [{ day: days[0]!, slice: { 'first slice': 0, 'middle slice': 2, 'last slice': 3 }[placement] }];
}

function judge(play: Play, calm: PlayedRange, disturbed: PlayedRange, log: readonly RequestRecord[]): MatrixRow {
  const wrong: string[] = [];
  for (const day of play.days) {
    const [expected, found] = [calm.days.get(day), disturbed.days.get(day)];
    if (found?.facts.build?.status !== 'PROCESSED') wrong.push(`${day} ended as ${found?.facts.download?.status}`);
    else if (expected?.productSha256 == null || found.productSha256 !== expected.productSha256) {
      wrong.push(`${day} has another product`);
    }
  }
  const days = new Set<string>(play.days);
  const requests = log.filter(({ endpoint, range }) => endpoint === 'data' && days.has(range?.slice(0, 10) ?? ''));
  const asked = new Map<string, number>();
  for (const { range = '' } of requests) asked.set(range, (asked.get(range) ?? 0) + 1);
  const failed = new Set(requests.filter(({ fault }) => fault !== undefined).map(({ range = '' }) => range));
  const again = [...asked].filter(([, times]) => times > 1).map(([range]) => range);
  return {
    fault: play.fault.name,
    placement: play.placement,
    outcome: wrong.length === 0 ? 'complete' : wrong.join('; '),
    requestsSeen: requests.length,
    slices: asked.size,
    slicesFailed: failed.size,
    slicesAskedAgain: again.length,
    askedInVain: again.filter((range) => !failed.has(range)).length,
    begunInCooldown: Math.max(
      requests.filter(({ inCooldown }) => inCooldown).length,
      disturbed.begunInPause.filter((day) => days.has(day)).length,
    ),
  };
}
