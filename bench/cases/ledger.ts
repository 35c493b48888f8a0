import { figure } from '../support/figures.ts';
import type { Figure } from '../support/figures.ts';
import type { Ground } from '../support/ground.ts';
import { runProgram } from '../support/processes.ts';

export interface LedgerFigures {
  readonly days: number;
  readonly slices: number;
  readonly ingestS: number;
  /** Checkpointed. */
  readonly fileMiB: number;
  readonly peakRssMiB: number;
  /** Median CPU milliseconds of each report, by name. */
  readonly reportsMs: Readonly<Record<string, number>>;
}

const LEAST_ROWS_PER_SECOND = 20_000;
/** 400 MB. */
const MOST_FILE_MIB = 381;
const MOST_REPORT_MS = 100;

/** Ten years of slices taken in at once, and what reports over them cost. */
export async function benchLedger(ground: Ground): Promise<Figure[]> {
  ground.say('ten years of slices in a ledger');
  const found = await runProgram<LedgerFigures>('ledger-process.ts', [ground.folder('ledger')]);
  const { days, slices, ingestS, fileMiB, peakRssMiB, reportsMs } = found;
  const perSecond = Math.round(slices / ingestS).toLocaleString('en');
  const goal = slices / LEAST_ROWS_PER_SECOND;
  return [
    figure('ledger', `${slices} slices of ${days} days, a day a batch (${perSecond}/s)`, ingestS, 's', { goal }),
    figure('ledger', 'file', fileMiB, 'MiB', { goal: MOST_FILE_MIB }),
    figure('ledger', 'peak RSS', peakRssMiB, 'MiB'),
    ...Object.entries(reportsMs).map(([name, ms]) =>
      figure('ledger', `${name}, CPU`, ms, 'ms', { goal: MOST_REPORT_MS }),
    ),
  ];
}
