/** Views and results of a range with everything zero, to be changed where a test looks. */
import type { DayActivity } from '../../../src/client.ts';
import type { RangeProgress, RangeResult } from '../../../src/core/backfill/range-progress.ts';
import type { RangeTotals } from '../../../src/core/backfill/range-state.ts';
import type { DayLine } from '../../../src/ledger/reports.ts';
import { parseDay } from '../../../src/core/time/day.ts';

export const DAY = parseDay('2025-09-01');
export const LAST = parseDay('2025-09-30');

export function totals(changes: Partial<RangeTotals> = {}): RangeTotals {
  return {
    done: 0,
    noData: 0,
    skipped: { existing: 0, noData: 0, failed: 0, noInput: 0 },
    stages: { download: 0, count: 0, build: 0, upload: 0 },
    records: 0,
    downloadBytes: 0,
    productBytes: 0,
    requests: 0,
    busySeconds: 0,
    ...changes,
  };
}

export function progress(changes: Partial<RangeProgress> = {}): RangeProgress {
  return {
    runId: 'the-open-run',
    product: 'reach-all/quicklook',
    first: DAY,
    last: LAST,
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
    settledDays: 0,
    unsettledDays: 30,
    totals: totals(),
    running: [],
    queued: 0,
    elsewhere: [],
    failedDays: 0,
    recentFailures: [],
    pause: null,
    cooldown: null,
    concurrency: 2,
    ...changes,
  };
}

export function result(changes: Partial<RangeResult> = {}): RangeResult {
  return {
    mode: 'run',
    runId: 'run-1',
    product: 'reach-all/quicklook',
    first: DAY,
    last: LAST,
    totals: totals(),
    failedDays: 0,
    failures: [],
    stopped: null,
    notAttempted: 0,
    ...changes,
  };
}

export function activity(changes: Partial<DayActivity> = {}): DayActivity {
  return { day: DAY, stage: 'download', attempt: 1, heartbeat: null, lastFailure: null, nextTryAt: null, ...changes };
}

export function dayLine(changes: Partial<DayLine>): DayLine {
  return {
    product: 'reach-all/quicklook',
    day: DAY,
    download: null,
    build: null,
    upload: null,
    records: null,
    availabilityPct: null,
    downloadBytes: null,
    downloadSeconds: null,
    productBytes: null,
    productPath: null,
    buildSeconds: null,
    uploadSeconds: null,
    destination: null,
    deliveredKey: null,
    check: null,
    checkReason: null,
    ...changes,
  } as DayLine;
}
