import { describe, expect, test } from 'vitest';
import { firstDayLine, outlookLines, watchFirstDay } from '../../../src/cli/support/estimate.ts';
import type { FirstDayEstimate, Outlook } from '../../../src/cli/support/estimate.ts';
import { addDays } from '../../../src/core/time/day.ts';
import type { Day } from '../../../src/core/time/day.ts';
import type { DayLine } from '../../../src/ledger/reports.ts';
import { DAY, dayLine, progress } from './views.ts';

const NOMINAL = { requests: 2_890, bytes: 6_000_000_000, downloads: 10, builds: 10 };
const WORK = { downloads: 10, builds: 10, uploads: 0, concurrency: 2 };
const OUTLOOK: Outlook = {
  plan: { days: [], limited: false },
  workDays: 10,
  nominal: NOMINAL,
  work: WORK,
  fromHistory: null,
};

test('SAFE-14: requests, disk and time before anything is done; without a history, how there will be one', () => {
  expect(outlookLines({ ...OUTLOOK, workDays: 0 }, 1_000)).toEqual([expect.stringMatching(/^nothing to do/)]);
  const [room, time] = outlookLines(OUTLOOK, 1_000_000_000);
  expect(room).toMatch(/^about 2,890 requests; 5\.\d+ GiB of disk .* free$/);
  expect(time).toContain('run does one day alone first');
  const onlyLooks = { ...WORK, downloads: 0, builds: 0 };
  expect(outlookLines({ ...OUTLOOK, work: onlyLooks }, 1)).toEqual([expect.stringMatching(/^about/)]);
  expect(outlookLines({ ...OUTLOOK, workDays: 9 }, 1)[1]).toContain('--measure-first');
  const known = { knownDays: 4, seconds: { median: 600, upper: 900 }, bytes: { median: 1, upper: 2 } };
  expect(outlookLines({ ...OUTLOOK, fromHistory: known }, 1)[1]).toMatch(/^by the latest 4 days .*10 min.*15 min/);
});

describe('SAFE-14: the first day, done alone, says what the others take', () => {
  const done = { ...progress().totals, done: 1 };

  function watch(planned: readonly Day[], lines: readonly DayLine[]) {
    const told: FirstDayEstimate[] = [];
    const days = planned.map((day) => ({ day, skip: null }));
    const outlook = { ...OUTLOOK, plan: { ...OUTLOOK.plan, days } } as unknown as Outlook;
    const see = watchFirstDay(
      outlook,
      () => Promise.resolve(lines),
      (first) => told.push(first),
    );
    return { told, see };
  }

  test('once, in the order of the plan; a day without data measures nothing', async () => {
    const [second, third] = [addDays(DAY, 1), addDays(DAY, 2)];
    const known = { downloadSeconds: 60, buildSeconds: 20, downloadBytes: 600, productBytes: 40 };
    const others = dayLine({ day: DAY, downloadSeconds: 9_999, buildSeconds: 1, downloadBytes: 1, productBytes: 1 });
    const none = dayLine({ day: third, download: 'SKIPPED_NO_DATA' });
    const { told, see } = watch([third, second, DAY], [others, dayLine({ day: second, ...known }), none]);
    await see(progress({ totals: { ...done, done: 0, noData: 1 } }));
    expect(told).toEqual([]);
    await see(progress({ totals: done }));
    await see(progress({ totals: { ...done, done: 5 } }));
    expect(told).toEqual([
      {
        day: second,
        daysLeft: 9,
        estimate: { knownDays: 1, seconds: { median: 540, upper: 540 }, bytes: { median: 5_760, upper: 5_760 } },
      },
    ]);
    expect(firstDayLine(told[0]!)).toMatch(/^By 2025-09-02, which was done alone: the other 9 days take about 9 min/);
  });

  test('nothing is told once a day has failed, or where the ledger knows nothing: the first day was not alone', async () => {
    const line = dayLine({ downloadSeconds: 60, buildSeconds: 20, downloadBytes: 600, productBytes: 40 });
    const failed = watch([DAY], [line]);
    await failed.see(progress({ failedDays: 1 }));
    await failed.see(progress({ failedDays: 1, totals: done }));
    const unknown = watch([DAY], []);
    await unknown.see(progress({ totals: done }));
    expect([...failed.told, ...unknown.told]).toEqual([]);
  });
});
