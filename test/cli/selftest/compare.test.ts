import { expect, test } from 'vitest';
import { differencesOf } from '../../../src/cli/selftest/compare.ts';
import type { Evidence } from '../../../src/cli/selftest/evidence.ts';
import type { DrillResult } from '../../../src/cli/selftest/drill.ts';
import { scenarioOf } from '../../../src/cli/selftest/scenario.ts';
import { differenceLines, seedLine, summaryLines } from '../../../src/cli/selftest/summary.ts';

const evidence = (files: Record<string, string>, slices: string[], untidy: string[] = []): Evidence => ({
  files: new Map(Object.entries(files)),
  rows: new Map([['slices', slices]]),
  untidy,
});
const CALM = evidence({ 'a.cdf': '1', 'b.csv': '2' }, ['{"day":1}', '{"day":2}', '{"day":2}']);

test('the same twice has no difference', () => {
  expect(
    differencesOf(CALM, evidence({ 'b.csv': '2', 'a.cdf': '1' }, ['{"day":1}', '{"day":2}', '{"day":2}'])),
  ).toEqual([]);
});

test.for<[string, Evidence, string[]]>([
  ['a file less', evidence({ 'a.cdf': '1' }, ['{"day":1}', '{"day":2}', '{"day":2}']), ['a file is missing: b.csv']],
  [
    'a file more, and one changed',
    evidence({ 'a.cdf': '1', 'b.csv': '9', c: '3' }, ['{"day":1}', '{"day":2}', '{"day":2}']),
    ['another content: b.csv: 9', 'a file too many: c'],
  ],
  [
    'a row doubled in place of another',
    evidence({ 'a.cdf': '1', 'b.csv': '2' }, ['{"day":1}', '{"day":1}', '{"day":2}']),
    ['a row of slices is missing: {"day":2}', 'a row of slices too many: {"day":1}'],
  ],
  [
    'something left behind',
    evidence({ 'a.cdf': '1', 'b.csv': '2' }, ['{"day":1}', '{"day":2}', '{"day":2}'], ['left behind: x.tmp']),
    ['left behind: x.tmp'],
  ],
])('%s is a difference', ([, disturbed, expected]) => {
  expect(differencesOf(CALM, disturbed)).toEqual(expected);
});

const result = (seed: number, differences: string[]): DrillResult => ({
  scenario: scenarioOf(seed),
  dir: `/tmp/x/seed-${seed}`,
  kills: ['program at cdf-renamed:2', 'server at request 7'],
  missed: 1,
  faults: { status: 3, reset: 1 },
  dataRequests: 30,
  undisturbedRequests: 24,
  repeated: 2,
  differences,
  seconds: 12,
});

test('the summary counts seeds, kills by victim and place, faults by kind and what was asked twice', () => {
  expect(summaryLines([result(4, []), result(5, ['x'])])).toEqual([
    'selftest: 2 seeds (4..5), 1 with differences, 24 s',
    'killed: program 2, server 2; too late: 2',
    'killed at: cdf-renamed 2, request 2',
    'faults of the source: status 6, reset 2',
    'slices asked for: 60, undisturbed 48; answered twice: 4',
  ]);
  expect(seedLine(result(4, []))).toContain('seed 4: same');
});

test('a seed that differs is told with its differences, its folder and the command that repeats it', () => {
  const text = differenceLines(result(5, ['a file is missing: b.csv'])).join('\n');
  expect(text).toContain('a file is missing: b.csv');
  expect(text).toContain('/tmp/x/seed-5');
  expect(text).toContain('reachback selftest --seed 5');
  expect(seedLine(result(5, ['x']))).toContain('seed 5: DIFFERS');
});
