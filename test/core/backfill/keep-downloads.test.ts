import { describe, expect, test } from 'vitest';
import { KEEP_DOWNLOADS, canRelease } from '../../../src/core/backfill/keep-downloads.ts';

const FILE = { sha256: 'csv' };
const BUILT = { sha256: 'cdf', inputSha256: 'csv' };
const DELIVERED = { artifact: FILE, productFile: BUILT, delivery: { sha256: 'cdf' } };

describe('--keep-downloads: which day files may go', () => {
  test.for([
    ['a delivered day', DELIVERED, ['failed', 'none']],
    ['a day whose delivery failed', { ...DELIVERED, delivery: null }, ['none']],
    ['a day whose former product was delivered', { ...DELIVERED, delivery: { sha256: 'older' } }, ['none']],
    ['a day that was not built', { ...DELIVERED, productFile: null }, []],
    ['a product of another file', { ...DELIVERED, artifact: { sha256: 'newer' } }, []],
    ['a product of which nobody knows the input', { ...DELIVERED, productFile: { ...BUILT, inputSha256: null } }, []],
    ['no file', { ...DELIVERED, artifact: null }, []],
  ] as const)('%s: with %j', ([, facts, expected]) => {
    expect(KEEP_DOWNLOADS.filter((keep) => canRelease(facts, keep))).toEqual(expected);
    expect(canRelease(facts)).toBe(false);
  });
});
