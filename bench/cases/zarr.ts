import { statSync } from 'node:fs';
import { join } from 'node:path';
import { figure } from '../support/figures.ts';
import type { Figure } from '../support/figures.ts';
import type { BuildFigures, Ground } from '../support/ground.ts';
import { runProgram } from '../support/processes.ts';

const GOAL_LENGTH = 1.2;
const GOAL_SIZE = 1.05;

interface ZarrFigures {
  readonly times: number;
  readonly shortCpuS: number;
  readonly longCpuS: number;
  readonly shortWallS: number;
  readonly longWallS: number;
  /** Objects of the day. */
  readonly dayBytes: number;
}

/** A day more in a Zarr store of ten days and in one of ten years. */
export async function benchZarr(ground: Ground): Promise<Figure[]> {
  const product = join(ground.folder('zarr-product'), 'day.cdf');
  const [day = ''] = ground.days;
  await runProgram<BuildFigures>('build-process.ts', [await ground.dayFile(), product, 'istp']);
  ground.say('adding a day to Zarr stores');
  const result = await runProgram<ZarrFigures>('zarr-process.ts', [product, day, ground.folder('zarr')]);
  const { times, shortCpuS, longCpuS, shortWallS, longWallS, dayBytes } = result;
  const ofTimes = `median of ${times}`;
  return [
    figure('zarr', `a day into ten years: wall, ${ofTimes}`, longWallS, 's', {
      beside: { what: 'into ten days', value: shortWallS },
      goal: GOAL_LENGTH,
    }),
    figure('zarr', `a day into ten years: CPU, ${ofTimes}`, longCpuS, 's', {
      beside: { what: 'into ten days', value: shortCpuS },
      goal: GOAL_LENGTH,
    }),
    figure('zarr', 'a day in the store', dayBytes / 2 ** 20, 'MiB', {
      beside: { what: 'its gzip CDF', value: statSync(product).size / 2 ** 20 },
      goal: GOAL_SIZE,
    }),
  ];
}
