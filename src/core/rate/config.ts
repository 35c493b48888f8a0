/** The operator's pacing numbers, checked and clamped once (UDL-17, UDL-18, UDL-D5). */
import { PipelineError } from '../errors.ts';

export interface RateConfig {
  /** Requests per second at the start; within minRate..maxRate. */
  readonly initialRate: number;
  /** Added to the rate after each success, requests per second. */
  readonly additiveIncrease: number;
  /** Factor on the rate after each penalty, in the open interval (0, 1). */
  readonly multiplicativeDecrease: number;
  readonly minRate: number;
  readonly maxRate: number;
  /** Requests under way at once, over all days. */
  readonly maxConcurrentRequests: number;
  /** First wait after a pass that failed, in milliseconds; later ones double up to five minutes. */
  readonly passWaitMs: number;
  /** Pauses up to this many milliseconds are waited for in the activity; longer ones give its slot back. */
  readonly waitInsideMs: number;
  /** Whether the operator named the initial rate, or the rate learnt by earlier runs comes first. */
  readonly startFrom: 'given' | 'learnt';
}

/** What an operator may say; the rest is filled in. */
export type GivenRateConfig = { readonly [Key in keyof RateConfig]?: RateConfig[Key] | undefined };

/** The numbers among the configuration, each with a rule. */
type RateNumbers = Omit<RateConfig, 'startFrom'>;

const DEFAULTS: RateNumbers = {
  initialRate: 5,
  additiveIncrease: 1,
  multiplicativeDecrease: 0.5,
  minRate: 0.5,
  maxRate: 25,
  maxConcurrentRequests: 4,
  passWaitMs: 5_000,
  waitInsideMs: 120_000,
};

/** More would be no politeness at all; it is the number of sockets too. */
const MOST_REQUESTS = 64;

interface Rule {
  readonly name: string;
  readonly expected: string;
  readonly holds: (value: number) => boolean;
}

const POSITIVE = { expected: 'a number above 0', holds: (value: number) => Number.isFinite(value) && value > 0 };

const RULES: Readonly<Record<keyof RateNumbers, Rule>> = {
  initialRate: { name: '--initial-rate', ...POSITIVE },
  additiveIncrease: {
    name: '--additive-increase',
    expected: 'a number of at least 0',
    holds: (value) => Number.isFinite(value) && value >= 0,
  },
  multiplicativeDecrease: {
    name: '--multiplicative-decrease',
    expected: 'a number above 0 and below 1',
    holds: (value) => value > 0 && value < 1,
  },
  minRate: { name: '--min-rate', ...POSITIVE },
  maxRate: { name: '--max-rate', ...POSITIVE },
  maxConcurrentRequests: {
    name: '--max-concurrent-requests',
    expected: `a whole number from 1 to ${MOST_REQUESTS}`,
    holds: (value) => Number.isInteger(value) && value >= 1 && value <= MOST_REQUESTS,
  },
  passWaitMs: {
    name: 'REACHBACK_PASS_WAIT_MS',
    expected: 'milliseconds from 1 to 300000',
    holds: (value) => value >= 1 && value <= 300_000,
  },
  waitInsideMs: {
    name: 'REACHBACK_WAIT_INSIDE_MS',
    expected: 'milliseconds from 0 to 3600000',
    holds: (value) => value >= 0 && value <= 3_600_000,
  },
};

/**
 * Fills in the defaults, checks every number, and clamps the initial rate into [min, max].
 *
 * @throws PipelineError `config_invalid` naming the flag, the value and what is expected
 */
export function checkRateConfig(given: GivenRateConfig = {}): RateConfig {
  const startFrom = given.startFrom ?? (given.initialRate === undefined ? 'learnt' : 'given');
  const named = Object.entries(given).filter(([, value]) => value !== undefined);
  const config: RateConfig = { ...DEFAULTS, ...Object.fromEntries(named), startFrom };
  for (const key of Object.keys(RULES) as (keyof RateNumbers)[]) {
    const { name, expected, holds } = RULES[key];
    if (holds(config[key])) continue;
    throw new PipelineError('config_invalid', `${name} is ${config[key]}: expected ${expected}.`, {
      hint: `Leave ${name} out for the default of ${DEFAULTS[key]}.`,
    });
  }
  if (config.minRate > config.maxRate) {
    throw new PipelineError('config_invalid', `--min-rate ${config.minRate} is above --max-rate ${config.maxRate}.`, {
      hint: 'Give a --min-rate that is at most --max-rate, both in requests per second.',
    });
  }
  return { ...config, initialRate: withinBounds(config.initialRate, config) };
}

/** `rate` within the operator's bounds, requests per second. */
export function withinBounds(rate: number, { minRate, maxRate }: Pick<RateConfig, 'minRate' | 'maxRate'>): number {
  return Math.min(Math.max(rate, minRate), maxRate);
}
