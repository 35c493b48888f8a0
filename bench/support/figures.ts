/** Figures of a run and how they are shown: each beside what it is held against, as a ratio. */

export type Unit = 's' | 'MiB' | 'ms' | 'events' | 'requests';

export interface Figure {
  readonly case: string;
  readonly measure: string;
  readonly value: number;
  readonly unit: Unit;
  /** What was measured in the same run to hold the value against, in the same unit. */
  readonly beside?: { readonly what: string; readonly value: number };
  /** `value / beside.value`. */
  readonly ratio?: number;
  /** Upper bound that we want to keep: of the ratio where there is one, else of the value. */
  readonly goal?: number;
  readonly met?: boolean;
}

export interface Against {
  readonly beside?: { readonly what: string; readonly value: number };
  readonly goal?: number;
}

export function figure(of: string, measure: string, value: number, unit: Unit, against: Against = {}): Figure {
  const { beside, goal } = against;
  const ratio = beside && value / beside.value;
  return {
    case: of,
    measure,
    value,
    unit,
    ...(beside && { beside }),
    ...(ratio !== undefined && { ratio }),
    ...(goal !== undefined && { goal, met: (ratio ?? value) <= goal }),
  };
}

export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError('No values, no median.');
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** One line per figure, columns aligned. */
export function table(figures: readonly Figure[]): string {
  const rows = figures.map((each) => [
    each.case,
    each.measure,
    amount(each.value, each.unit),
    each.beside ? `${each.beside.what} ${amount(each.beside.value, each.unit)}` : '',
    each.ratio === undefined ? '' : `${each.ratio.toFixed(2)}×`,
    each.goal === undefined
      ? ''
      : `≤ ${each.ratio === undefined ? amount(each.goal, each.unit) : `${Number(each.goal.toFixed(2))}×`}`,
    each.met === undefined ? '' : each.met ? 'met' : 'MISSED',
  ]);
  const all = [['case', 'measure', 'value', 'beside', 'ratio', 'goal', ''], ...rows];
  const widths = all[0]!.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function amount(value: number, unit: Unit): string {
  return `${value.toFixed(unit === 's' ? 2 : value < 10 ? 1 : 0)} ${unit}`;
}
