import { expect, test } from 'vitest';
import { actionsOf } from '../../../src/cli/support/dry-run.ts';
import { decideDay } from '../../../src/core/backfill/decide.ts';
import type { DecisionFacts } from '../../../src/core/backfill/decide.ts';
import { NEW_DAY } from '../../core/backfill/new-day.ts';

const FLAGS = { mode: 'run', retryFailed: false, upload: false, refresh: false, fetchReleased: false } as const;
const DOWNLOADED = { download: 'done', artifact: 'intact', counted: true } as const;

test.for<[string, Partial<DecisionFacts>, string[]]>([
  ['a new day', {}, ['run', 'run_process']],
  [
    'a day that is done',
    { ...DOWNLOADED, product: 'intact', productCurrent: true },
    ['skip_existing', 'skip_existing'],
  ],
  ['a day to be built', DOWNLOADED, ['skip_existing', 'run_process']],
  ['a day without data', { download: 'noData' }, ['skip_terminal']],
  ['a download that failed', { download: 'failed' }, ['skip_failed']],
  [
    'a build that failed, its download gone',
    { download: 'done', artifact: 'missing', build: 'failed' },
    ['skip_failed'],
  ],
])('TEL-27: a plan names what is done, not what would follow: %s', ([, facts, actions]) => {
  expect(actionsOf(decideDay({ ...NEW_DAY, ...facts }, FLAGS))).toEqual(actions);
});
