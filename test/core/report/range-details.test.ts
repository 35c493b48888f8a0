import { describe, expect, test } from 'vitest';
import type { RangeProgress } from '../../../src/core/backfill/range-progress.ts';
import { estimatedMinutesLeft, rangeDetails } from '../../../src/core/report/range-details.ts';
import { parseDay } from '../../../src/core/time/day.ts';

const DAY = parseDay('2025-09-01');

function progress(changes: Partial<RangeProgress> = {}, totals: Partial<RangeProgress['totals']> = {}): RangeProgress {
  return {
    runId: 'run-1',
    product: 'reach-all/quicklook',
    first: DAY,
    last: parseDay('2025-09-30'),
    options: {
      mode: 'run',
      retryFailed: false,
      uploadTo: null,
      profile: 'parity',
      sliceMode: 'half-open',
      limitDays: null,
    },
    state: 'Running',
    totalDays: 30,
    settledDays: 10,
    unsettledDays: 20,
    totals: {
      done: 8,
      noData: 2,
      skipped: { existing: 1, noData: 2, failed: 3, noInput: 4 },
      stages: { download: 10, count: 8, build: 8, upload: 0 },
      records: 1_234_567,
      downloadBytes: 0,
      productBytes: 0,
      requests: 2_880,
      busySeconds: 600,
      ...totals,
    },
    running: [],
    queued: 5,
    elsewhere: [],
    failedDays: 0,
    recentFailures: [],
    pause: null,
    cooldown: null,
    concurrency: 2,
    ...changes,
  };
}

describe('the estimate of what is left', () => {
  test.for<[string, RangeProgress, number | null]>([
    ['ten days took 60 s each, twenty are left, two at once', progress(), 10],
    ['nothing is finished yet', progress({}, { done: 0, noData: 0 }), null],
    ['nothing is left', progress({ unsettledDays: 0 }), null],
    ['days that a limit cut off are not waited for', progress({ settledDays: 10, unsettledDays: 2 }), 1],
  ])('%s', ([, of, minutes]) => {
    expect(estimatedMinutesLeft(of)).toBe(minutes);
  });
});

describe('what the web UI shows of a range', () => {
  test('counts, estimate and what runs', () => {
    const text = rangeDetails(progress({ running: [DAY, parseDay('2025-09-02')], failedDays: 1 }));
    expect(text).toBe(
      [
        '**Running**: days are under way. 10 of 30 days settled, about 10 min left',
        '',
        'Days: **8** done · **2** without data · **10** with nothing to do · **1** failed · **2** running · **5** queued',
        '',
        'Records: 1,234,567 · requests: 2,880 · days at once: 2',
        '',
        'Running: 2025-09-01, 2025-09-02',
      ].join('\n'),
    );
  });

  test('an estimate is at least a minute', () => {
    expect(rangeDetails(progress({}, { busySeconds: 1 }))).toContain('about 1 min left');
  });

  test('a pause says who, why, what to do and how to go on', () => {
    const pause = { by: 'source', reason: 'It failed 30 times in a row.', hint: 'Look at its status page.' } as const;
    const text = rangeDetails(progress({ state: 'NeedsAttention', pause }));
    expect(text).toContain('**Paused by the source**: It failed 30 times in a row.\nLook at its status page.\n');
    expect(text).toMatch(/signal `resume` to go on, `finish` to end/);
  });

  test('failed days come with stage, message and kind, and with what can be done about them', () => {
    const recentFailures = [{ day: DAY, stage: 'build', kind: 'input_invalid', message: 'No records.' } as const];
    const text = rangeDetails(progress({ failedDays: 1, recentFailures }));
    expect(text).toMatch(/`retryFailedDays` tries them again, `finish` leaves them/);
    expect(text).toContain('- `2025-09-01` build: No records. (input_invalid)');
  });

  test('days of another range are named', () => {
    expect(rangeDetails(progress({ elsewhere: [DAY] }))).toContain('another range to finish: 2025-09-01');
  });

  test('ten failures of the longest kind make a short page', () => {
    const recentFailures = Array.from({ length: 10 }, () => ({
      day: DAY,
      stage: 'download' as const,
      kind: 'slice_exhausted' as const,
      message: 'm'.repeat(300),
    }));
    expect(rangeDetails(progress({ recentFailures })).length).toBeLessThan(5_000);
  });
});
