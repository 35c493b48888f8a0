import { describe, expect, test } from 'vitest';
import { productFileName, productKey } from '../../../src/products/reach-l1c/index.ts';
import { checkInputName } from '../../../src/products/reach-l1c/names.ts';

describe('CDF-1, CDF-D1: file names', () => {
  test.for([
    ['ALL', '20250904T000000', '1.0.0', 'reach_all_l1c_prelim_20250904T000000_v1.0.0.cdf'],
    ['ALL', '20251201T070010', '1.0.12', 'reach_all_l1c_prelim_20251201T070010_v1.0.12.cdf'],
    ['REACH-101', '20260101T000000', '1.0.0', 'reach_101_l1c_prelim_20260101T000000_v1.0.0.cdf'],
  ] as const)('%s at %s, version %s: %s', ([sensor, stamp, version, name]) => {
    expect(productFileName(sensor, stamp, version)).toBe(name);
  });
});

describe('S3-1: keys', () => {
  test.for([
    ['reach_all_l1c_prelim_20260101T000000_v1.0.0.cdf', 'l1c/prelim/2026/01/01'],
    ['/data/products/x/reach_101_l1c_prelim_20241231T235955_v1.0.3.cdf', 'l1c/prelim/2024/12/31'],
  ] as const)('%s goes to %s', ([file, folder]) => {
    expect(productKey(file)).toBe(`${folder}/${file.split('/').at(-1)}`);
  });

  test.for(['reach_all_l1c_prelim_v1.0.0.cdf', 'notes.txt', 'reach_all_l1c_prelim_20260101T000000_v1.0.0.cdf.tmp'])(
    '%s has none',
    (name) => {
      expect(() => productKey(name)).toThrow(
        expect.objectContaining({ kind: 'input_invalid', message: expect.stringContaining(name) as string }),
      );
    },
  );
});

describe('CDF-4: the name of an input says what and when', () => {
  test.for([
    'REACH-ALL_20260101T000000_20260102T000000.csv',
    '/in/REACH-101_20260101T000000_20260102T000000.json',
    'reach_20260101T000000.csv',
    'x.reach1_20260101T000000.csv',
  ])('%s does', (name) => {
    expect(() => checkInputName(name)).not.toThrow();
  });

  test.for([
    'day.csv',
    'REACH-ALL.csv',
    'outreach_20260101T000000.csv',
    'reachable_20260101T000000.csv',
    '20260101T000000.csv',
  ])('%s does not', (name) => {
    expect(() => checkInputName(name)).toThrow(expect.objectContaining({ kind: 'input_invalid' }));
  });
});
