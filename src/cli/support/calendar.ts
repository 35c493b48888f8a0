/** A range as a calendar: a row for each month, a cell for each day. Pure but for the colours, which the caller paints. */
import type { RangeProgress } from '../../core/backfill/range-progress.ts';
import { addDays, daysBetween } from '../../core/time/day.ts';
import type { Day } from '../../core/time/day.ts';
import type { DayLine } from '../../ledger/reports.ts';

export type CellState = 'done' | 'running' | 'failed' | 'noData' | 'waiting';

export type Colour = 'green' | 'cyan' | 'red' | 'gray' | 'yellow';
export type Paint = (text: string, colour: Colour) => string;

/** Told apart without colours too. */
const CELLS: Readonly<Record<CellState, readonly [character: string, colour: Colour, word: string]>> = {
  done: ['█', 'green', 'done'],
  running: ['▶', 'cyan', 'running'],
  failed: ['x', 'red', 'failed'],
  noData: ['·', 'yellow', 'no data'],
  waiting: ['░', 'gray', 'waiting'],
};

/** What the ledger and the range say of each day; days without an entry wait. The range's word is the later one. */
export function dayStates(progress: RangeProgress, lines: readonly DayLine[]): Map<Day, CellState> {
  const { mode, uploadTo } = progress.options;
  const states = new Map<Day, CellState>();
  for (const { day, download, build, upload } of lines) {
    const last = mode === 'download' ? download : uploadTo === null ? build : upload;
    const phases = [download, build, upload];
    if (phases.includes('FAILED')) states.set(day, 'failed');
    else if (download === 'SKIPPED_NO_DATA' || build === 'SKIPPED_NO_INPUT') states.set(day, 'noData');
    else if (last === 'DOWNLOADED' || last === 'PROCESSED' || last === 'UPLOADED') states.set(day, 'done');
  }
  for (const { day } of progress.recentFailures) states.set(day, 'failed');
  for (const day of progress.running) states.set(day, 'running');
  return states;
}

/**
 * The days of at most `months` calendar months of a range, among them the earliest running day, or the end of it when
 * nothing runs: what a short terminal shows of a long range.
 */
export function visibleDays(progress: RangeProgress, months: number): { first: Day; last: Day } {
  const { first, last, options } = progress;
  const [begin, end] = options.newestFirst === true ? [last, first] : [first, last];
  const anchor = progress.running.toSorted()[0] ?? (progress.settledDays === 0 ? begin : end);
  const monthOf = (day: Day): number => Number(day.slice(0, 4)) * 12 + Number(day.slice(5, 7)) - 1;
  const from = Math.max(monthOf(first), Math.min(monthOf(anchor) - (months > 1 ? 1 : 0), monthOf(last) - months + 1));
  const to = Math.min(monthOf(last), from + months - 1);
  const beginOf = (month: number): Day =>
    `${String(Math.floor(month / 12)).padStart(4, '0')}-${String((month % 12) + 1).padStart(2, '0')}-01` as Day;
  const firstShown = beginOf(from) > first ? beginOf(from) : first;
  const lastShown = addDays(beginOf(to + 1), -1);
  return { first: firstShown, last: lastShown < last ? lastShown : last };
}

/** One line for each month of `first..last`, the days at their place in it. */
export function calendarLines(states: ReadonlyMap<Day, CellState>, first: Day, last: Day, paint: Paint): string[] {
  const months = new Map<string, string>();
  for (const day of daysBetween(first, last)) {
    const month = day.slice(0, 7);
    const before = months.get(month) ?? ' '.repeat(Number(day.slice(8)) - 1);
    const [character, colour] = CELLS[states.get(day) ?? 'waiting'];
    months.set(month, before + paint(character, colour));
  }
  return [...months].map(([month, cells]) => `  ${month}  ${cells}`);
}

export function legend(paint: Paint): string {
  return `  ${Object.values(CELLS)
    .map(([character, colour, word]) => `${paint(character, colour)} ${word}`)
    .join('   ')}`;
}
