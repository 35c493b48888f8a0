import { describe, expect, test } from 'vitest';
import { calendarLines, dayStates, visibleDays } from '../../../src/cli/support/calendar.ts';
import { renderScreen } from '../../../src/cli/support/live-view.ts';
import { daysBetween, parseDay } from '../../../src/core/time/day.ts';
import type { DayLine } from '../../../src/ledger/reports.ts';
import { activity, DAY, progress } from './views.ts';

const day = parseDay;
const plain = (text: string): string => text;
const NOW = Date.parse('2025-11-21T05:00:00Z');

function line(date: string, changes: Partial<DayLine>): DayLine {
  return { day: day(date), download: null, build: null, upload: null, ...changes } as DayLine;
}

describe('calendar of a range', () => {
  test('a row for each month, a cell for each day, told apart without colours', () => {
    const lines = [
      line('2025-09-29', { download: 'DOWNLOADED', build: 'PROCESSED' }),
      line('2025-09-30', { download: 'SKIPPED_NO_DATA' }),
      line('2025-10-01', { download: 'FAILED' }),
      line('2025-10-02', { download: 'DOWNLOADED' }),
      line('2025-10-03', { download: 'FAILED' }),
    ];
    const at = progress({ first: day('2025-09-29'), last: day('2025-10-04'), running: [day('2025-10-03')] });
    expect(calendarLines(dayStates(at, lines), at.first, at.last, plain)).toEqual([
      `  2025-09  ${' '.repeat(28)}█·`,
      '  2025-10  x░▶░',
    ]);
  });

  test('what counts as done depends on what was asked for', () => {
    const lines = [line('2025-09-01', { download: 'DOWNLOADED', build: 'PROCESSED' })];
    const { options } = progress();
    const stateOf = (changes: Partial<typeof options>) =>
      dayStates(progress({ options: { ...options, ...changes } }), lines).get(DAY);
    expect(stateOf({ mode: 'download' })).toBe('done');
    expect(stateOf({})).toBe('done');
    expect(stateOf({ uploadTo: 's3://bucket' })).toBeUndefined();
  });

  test.each([1, 3, 12, 24])('a long range shows at most %i months, the one at work among them', (months) => {
    for (const running of ['2016-01-15', '2020-02-29', '2025-12-31']) {
      const at = progress({ first: day('2016-01-15'), last: day('2025-12-31'), running: [day(running)] });
      const { first, last } = visibleDays(at, months);
      const shown = daysBetween(first, last);
      expect(shown).toContain(day(running));
      expect(new Set(shown.map((each) => each.slice(0, 7))).size).toBeLessThanOrEqual(months);
      expect(first >= at.first && last <= at.last).toBe(true);
    }
  });

  test('before its first day a long range shows where it begins: newest first, the end', () => {
    const at = (changes: object) => progress({ first: day('2016-01-15'), last: day('2025-12-31'), ...changes });
    expect(visibleDays(at({}), 2).first).toBe('2016-01-15');
    const { options } = progress();
    expect(visibleDays(at({ options: { ...options, newestFirst: true } }), 2).last).toBe('2025-12-31');
  });

  test.each([40, 60, 200])('on a terminal of %i columns no line is wider; a short one has no calendar', (columns) => {
    const failure = { stage: 'download', kind: 'slice_exhausted', message: 'm'.repeat(300) } as const;
    const view = {
      progress: progress({
        running: [DAY],
        failedDays: 5,
        recentFailures: ['02', '03', '04', '05', '06'].map((d) => ({ ...failure, day: day(`2025-09-${d}`) })),
        cooldown: { until: '2025-11-21T05:00:34.000Z', why: 'Retry-After', waitMs: 34_000 } as never,
      }),
      days: [activity({ lastFailure: 'x'.repeat(300), attempt: 2 })],
    };
    const tall = renderScreen(view, [], { columns, rows: 50 }, NOW, plain).split('\n');
    expect(Math.max(...tall.map((each) => each.length))).toBeLessThanOrEqual(columns);
    expect(tall.filter((each) => each.includes('slice_exh') || each.includes('download: m'))).toHaveLength(3);
    expect(tall.some((each) => each.includes('2025-09  ▶xxxxx'))).toBe(columns >= 48);
    const short = renderScreen(view, [], { columns, rows: 12 }, NOW, plain);
    expect(short).not.toContain('2025-09  ▶');
    expect(renderScreen(view, [], { columns: 200, rows: 50 }, NOW, plain)).toContain('(34 s left)');
  });
});
