import { describe, expect, test } from 'vitest';
import type { DayInput, DayResult } from '../../../src/core/backfill/types.ts';
import { dayDetails } from '../../../src/core/report/day-details.ts';
import { parseDay } from '../../../src/core/time/day.ts';

const day = parseDay('2025-09-01');
const input = {
  day,
  product: 'reach-all/quicklook',
  stages: ['download', 'count', 'build'],
  reason: 'not downloaded yet',
} as unknown as DayInput;
const result: DayResult = { day, outcome: 'done', seconds: 0, stagesDone: [] };

describe('a day in the web UI', () => {
  test('why it has work, which stage is under way, what that may wait for', () => {
    const text = dayDetails(input, { ...result, stagesDone: ['download'], requests: 289, records: 1_105_920 }, 'count');
    expect(text).toContain('**reach-all/quicklook 2025-09-01**. Why it has work: not downloaded yet.');
    expect(text).toMatch(/^- \*\*download\*\* \(done\): asks the source .*wait for the pace/m);
    expect(text).toMatch(/^- \*\*count\*\* \(\*\*under way\*\*\): counts/m);
    expect(text).toMatch(/^- \*\*build\*\*: builds the CDF/m);
    expect(text).not.toContain('**upload**');
    expect(text).toContain('1,105,920 records · 289 requests');
  });

  test('a day without data says so', () => {
    expect(dayDetails(input, { ...result, outcome: 'no_data' }, null)).toContain('The source has no data for it.');
  });
});
