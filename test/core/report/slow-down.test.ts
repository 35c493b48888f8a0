import { expect, test } from 'vitest';
import { DAYS_COMPARED, createSlowDownWatch } from '../../../src/core/report/slow-down.ts';

const days = (count: number, seconds: number): number[] => Array.from({ length: count }, () => seconds);

function warnings(seconds: readonly number[]) {
  const watch = createSlowDownWatch();
  return seconds.map((value) => watch.add(value)).flatMap((slow, at) => (slow === null ? [] : [{ at, ...slow }]));
}

test('SAFE-15: a moving median of more than twice the first ten days is told once', () => {
  const told = warnings([...days(DAYS_COMPARED, 10), ...days(12, 10), ...days(20, 21)]);
  // The sixth slow day moves the median of the latest ten: five of either kind lie between the two.
  expect(told).toEqual([{ at: DAYS_COMPARED + 12 + 5, firstSeconds: 10, latestSeconds: 21 }]);
});

test('SAFE-15: faster again and slow again is told again', () => {
  const told = warnings([...days(DAYS_COMPARED, 10), ...days(15, 30), ...days(15, 10), ...days(15, 30)]);
  expect(told).toHaveLength(2);
});

test('SAFE-15: twice as long, single slow days and short runs are no warning', () => {
  expect(warnings([...days(DAYS_COMPARED, 10), ...days(30, 20)])).toEqual([]);
  expect(
    warnings([...days(DAYS_COMPARED, 10), ...days(30, 10).map((value, at) => (at % 3 === 0 ? 500 : value))]),
  ).toEqual([]);
  expect(warnings([...days(DAYS_COMPARED, 10), ...days(DAYS_COMPARED - 1, 99)])).toEqual([]);
});
