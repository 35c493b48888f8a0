import { figure } from '../support/figures.ts';
import type { Figure } from '../support/figures.ts';
import type { Ground } from '../support/ground.ts';
import { runProgram } from '../support/processes.ts';

const GOAL_PLAIN = 1.5;
const GOAL_GZIP = 1.3;
const GOAL_SIZE = 0.75;

export interface WriteFigures {
  /** Medians. */
  readonly plainS: number;
  readonly copyS: number;
  readonly gzipS: number;
  readonly zlibS: number;
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
  const { plainS, copyS, gzipS, zlibS, plainBytes, gzipBytes, times } = result;
  const ofTimes = `median of ${times}`;
  return [
    figure('write', `uncompressed, ${ofTimes}`, plainS, 's', {
      beside: { what: 'same bytes written and hashed', value: copyS },
      goal: GOAL_PLAIN,
    }),
    figure('write', `gzip-4, ${ofTimes}`, gzipS, 's', {
      beside: { what: 'zlib.gzip of the same values', value: zlibS },
      goal: GOAL_GZIP,
    }),
    figure('write', 'gzip-4: file', gzipBytes / 2 ** 20, 'MiB', {
      beside: { what: 'uncompressed', value: plainBytes / 2 ** 20 },
      goal: GOAL_SIZE,
    }),
  ];
}
