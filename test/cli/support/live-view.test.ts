import { describe, expect, test } from 'vitest';
import { createLiveView, renderScreen } from '../../../src/cli/support/live-view.ts';
import type { RangeView } from '../../../src/cli/support/follow.ts';
import { parseDay } from '../../../src/core/time/day.ts';
import { DAY, activity, progress, totals } from './views.ts';

/** Too narrow for a calendar, wide enough for every line. */
const renderBars = (view: RangeView): string =>
  renderScreen(view, [], { columns: 500, rows: 1 }, Date.parse('2025-11-21T05:00:00Z'), (text) => text);

const SECOND = parseDay('2025-09-02');
const EMPTY = '░'.repeat(24);
const HALF = '█'.repeat(12) + '░'.repeat(12);

describe('bars: a line for the range and one for each day under way', () => {
  test('of a failure the cause is told, not what it means for the pass', () => {
    const lastFailure = 'Several in a row failed; the next try is in 10 s. The latest failure: HTTP 503 of udl.example';
    const text = renderBars({ progress: progress(), days: [activity({ attempt: 2, lastFailure })] });
    expect(text).toContain('attempt 2 · HTTP 503 of udl.example');
  });

  test('at the start', () => {
    expect(renderBars({ progress: progress({ state: 'Planning' }), days: [] })).toBe(`Planning  ${EMPTY}  0/30 days`);
  });

  test('in the middle of it', () => {
    const view = {
      progress: progress({
        settledDays: 15,
        unsettledDays: 15,
        failedDays: 2,
        running: [DAY, SECOND],
        totals: totals({ done: 12, noData: 1, records: 13_271_040, busySeconds: 1_300 }),
      }),
      days: [
        activity({
          heartbeat: { phase: 'slices', done: 144, total: 288, records: 552_960, bytes: 10 * 1_048_576, rate: 5 },
        }),
        activity({ day: SECOND, stage: 'build', heartbeat: { phase: 'reading', done: 1, total: 2 } }),
      ],
    };
    expect(renderBars(view)).toBe(
      [
        `Running  ${HALF}  15/30 days · 1 without data · 2 failed · 13,271,040 records · about 13 min left`,
        `  2025-09-01  ${HALF}  download · 144/288 slices · 552,960 records · 10.0 MiB · 5.0 req/s`,
        `  2025-09-02  ${HALF}  build    · reading`,
      ].join('\n'),
    );
  });

  test('a day that waits says until when and why; one that failed says so', () => {
    const waiting = { until: '2025-11-21T05:06:07.000Z', why: 'the source asked for a pause' };
    const days = [
      activity({ heartbeat: { phase: 'slices', done: 0, total: 288, rate: 2.5, waiting } }),
      activity({ attempt: 3, lastFailure: 'x'.repeat(200), nextTryAt: '2025-11-21T05:06:37.000Z' }),
      activity({ day: SECOND, stage: null }),
    ];
    const [, first, second, third] = renderBars({ progress: progress(), days }).split('\n');
    expect(first).toBe(
      `  2025-09-01  ${EMPTY}  download · 0/288 slices · 2.5 req/s · waiting until 05:06:07Z: the source asked for a pause`,
    );
    expect(second).toBe(`  2025-09-01  ${EMPTY}  download · attempt 3 · ${'x'.repeat(100)} · again at 05:06:37Z`);
    expect(third).toBe(`  2025-09-02  ${EMPTY}  starting`);
  });

  test.for([40, 42, 48, 56, 80])(
    '%i columns: no line is wider, and of each day stage and progress are told',
    (columns) => {
      const heartbeat = { phase: 'slices', done: 144, total: 288, records: 552_960, rate: 5 } as const;
      const view = { progress: progress({ running: [DAY] }), days: [activity({ heartbeat })] };
      const lines = renderScreen(view, [], { columns, rows: 40 }, 0, (text) => text).split('\n');
      for (const line of lines) expect(line.length).toBeLessThanOrEqual(columns);
      expect(lines.at(-1)).toMatch(/ 2025-09-01 {2}█+░+ {2}download · 144/);
      expect(lines.some((line) => line.startsWith('  2025-09  '))).toBe(columns >= 42);
    },
  );

  test('a pause stands below', () => {
    const pause = { by: 'source', reason: 'It failed.' } as const;
    const text = renderBars({ progress: progress({ state: 'NeedsAttention', pause }), days: [] });
    expect(text.split('\n').at(-1)).toBe('  paused by the source: It failed.');
  });

  test('NO_COLOR: there is no escape sequence in any of it', () => {
    const text = renderBars({ progress: progress({ running: [DAY] }), days: [activity()] });
    // eslint-disable-next-line no-control-regex
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
  });
});

describe('plain lines', () => {
  test('one when something changed that a log should keep, none otherwise, no bars', () => {
    const lines: string[] = [];
    const view = createLiveView('lines', (line) => lines.push(line));
    const first = { progress: progress({ running: [DAY] }), days: [activity()] };
    view.show(first);
    expect(lines.splice(0)).toEqual(['2025-09-01  download', 'Running  0/30 days']);
    view.show(first);
    view.show({ ...first, days: [activity({ heartbeat: { phase: 'slices', done: 9, total: 288 } })] });
    expect(lines.splice(0)).toEqual([]);
    view.show({ ...first, days: [activity({ stage: 'build' })] });
    expect(lines.splice(0)).toEqual(['2025-09-01  build']);
    const pause = { by: 'operator', reason: 'lunch' } as const;
    view.show({ progress: progress({ state: 'Paused', settledDays: 1, pause }), days: [] });
    expect(lines).toEqual(['Paused  1/30 days', 'paused by the operator: lunch']);
    view.end();
  });

  test('JSON: one object a look', () => {
    const lines: string[] = [];
    const view = createLiveView('json', (line) => lines.push(line));
    view.show({ progress: progress(), days: [activity()] });
    view.end();
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      { type: 'progress', progress: progress(), days: [activity()] },
    ]);
  });

  test('none: nothing', () => {
    const lines: string[] = [];
    createLiveView('none', (line) => lines.push(line)).show({ progress: progress(), days: [] });
    expect(lines).toEqual([]);
  });
});
