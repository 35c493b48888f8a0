import { beforeEach, expect, test } from 'vitest';
import type { RunOptions } from '../../src/core/backfill/types.ts';
import { planRange } from '../../src/activities/plan-range.ts';
import { PipelineError } from '../../src/core/errors.ts';
import { parseDay } from '../../src/core/time/day.ts';
import { FileDestination } from '../../src/storage/file-destination.ts';
import { ALL, createPlace } from './set-up.ts';
import type { Place } from './set-up.ts';

const DAY = parseDay('2026-01-01');
const OPTIONS: RunOptions = {
  mode: 'run',
  retryFailed: false,
  uploadTo: 's3://bucket/prefix',
  profile: 'parity',
  sliceMode: 'half-open',
  limitDays: null,
};

let place: Place;
let asked: string[];

beforeEach(async () => {
  place = await createPlace();
  asked = [];
});

/** Plans one day whose destination answers to a look with `problem`. */
function plan(problem: PipelineError | null, options: RunOptions = OPTIONS) {
  const destinationAt = (uri: string): FileDestination => {
    asked.push(uri);
    const destination = new FileDestination('/nowhere');
    destination.check = () => (problem === null ? Promise.resolve() : Promise.reject(problem));
    return destination;
  };
  const request = { runId: 'run-1', product: ALL, first: DAY, last: DAY, options };
  return planRange({ ...place.deps, destinationAt }, request);
}

test('a destination that refuses for good ends the plan before any day is begun', async () => {
  const problem = new PipelineError('config_invalid', 'There is no bucket.');
  await expect(plan(problem)).rejects.toBe(problem);
  expect(asked).toEqual(['s3://bucket/prefix']);
});

test('one that is out of reach now does not: it may be back when the first product is ready', async () => {
  const { days } = await plan(new PipelineError('storage_unavailable', 'It does not answer.'));
  expect(days.map(({ day }) => day)).toEqual([DAY]);
});

test.for([
  ['nothing is delivered', { ...OPTIONS, uploadTo: null }],
  ['no day has work', { ...OPTIONS, mode: 'process' }],
] as const)('nobody is asked when %s', async ([, options]) => {
  await plan(new PipelineError('config_invalid', 'There is no bucket.'), options);
  expect(asked).toEqual([]);
});
