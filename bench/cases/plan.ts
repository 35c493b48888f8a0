import { figure } from '../support/figures.ts';
import type { Figure } from '../support/figures.ts';
import type { Ground } from '../support/ground.ts';
import { runProgram } from '../support/processes.ts';

export interface PlanFigures {
  readonly days: number;
  /** Of `attempts`. */
  readonly rows: number;
  readonly ingestS: number;
  /** As many bare inserts, each a transaction, into a table of the same width. */
  readonly insertS: number;
  /** Writing calls of the ledger, each at least one transaction. */
  readonly calls: number;
  readonly telemetryS: number;
  readonly planS: number;
  /** Looking at the same files and no more. */
  readonly statS: number;
  readonly peakRssMiB: number;
}

/** A finished range of ten years: remembered by the ledger, then planned again. */
export async function benchPlan(ground: Ground): Promise<Figure[]> {
  ground.say('a ledger of ten years');
  const found = await runProgram<PlanFigures>('plan-process.ts', [ground.folder('plan')]);
  const { days, rows, calls, ingestS, insertS, telemetryS, planS, statS, peakRssMiB } = found;
  const perSecond = Math.round(calls / ingestS).toLocaleString('en');
  return [
    figure('plan', `${days} finished days planned`, planS, 's', {
      beside: { what: `stat of the ${2 * days} files`, value: statS },
    }),
    figure('plan', `ledger: ${calls} writes of ${days} days (${perSecond}/s)`, ingestS, 's', {
      beside: { what: 'as many bare inserts', value: insertS },
    }),
    figure('plan', `telemetry CSV of ${rows} rows`, telemetryS, 's'),
    figure('plan', 'peak RSS', peakRssMiB, 'MiB'),
  ];
}
