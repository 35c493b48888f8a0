import { figure } from '../support/figures.ts';
import type { Figure } from '../support/figures.ts';
import type { Ground } from '../support/ground.ts';
import { runProgram } from '../support/processes.ts';

const GOAL_PLAIN = 1.5;
const GOAL_GZIP = 1.3;
const GOAL_SIZE = 0.75;

/** Medians. */
export interface Cost {
  readonly wallS: number;
  /** Of all threads, user and system. */
  readonly cpuS: number;
}

export interface WriteFigures {
  readonly plain: Cost;
  readonly copy: Cost;
  /** With the MD5 in the file; beside it, both hashes of the same bytes. */
  readonly summed: Cost;
  readonly summedCopy: Cost;
  readonly gzip: Cost;
  readonly zlib: Cost;
  readonly plainBytes: number;
  readonly gzipBytes: number;
  /** Resolution of the medians: how many times each was done. */
  readonly times: number;
}

/** The CDF writer alone, on the arrays of a built day. */
export async function benchWrite(ground: Ground): Promise<Figure[]> {
  const product = await ground.product();
  ground.say('writing the arrays of a day');
  const folder = ground.folder('write');
  const result = await runProgram<WriteFigures>('write-process.ts', [product, folder]);
  const { plain, copy, summed, summedCopy, gzip, zlib, plainBytes, gzipBytes, times } = result;
  const pairs = [
    ['uncompressed', plain, 'same bytes written and hashed', copy, GOAL_PLAIN],
    ['uncompressed, with MD5', summed, 'same bytes written, hashed twice', summedCopy, GOAL_PLAIN],
    ['gzip-4', gzip, 'zlib.gzip of the same values', zlib, GOAL_GZIP],
  ] as const;
  return [
    ...pairs.flatMap(([what, cost, floor, floorCost, goal]) => [
      figure('write', `${what}: wall, median of ${times}`, cost.wallS, 's', {
        beside: { what: floor, value: floorCost.wallS },
        goal,
      }),
      figure('write', `${what}: CPU`, cost.cpuS, 's', { beside: { what: floor, value: floorCost.cpuS } }),
    ]),
    figure('write', 'gzip-4: file', gzipBytes / 2 ** 20, 'MiB', {
      beside: { what: 'uncompressed', value: plainBytes / 2 ** 20 },
      goal: GOAL_SIZE,
    }),
  ];
}
