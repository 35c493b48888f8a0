import { readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Day } from '../../src/core/time/day.ts';
import { ensurePython } from '../../test/support/python.ts';
import { copyDays } from '../support/day-copies.ts';
import { figure, median } from '../support/figures.ts';
import type { Figure } from '../support/figures.ts';
import type { Ground } from '../support/ground.ts';
import { run, runProgram } from '../support/processes.ts';
import { MEMORY_SETTINGS } from '../support/memory-settings.ts';

const SCRIPT = fileURLToPath(new URL('../python/zarr_by_xarray.py', import.meta.url));
const TIMES = 3;
const GOAL = 1 / 5;
/** The store here has a little more: what each day was taken from. */
const SAME_SIZE = 0.01;

interface BuildCost {
  readonly wallS: number;
  readonly cpuS: number;
  /** Of ours alone. */
  readonly peakRssMiB?: number;
}

type Costs = Record<'ours' | 'ordinary' | 'tuned', BuildCost[]>;

/** The same store from the same products: by a sync, and by xarray in its ordinary way and in a tuned one; in turn. */
export async function benchZarrBuild(ground: Ground): Promise<Figure[]> {
  const folder = ground.folder('zarr-build');
  ground.say(`making ${ground.zarrDays} products`);
  const days = await copyDays(
    await ground.product(),
    ground.days[0] as Day,
    ground.zarrDays,
    ground.folder('zarr-days'),
  );
  const list = join(folder, 'days.json');
  writeFileSync(list, JSON.stringify(days));
  const python = await ensurePython();
  const paths = days.map(({ path }) => path);
  const ways: Record<keyof Costs, (store: string) => Promise<BuildCost>> = {
    ours: async (store) => await runProgram<BuildCost>('zarr-build-process.ts', [list, store], MEMORY_SETTINGS),
    ordinary: async (store) => await byXarray(python, 'ordinary', store, paths),
    tuned: async (store) => await byXarray(python, 'tuned', store, paths),
  };
  const costs: Costs = { ours: [], ordinary: [], tuned: [] };
  for (let time = 0; time < TIMES; time++) {
    const sizes: number[] = [];
    for (const [way, build] of Object.entries(ways) as [keyof Costs, (typeof ways)[keyof Costs]][]) {
      ground.say(`a Zarr store of ${days.length} days: ${way}`);
      const store = join(folder, `${way}.zarr`);
      costs[way].push(await build(store));
      sizes.push(sizeOf(store));
      rmSync(store, { recursive: true });
    }
    if (Math.max(...sizes) > (1 + SAME_SIZE) * Math.min(...sizes)) {
      throw new Error(`Not the same store: ${sizes.join(', ')} bytes.`);
    }
  }
  return figures(costs, days.length);
}

function figures({ ours, ordinary, tuned }: Costs, days: number): Figure[] {
  const perDay = (costs: readonly BuildCost[], of: 'wallS' | 'cpuS'): number =>
    median(costs.map((cost) => cost[of])) / days;
  const measure = (of: 'wallS' | 'cpuS', other: readonly BuildCost[], what: string, goal?: number): Figure =>
    figure(
      'zarr-build',
      `${days} days: ${of === 'wallS' ? 'wall' : 'CPU'} per day, median of ${TIMES}`,
      perDay(ours, of),
      's',
      {
        beside: { what, value: perDay(other, of) },
        ...(goal !== undefined && { goal }),
      },
    );
  return [
    measure('wallS', ordinary, 'xarray, day by day', GOAL),
    measure('wallS', tuned, 'xarray, tuned'),
    measure('cpuS', ordinary, 'xarray, day by day'),
    measure('cpuS', tuned, 'xarray, tuned'),
    figure('zarr-build', `${days} days: peak RSS`, Math.max(...ours.map(({ peakRssMiB = 0 }) => peakRssMiB)), 'MiB'),
  ];
}

async function byXarray(python: string, way: string, store: string, paths: readonly string[]): Promise<BuildCost> {
  const { stdout } = await run(python, [SCRIPT, way, store, ...paths]);
  return JSON.parse(stdout) as BuildCost;
}

function sizeOf(folder: string): number {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries.reduce(
    (sum, entry) => sum + (entry.isFile() ? statSync(join(entry.parentPath, entry.name)).size : 0),
    0,
  );
}
