import type { Day } from '../../src/core/time/day.ts';
import { figure, median } from '../support/figures.ts';
import type { Figure } from '../support/figures.ts';
import type { Ground } from '../support/ground.ts';
import { MEMORY_SETTINGS } from '../support/memory-settings.ts';
import { runProgram } from '../support/processes.ts';

const GOAL = 1.2;
/** Syncs that one point of the curve is the median of. */
const PER_POINT = 10;
const POINTS = 6;

export interface SyncCost {
  readonly wallS: number;
  readonly cpuS: number;
  readonly requests: number;
  readonly writtenBytes: number;
}

/** A store synced day by day: what a sync costs as the store grows. */
export async function benchZarrYear(ground: Ground): Promise<Figure[]> {
  const { yearDays: count } = ground;
  const product = await ground.product();
  ground.say(`${count} syncs of a full day each`);
  const args = [product, ground.days[0] as Day, String(count), ground.folder('zarr-year')];
  // The first sync makes the store.
  const costs = (await runProgram<SyncCost[]>('zarr-year-process.ts', args, MEMORY_SETTINGS)).slice(1);
  const span = Math.min(PER_POINT, Math.floor(costs.length / 2));
  const starts = Array.from({ length: POINTS }, (_, i) => Math.round((i / (POINTS - 1)) * (costs.length - span)));
  const [first, ...later] = [...new Set(starts)].map((start) => point(costs, start, span));
  return later.flatMap((at, i) => {
    const goal = i === later.length - 1 ? { goal: GOAL } : {};
    const of = (what: string): string => `${at.name}: ${what}, median of ${span}`;
    return [
      figure('zarr-year', of('wall'), at.wallS, 's', { beside: { what: first!.name, value: first!.wallS }, ...goal }),
      figure('zarr-year', of('CPU'), at.cpuS, 's', { beside: { what: first!.name, value: first!.cpuS }, ...goal }),
      figure('zarr-year', of('written'), at.mib, 'MiB', { beside: { what: first!.name, value: first!.mib }, ...goal }),
      figure('zarr-year', of('requests'), at.requests, 'requests', {
        beside: { what: first!.name, value: first!.requests },
        ...goal,
      }),
    ];
  });
}

function point(costs: readonly SyncCost[], start: number, span: number) {
  const some = costs.slice(start, start + span);
  return {
    // The first of `costs` is the store's second day.
    name: `days ${start + 2} to ${start + span + 1}`,
    wallS: median(some.map(({ wallS }) => wallS)),
    cpuS: median(some.map(({ cpuS }) => cpuS)),
    mib: median(some.map(({ writtenBytes }) => writtenBytes)) / 2 ** 20,
    requests: median(some.map(({ requests }) => requests)),
  };
}
