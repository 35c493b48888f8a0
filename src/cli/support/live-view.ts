/**
 * How a run shows itself while it goes: a bar per running day on a terminal, plain lines elsewhere, JSON lines with --json.
 */
import { styleText } from 'node:util';
import type { DayActivity } from '../../client.ts';
import { estimatedMinutesLeft } from '../../core/report/range-details.ts';
import type { Day } from '../../core/time/day.ts';
import type { DayLine } from '../../ledger/reports.ts';
import { calendarLines, dayStates, legend, visibleDays } from './calendar.ts';
import type { Paint } from './calendar.ts';
import type { RangeView } from './follow.ts';
import { clearScreen, drawScreen } from './screen.ts';
import { formatBar, formatBytes, formatCount } from './format.ts';

export interface LiveView {
  readonly show: (view: RangeView) => void;
  /** The server has not answered for so long. */
  readonly away: (ms: number) => void;
  /** Frees the terminal: the summary says what the last view did. */
  readonly end: () => void;
}

/** What a terminal shows besides the range itself. */
export interface ScreenOptions {
  /** Days as the ledger has them; absent where there is none at hand. */
  readonly dayLines?: (first: Day, last: Day) => Promise<readonly DayLine[]>;
  /** The last line, such as which key leaves. */
  readonly hint?: string;
}

/** @param mode - `bars` on a terminal, `lines` for logs and pipes, `json` for programs, `none` for silence */
export function createLiveView(
  mode: 'bars' | 'lines' | 'json' | 'none',
  write: (line: string) => void,
  screen: ScreenOptions = {},
): LiveView {
  const nothing = { away: () => undefined, end: () => undefined };
  switch (mode) {
    case 'bars':
      return screenView(screen);
    case 'lines':
      return lineView(write);
    case 'json':
      return { ...nothing, show: (view) => write(JSON.stringify({ type: 'progress', ...view })) };
    case 'none':
      return { ...nothing, show: () => undefined };
  }
}

const LEDGER_EVERY_MS = 2_000;
/** Rows for everything but the calendar. */
const OTHER_ROWS = 14;
const MOST_MONTHS = 24;
const FAILURES_SHOWN = 3;

/** Colours unless the terminal or NO_COLOR says otherwise. */
const paintForTerminal: Paint = (text, colour) => styleText(colour, text, { stream: process.stdout });

function screenView({ dayLines, hint }: ScreenOptions): LiveView {
  let lines: readonly DayLine[] = [];
  let readMs = -Infinity;
  let latest: RangeView | null = null;
  const draw = (extra: readonly string[]): void => {
    if (!latest) return;
    const size = { columns: process.stdout.columns || 80, rows: process.stdout.rows || 24 };
    const below = hint === undefined ? extra : [...extra, paintForTerminal(hint, 'gray')];
    drawScreen([renderScreen(latest, lines, size, Date.now(), paintForTerminal), ...below].join('\n'));
  };
  return {
    show(view) {
      latest = view;
      if (dayLines && performance.now() - readMs > LEDGER_EVERY_MS) {
        readMs = performance.now();
        const { first, last } = visibleDays(view.progress, MOST_MONTHS);
        dayLines(first, last).then(
          (read) => (lines = read),
          // The ledger is an addition: what the range says stands without it.
          () => undefined,
        );
      }
      draw([]);
    },
    away: (ms) => draw([`  ${awayText(ms)}`]),
    end: clearScreen,
  };
}

function awayText(ms: number): string {
  return `The server has not answered for ${Math.round(ms / 1_000)} s; trying on.`;
}

/** All of the screen but its last lines; no line is wider than the terminal. */
export function renderScreen(
  view: RangeView,
  lines: readonly DayLine[],
  { columns, rows }: { readonly columns: number; readonly rows: number },
  nowMs: number,
  paint: Paint,
): string {
  const cut = (line: string): string => (line.length > columns ? `${line.slice(0, Math.max(1, columns - 1))}…` : line);
  const { progress, days } = view;
  const months = Math.min(MOST_MONTHS, rows - OTHER_ROWS - days.length);
  const calendar: string[] = [];
  if (months > 0 && columns >= CALENDAR_COLUMNS) {
    const { first, last } = visibleDays(progress, months);
    calendar.push(...calendarLines(dayStates(progress, lines), first, last, paint));
    if (columns >= LEGEND_COLUMNS) calendar.push(legend(paint));
  }
  const barWidth = columns >= WIDE_COLUMNS ? BAR_WIDTH : Math.floor(columns / 8);
  const failures = progress.recentFailures
    .slice(-FAILURES_SHOWN)
    .map(({ day, stage, message, kind }) => `  ${day} ${stage}: ${message} (${kind})`);
  return [
    cut(headline(view, barWidth)),
    ...calendar,
    ...days.map((day) => cut(dayLine(day, barWidth))),
    ...pauseLines(view, nowMs).map((line) => paint(cut(line), 'yellow')),
    ...failures.map((line) => paint(cut(line), 'red')),
  ].join('\n');
}

