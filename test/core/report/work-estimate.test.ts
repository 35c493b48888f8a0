import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { estimateWork, quantile } from '../../../src/core/report/work-estimate.ts';
import type { DayCost } from '../../../src/core/report/work-estimate.ts';

const NOTHING: DayCost = {
  downloadSeconds: null,
  buildSeconds: null,
  uploadSeconds: null,
  downloadBytes: null,
  productBytes: null,
};
const DAY: DayCost = { ...NOTHING, downloadSeconds: 60, buildSeconds: 20, downloadBytes: 600, productBytes: 40 };

test('SAFE-14: days that all take the same are estimated exactly, shared among those under way at once', () => {
  const work = { downloads: 10, builds: 12, uploads: 0, concurrency: 2 };
  const estimate = estimateWork(work, [DAY, DAY, DAY]);
  const seconds = (10 * 60 + 12 * 20) / 2;
  const bytes = 10 * 600 + 12 * 40;
  expect(estimate).toEqual({
    knownDays: 3,
    seconds: { median: seconds, upper: seconds },
    bytes: { median: bytes, upper: bytes },
  });
  expect(estimateWork({ ...work, downloads: 1, builds: 1, concurrency: 8 }, [DAY])?.seconds.median).toBe(80);
});

test.for([
  ['one download after the other has the whole rate', { downloads: 10, builds: 10, uploads: 0, concurrency: 4 }, 600],
  [
    'a build that takes longer than a download decides',
    { downloads: 1, builds: 100, uploads: 0, concurrency: 4 },
    2_000,
  ],
  ['one day at a time has nothing side by side', { downloads: 10, builds: 10, uploads: 0, concurrency: 1 }, 800],
] as const)('SAFE-14: from a day that was done alone: %s', ([, work, expected]) => {
  expect(estimateWork({ ...work, knownAlone: true }, [DAY])?.seconds).toEqual({ median: expected, upper: expected });
});

test('SAFE-14: the upper bound is what nine of ten known days keep', () => {
  const history = Array.from({ length: 11 }, (_none, index) => ({ ...DAY, downloadSeconds: 10 * index }));
  const { seconds } = estimateWork({ downloads: 2, builds: 0, uploads: 0, concurrency: 1 }, history)!;
  expect(seconds).toEqual({ median: 100, upper: 180 });
});

test('SAFE-14: a stage that was never done has no estimate; one that is not planned needs none', () => {
  const work = { downloads: 3, builds: 3, uploads: 3, concurrency: 2 };
  expect(estimateWork(work, [DAY])).toBeNull();
  expect(estimateWork(work, [])).toBeNull();
  expect(estimateWork({ ...work, uploads: 0 }, [DAY])).not.toBeNull();
  expect(estimateWork({ ...work, downloads: 0, builds: 0, uploads: 0 }, [DAY])).toBeNull();
});

test('a quantile lies among the values, and grows with its share', () => {
  const values = fc.array(fc.double({ min: 0, max: 1e9, noNaN: true }), { minLength: 1 });
  const share = fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(
    fc.property(values, share, share, (list, one, other) => {
      const [low, high] = [Math.min(one, other), Math.max(one, other)];
      const slack = 1e-6 * Math.max(...list);
      expect(quantile(list, low)).toBeLessThanOrEqual(quantile(list, high) + slack);
      expect(quantile(list, 0)).toBe(Math.min(...list));
      expect(quantile(list, 1)).toBe(Math.max(...list));
    }),
  );
});
