import { figure } from '../support/figures.ts';
import type { Figure } from '../support/figures.ts';
import type { Ground } from '../support/ground.ts';

/** The floor by itself; other cases measure it around themselves. */
export async function benchFloor(ground: Ground): Promise<Figure[]> {
  const { cpuS, peakRssMiB, wallS } = await ground.measureFloor();
  return [
    figure('floor', 'wall', wallS, 's'),
    figure('floor', 'CPU', cpuS, 's'),
    figure('floor', 'peak RSS', peakRssMiB, 'MiB'),
  ];
}