/** Characters of a failure in a day's line. */
const LONGEST_CAUSE = 100;
const BAR_WIDTH = 24;
/** On narrower terminals a bar would leave no room for what is going on. */
const WIDE_COLUMNS = 72;
/** Of a month of 31 days, and of the line that explains its cells. */
const CALENDAR_COLUMNS = 42;
const LEGEND_COLUMNS = 56;

function headline({ progress }: RangeView, barWidth = BAR_WIDTH): string {
  const { totals } = progress;
  const minutes = estimatedMinutesLeft(progress);
  const parts = [
    `${progress.settledDays}/${progress.totalDays} days`,
    totals.noData > 0 ? `${totals.noData} without data` : '',
    progress.failedDays > 0 ? `${progress.failedDays} failed` : '',
    totals.records > 0 ? `${formatCount(totals.records)} records` : '',
    minutes === null ? '' : `about ${minutes < 1 ? '1' : Math.round(minutes)} min left`,
  ];
  return `${progress.state}  ${formatBar(progress.settledDays / progress.totalDays, barWidth)}  ${parts.filter(Boolean).join(' · ')}`;
}

function dayLine(
  { day, stage, heartbeat, attempt, lastFailure, nextTryAt }: DayActivity,
  barWidth = BAR_WIDTH,
): string {
  const share = heartbeat && heartbeat.total > 0 ? heartbeat.done / heartbeat.total : 0;
  const parts = [
    (stage ?? 'starting').padEnd(8),
    heartbeat && heartbeat.phase === 'slices'
      ? `${heartbeat.done}/${heartbeat.total} slices`
      : (heartbeat?.phase ?? ''),
    heartbeat?.records ? `${formatCount(heartbeat.records)} records` : '',
    heartbeat?.bytes ? formatBytes(heartbeat.bytes) : '',
    heartbeat?.rate ? `${heartbeat.rate.toFixed(1)} req/s` : '',
    heartbeat?.waiting ? `waiting until ${heartbeat.waiting.until.slice(11, 19)}Z: ${heartbeat.waiting.why}` : '',
    attempt > 1 ? `attempt ${attempt}` : '',
    attempt > 1 && lastFailure ? latestCause(lastFailure).slice(0, LONGEST_CAUSE) : '',
    nextTryAt ? `again at ${nextTryAt.slice(11, 19)}Z` : '',
  ];
  return `  ${day}  ${formatBar(share, barWidth)}  ${parts.filter(Boolean).join(' · ')}`;
}

/** What the source said last, where a failure tells it behind what it means for the pass. */
function latestCause(failure: string): string {
  return /the latest failure: (.+)$/is.exec(failure)?.[1] ?? failure;
}

/** @param nowMs - for how long a pause still lasts */
function pauseLines({ progress }: RangeView, nowMs?: number): string[] {
  if (progress.pause) return [`  paused by the ${progress.pause.by}: ${progress.pause.reason}`];
  // Absent in the answers of ranges whose worker is of an earlier version.
  const { cooldown } = progress as Partial<RangeView['progress']>;
  if (!cooldown) return [];
  const left = nowMs === undefined ? Number.NaN : Math.max(0, Math.ceil((Date.parse(cooldown.until) - nowMs) / 1_000));
  const countdown = Number.isNaN(left) ? '' : ` (${left} s left)`;
  return [`  waiting until ${cooldown.until.slice(0, 19)}Z${countdown}: ${cooldown.why}`];
}

/** One line when something changed that a log should keep: a day's stage, counts, pause. Every 30 s a sign of life. */
function lineView(write: (line: string) => void): LiveView {
  let lastHead = '';
  let lastLifeMs = 0;
  let lastAwayMs = 0;
  const stages = new Map<string, string>();
  return {
    show(view) {
      const head = `${view.progress.settledDays} ${view.progress.failedDays} ${view.progress.state}`;
      const alive = Date.now() - lastLifeMs > 30_000;
      for (const day of view.days) {
        if (day.stage === null || (stages.get(day.day) === day.stage && !alive)) continue;
        stages.set(day.day, day.stage);
        write(
          dayLine(day)
            .trim()
            .replace(/ {2}[█░]+ {2}/, '  '),
        );
      }
      if (head !== lastHead || alive) {
        write(headline(view).replace(/ {2}[█░]+ {2}/, '  '));
        for (const line of pauseLines(view)) write(line.trim());
        lastHead = head;
        lastLifeMs = Date.now();
      }
    },
    away(ms) {
      if (Date.now() - lastAwayMs > 30_000) write(awayText(ms));
      lastAwayMs = Date.now() - lastAwayMs > 30_000 ? Date.now() : lastAwayMs;
    },
    end: () => undefined,
  };
}
