import pino from 'pino';
import { expect, test } from 'vitest';
import { createTellOfPace } from '../../src/activities/pace.ts';
import { DAYS_COMPARED } from '../../src/core/report/slow-down.ts';
import { dayAttempt } from './set-up.ts';

test('SAFE-15: a stage that slows down is warned of by name, other stages and days that were only looked at apart', () => {
  const lines: { stage: string; msg: string; latestSeconds: number }[] = [];
  const log = pino({ level: 'warn' }, { write: (line) => void lines.push(JSON.parse(line) as (typeof lines)[number]) });
  const tell = createTellOfPace({ log });
  for (let day = 0; day < 3 * DAYS_COMPARED; day += 1) {
    tell('download', dayAttempt(), { seconds: day < DAYS_COMPARED ? 60 : 150 });
    tell('build', dayAttempt(), { seconds: 20 });
    tell('download', dayAttempt(), { seconds: 0.1, outcome: 'unchanged' });
  }
  expect(lines).toMatchObject([{ stage: 'download', firstSeconds: 60, latestSeconds: 150 }]);
  expect(lines[0]!.msg).toContain('the latest days take 150.0 s for their download, the first ones took 60.0 s');
});
