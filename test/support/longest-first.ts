/** The order of the test files: those that take longest begin first, so that no worker is left with one at the end. */
import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { BaseSequencer } from 'vitest/node';
import type { TestSpecification } from 'vitest/node';

const TESTS = join(import.meta.dirname, '..');

/** More than about half a minute each, the longest first; the report of a run has their times. */
const LONG = [
  'e2e/crash',
  'e2e/workers',
  'e2e/process',
  'e2e/gate',
  'e2e/run',
  'e2e/fault-matrix',
  'e2e/s3',
  'e2e/selftest',
  'e2e/repair',
  'e2e/telemetry',
  'e2e/usage',
  'e2e/demo',
  'e2e/steer',
  'activities/recheck',
  'ledger/postgres',
  'workflows/backfill-range',
  'e2e/workers-staged',
  'products/reach-zarr/killed',
  'e2e/refresh',
  'e2e/zarr',
  'e2e/explain',
  'e2e/notify',
  'embedded/temporal-server',
  'gate/fleet/fleet',
  'e2e/postgres',
  'activities/download/faults',
  'e2e/keep-downloads',
  'embedded/supervisor',
  'e2e/reprocess',
].map((name) => `${name}.test.ts`);

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const gone = LONG.filter((name) => !existsSync(join(TESTS, name)));
    if (gone.length > 0) throw new Error(`longest-first.ts names files that are not there: ${gone.join(', ')}`);
    const place = ({ moduleId }: TestSpecification): number => {
      const found = LONG.indexOf(relative(TESTS, moduleId));
      return found < 0 ? LONG.length : found;
    };
    // oxlint-disable-next-line unicorn/no-array-sort -- not that of an array
    const byDefault = await super.sort(files);
    return byDefault.toSorted((a, b) => place(a) - place(b));
  }
}
