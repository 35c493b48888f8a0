import { expect, test } from 'vitest';
import { formatBar, formatBytes, formatCount, formatSeconds, formatTable } from '../../../src/cli/support/format.ts';

const MIB = 1_048_576;

test.for([
  [0, '0.00 MiB'],
  [1, '0.00 MiB'],
  [1.5 * MIB, '1.50 MiB'],
  [9.99 * MIB, '9.99 MiB'],
  [10 * MIB, '10.0 MiB'],
  [1023 * MIB, '1023.0 MiB'],
  [1024 * MIB, '1.00 GiB'],
  [5 * 1024 * MIB, '5.00 GiB'],
] as const)('TEL-D14: %i bytes read as %s', ([bytes, text]) => {
  expect(formatBytes(bytes)).toBe(text);
});

test.for([
  [0, '0.0 s'],
  [89.94, '89.9 s'],
  [90, '2 min'],
  [5_399, '90 min'],
  [5_400, '1.5 h'],
  [86_400, '24.0 h'],
] as const)('%i seconds read as %s', ([seconds, text]) => {
  expect(formatSeconds(seconds)).toBe(text);
});

test('counts are grouped the same on every machine', () => {
  expect([0, 999, 1_105_920].map((count) => formatCount(count))).toEqual(['0', '999', '1,105,920']);
});

test.for([
  [0, '░░░░'],
  [0.5, '██░░'],
  [1, '████'],
  [-1, '░░░░'],
  [7, '████'],
] as const)('a bar of a share of %d: %s', ([share, bar]) => {
  expect(formatBar(share, 4)).toBe(bar);
});

test('a table: columns as wide as their widest cell, numbers to the right, no trailing blanks', () => {
  const text = formatTable(
    ['day', 'records', 'product'],
    [
      ['2025-09-01', '7', 'x'],
      ['2025-09-02', '1,105,920'],
    ],
    [1],
  );
  expect(text).toBe(
    [
      'day           records  product',
      '──────────  ─────────  ───────',
      '2025-09-01          7  x',
      '2025-09-02  1,105,920',
    ].join('\n'),
  );
});
