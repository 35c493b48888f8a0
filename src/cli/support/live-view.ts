/**
 * How a run shows itself while it goes: a bar per running day on a terminal, plain lines elsewhere, JSON lines with --json.
 */
import logUpdate from 'log-update';
import type { DayActivity } from '../../client.ts';
import { estimatedMinutesLeft } from '../../core/report/range-details.ts';
import type { RangeView } from './follow.ts';
import { formatBar, formatBytes, formatCount } from './format.ts';

export interface LiveView {
  readonly show: (view: RangeView) => void;
  /** Frees the terminal: the summary says what the last view did. */
  readonly end: () => void;
}

/** @param mode - `bars` on a terminal, `lines` for logs and pipes, `json` for programs, `none` for silence */
export function createLiveView(mode: 'bars' | 'lines' | 'json' | 'none', write: (line: string) => void): LiveView {
  switch (mode) {
    case 'bars':
      return { show: (view) => logUpdate(renderBars(view)), end: () => logUpdate.clear() };
    case 'lines':
      return lineView(write);
    case 'json':
      return { show: (view) => write(JSON.stringify({ type: 'progress', ...view })), end: () => undefined };
    case 'none':
      return { show: () => undefined, end: () => undefined };
  }
}

const BAR_WIDTH = 24;

export function renderBars(view: RangeView): string {
  return [headline(view), ...view.days.map(dayLine), ...pauseLines(view)].join('\n');
}

function headline({ progress }: RangeView): string {
  const { totals } = progress;
  const minutes = estimatedMinutesLeft(progress);
  const parts = [
    `${progress.settledDays}/${progress.totalDays} days`,
    totals.noData > 0 ? `${totals.noData} without data` : '',
    progress.failedDays > 0 ? `${progress.failedDays} failed` : '',
    totals.records > 0 ? `${formatCount(totals.records)} records` : '',
    minutes === null ? '' : `about ${minutes < 1 ? '1' : Math.round(minutes)} min left`,
  ];
  return `${progress.state}  ${formatBar(progress.settledDays / progress.totalDays, BAR_WIDTH)}  ${parts.filter(Boolean).join(' · ')}`;
}

function dayLine({ day, stage, heartbeat, attempt, lastFailure, nextTryAt }: DayActivity): string {
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
    attempt > 1 && lastFailure ? lastFailure.slice(0, 80) : '',
    nextTryAt ? `again at ${nextTryAt.slice(11, 19)}Z` : '',
  ];
  return `  ${day}  ${formatBar(share, BAR_WIDTH)}  ${parts.filter(Boolean).join(' · ')}`;
}

function pauseLines({ progress }: RangeView): string[] {
  if (progress.pause) return [`  paused by the ${progress.pause.by}: ${progress.pause.reason}`];
  // Absent in the answers of ranges whose worker is of an earlier version.
  const { cooldown } = progress as Partial<RangeView['progress']>;
  return cooldown ? [`  waiting until ${cooldown.until.slice(0, 19)}Z: ${cooldown.why}`] : [];
}

/** One line when something changed that a log should keep: a day's stage, counts, pause. Every 30 s a sign of life. */
function lineView(write: (line: string) => void): LiveView {
  let lastHead = '';
  let lastLifeMs = 0;
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
    end: () => undefined,
  };
}
