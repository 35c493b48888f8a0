import { join } from 'node:path';
import { PROFILES } from '../../src/core/backfill/types.ts';
import { figure } from '../support/figures.ts';
import type { Figure } from '../support/figures.ts';
import type { BuildFigures, Ground } from '../support/ground.ts';
import { runProgram } from '../support/processes.ts';

const GOAL_WALL = 0.8;
const GOAL_RSS_MIB = 300;
const GOAL_DELAY_MS = 100;
/** Stands for the hash on record: size and time of the file are what is compared. */
const ANY_HASH = '0'.repeat(64);

/**
 * CSV to CDF of a full day in a fresh process, both profiles: of a file whose hash is on record since its download, as the
 * program builds it, and of one that must be hashed too.
 */
export async function benchBuild(ground: Ground): Promise<Figure[]> {
  const input = await ground.dayFile();
  const folder = ground.folder('build');
  const { result, floor } = await ground.betweenFloors(async () => {
    const built = [];
    for (const profile of PROFILES) {
      ground.say(`building with the profile ${profile}`);
      const output = join(folder, `${profile}.cdf`);
      const build = (...hash: string[]): Promise<BuildFigures> =>
        runProgram<BuildFigures>('build-process.ts', [input, output, profile, ...hash]);
      const { wallS: hashedToo } = await build();
      built.push({ profile, hashedToo, ...(await build(ANY_HASH)) });
    }
    return built;
  });
  ground.keepProduct(join(folder, 'parity.cdf'));
  return result.flatMap(({ profile, hashedToo, wallS, cpuS, peakRssMiB, longestDelayMs, sizeBytes }) => [
    figure('build', `${profile}: wall`, wallS, 's', { beside: { what: 'floor', value: floor.wallS }, goal: GOAL_WALL }),
    figure('build', `${profile}: wall, of a file that no record knows`, hashedToo, 's', {
      beside: { what: 'floor', value: floor.wallS },
    }),
    figure('build', `${profile}: CPU`, cpuS, 's', { beside: { what: 'floor', value: floor.cpuS } }),
    figure('build', `${profile}: peak RSS`, peakRssMiB, 'MiB', { goal: GOAL_RSS_MIB }),
    figure('build', `${profile}: longest event-loop delay`, longestDelayMs, 'ms', { goal: GOAL_DELAY_MS }),
    figure('build', `${profile}: file`, sizeBytes / 2 ** 20, 'MiB'),
  ]);
}
