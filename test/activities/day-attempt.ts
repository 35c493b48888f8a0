/** What the engine hands to an activity of a day; for processes that are no tests, too. */
import type { DayAttempt } from '../../src/activities/types.ts';
import type { Recheck, RunOptions, Stage } from '../../src/core/backfill/types.ts';
import type { ProductSlug } from '../../src/core/product.ts';
import { parseDay } from '../../src/core/time/day.ts';
import type { Day } from '../../src/core/time/day.ts';

export const ALL: ProductSlug = 'reach-all/quicklook';

export function dayAttempt(
  changes: {
    day?: Day;
    product?: ProductSlug;
    options?: Partial<RunOptions>;
    stages?: readonly Stage[];
    run?: string;
    recheck?: Recheck;
  } = {},
): DayAttempt {
  const {
    day = parseDay('2026-01-01'),
    product = ALL,
    options = {},
    stages = ['build'],
    run = 'workflow-run-1',
    recheck,
  } = changes;
  return {
    workflowRunId: run,
    input: {
      workspace: 'test',
      runId: '6f0c0b1e-0000-4000-8000-000000000000',
      product,
      day,
      stages,
      ...(recheck && { recheck }),
      reason: 'a test',
      searchAttributes: false,
      options: {
        mode: 'run',
        retryFailed: false,
        uploadTo: null,
        profile: 'parity',
        sliceMode: 'half-open',
        limitDays: null,
        ...options,
      },
    },
  };
}
