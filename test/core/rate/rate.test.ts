import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkRateConfig } from '../../../src/core/rate/config.ts';
import type { RequestOutcome } from '../../../src/core/rate/outcome.ts';
import { adaptPace, grantPermit, initialPace, nextPermitMs } from '../../../src/core/rate/pace.ts';
import { parseRetryAfter } from '../../../src/core/rate/retry-after.ts';

describe('UDL-D5: pacing numbers are checked', () => {
  test.for([
    [{ initialRate: 0 }, '--initial-rate is 0: expected a number above 0.'],
    [{ initialRate: Number.NaN }, '--initial-rate is NaN: expected a number above 0.'],
    [{ additiveIncrease: -1 }, '--additive-increase is -1: expected a number of at least 0.'],
    [{ multiplicativeDecrease: 1 }, '--multiplicative-decrease is 1: expected a number above 0 and below 1.'],
    [{ multiplicativeDecrease: 0 }, '--multiplicative-decrease is 0: expected a number above 0 and below 1.'],
    [{ minRate: -2 }, '--min-rate is -2: expected a number above 0.'],
    [{ maxRate: Infinity }, '--max-rate is Infinity: expected a number above 0.'],
    [{ minRate: 30 }, '--min-rate 30 is above --max-rate 25.'],
    [{ maxConcurrentRequests: 0 }, '--max-concurrent-requests is 0: expected a whole number from 1 to 64.'],
    [{ maxConcurrentRequests: 1.5 }, '--max-concurrent-requests is 1.5: expected a whole number from 1 to 64.'],
    [{ passWaitMs: 0 }, 'REACHBACK_PASS_WAIT_MS is 0: expected milliseconds from 1 to 300000.'],
  ] as const)('%o is refused: %s', ([given, message]) => {
    expect(() => checkRateConfig(given)).toThrow(
      expect.objectContaining({ kind: 'config_invalid', message, hint: expect.any(String) }),
    );
  });

  test('defaults: 5 requests/s between 0.5 and 25, 4 at once', () => {
    expect(checkRateConfig()).toMatchObject({ initialRate: 5, minRate: 0.5, maxRate: 25, maxConcurrentRequests: 4 });
  });

  test.for([
    [1_000, 25],
    [0.1, 0.5],
  ] as const)('an initial rate of %d is clamped to %d', ([initialRate, clamped]) => {
    expect(checkRateConfig({ initialRate }).initialRate).toBe(clamped);
  });
});

const outcomes = fc.constantFrom<RequestOutcome>(
  { kind: 'success' },
  { kind: 'rate_limited', retryAfterMs: null },
  { kind: 'auth_rejected', status: 401 },
  { kind: 'failure', penalty: true, retryAfterMs: null },
  { kind: 'failure', penalty: false, retryAfterMs: 5_000 },
  { kind: 'cancelled' },
);

const configs = fc
  .record({
    initialRate: fc.double({ min: 0.01, max: 500, noNaN: true }),
    additiveIncrease: fc.double({ min: 0, max: 10, noNaN: true }),
    multiplicativeDecrease: fc.double({ min: 0.01, max: 0.99, noNaN: true }),
    bounds: fc.tuple(fc.double({ min: 0.01, max: 100, noNaN: true }), fc.double({ min: 0.01, max: 100, noNaN: true })),
  })
  .map(({ bounds, ...rest }) =>
    checkRateConfig({ ...rest, minRate: Math.min(...bounds), maxRate: Math.max(...bounds) }),
  );

describe('UDL-18: the rate', () => {
  test('stays within its bounds whatever happens', () => {
    fc.assert(
      fc.property(configs, fc.array(outcomes, { maxLength: 60 }), (config, all) => {
        let pace = initialPace(config);
        for (const outcome of all) {
          pace = adaptPace(pace, outcome, config);
          expect(pace.rate).toBeGreaterThanOrEqual(config.minRate);
          expect(pace.rate).toBeLessThanOrEqual(config.maxRate);
        }
      }),
      { numRuns: 100 },
    );
  });

  test.for<[string, RequestOutcome, number]>([
    ['a success adds', { kind: 'success' }, 11],
    ['429 halves', { kind: 'rate_limited', retryAfterMs: null }, 5],
    ['a timeout halves', { kind: 'failure', penalty: true, retryAfterMs: null }, 5],
    ['a wrong body changes nothing', { kind: 'failure', penalty: false, retryAfterMs: null }, 10],
    ['our own cancellation changes nothing', { kind: 'cancelled' }, 10],
  ])('%s', ([, outcome, rate]) => {
    expect(adaptPace({ rate: 10, lastPermitMs: null }, outcome, checkRateConfig()).rate).toBe(rate);
  });
});

describe('UDL-19: permits', () => {
  test('the first never waits, the next waits 1/rate from when the last really left', () => {
    const pace = initialPace(checkRateConfig({ initialRate: 4 }));
    expect(nextPermitMs(pace)).toBe(-Infinity);
    expect(nextPermitMs(grantPermit(pace, 1_000))).toBe(1_250);
  });
});

describe('Retry-After', () => {
  const now = Date.parse('2026-01-01T00:00:00Z');
  test.for<[string | null, string | null, number | null]>([
    ['30', null, 30_000],
    [' 1.5 ', null, 1_500],
    ['0', null, 0],
    ['Thu, 01 Jan 2026 00:01:00 GMT', null, 60_000],
    ['Thu, 01 Jan 2026 00:01:00 GMT', 'Thu, 01 Jan 2026 00:00:50 GMT', 10_000],
    ['Wed, 31 Dec 2025 23:00:00 GMT', null, 0],
    ['-5', null, null],
    ['soon', null, null],
    ['', null, null],
    [null, null, null],
  ])('%s (Date %s) means %s ms', ([value, date, expected]) => {
    expect(parseRetryAfter(value, date, now)).toBe(expected);
  });
});
