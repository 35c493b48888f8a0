/** The faults of the matrix and where they happen. */
import type { FaultPlan } from '../../../simulator/simulator.ts';

type Fault = FaultPlan['rules'][number]['fault'];

/** How the worker of a case is set up. */
export interface Setting {
  readonly name: string;
  /** How many times as fast as the real one the gate's clock runs. */
  readonly gateClock: number;
  readonly requestTimeoutMs: number;
  readonly maxConcurrentRequests: number;
}

export interface FaultCase {
  readonly name: string;
  /** `refused`: the port is closed for a moment, which no answer of the simulator can be. */
  readonly fault: Fault | 'refused';
  readonly setting: Setting;
  /** Whether it makes everyone pause: then 10 % are drawn from fewer requests. */
  readonly pauses: boolean;
  /** Whether the slice must be asked for again. */
  readonly fails: boolean;
}

export const PLACEMENTS = ['first slice', 'middle slice', 'last slice', '10 % of requests'] as const;
export type Placement = (typeof PLACEMENTS)[number];

/** @param full - real lengths of pauses and timeouts instead of short ones */
export function faultCases(full: boolean): FaultCase[] {
  const standard: Setting = { name: 'standard', gateClock: 1, requestTimeoutMs: 120_000, maxConcurrentRequests: 4 };
  const ownPause: Setting = { ...standard, name: 'own pause', gateClock: full ? 1 : 100 };
  const impatient: Setting = { ...standard, name: 'impatient', requestTimeoutMs: full ? 20_000 : 4_000 };
  const sequential: Setting = { ...standard, name: 'sequential', maxConcurrentRequests: 1 };
  const retryAfterS = full ? 30 : 2;
  const failing = (name: string, fault: Fault, setting = standard): FaultCase => ({
    name,
    fault,
    setting,
    pauses: false,
    fails: true,
  });
  const pausing = (name: string, fault: Fault, setting = standard): FaultCase => ({
    ...failing(name, fault, setting),
    pauses: true,
  });
  return [
    pausing('429, Retry-After in seconds', { kind: 'rate_limit', retryAfterS }),
    pausing('429, Retry-After as a date', { kind: 'rate_limit', retryAfterS, form: 'date' }),
    pausing('429 without Retry-After', { kind: 'rate_limit', form: 'none' }, ownPause),
    pausing(`storm of 429 for ${full ? 45 : 3} s`, { kind: 'storm', seconds: full ? 45 : 3 }),
    ...([408, 425, 500, 502, 503, 504] as const).map((status) => failing(`${status}`, { kind: 'status', status })),
    { ...failing('connection refused', { kind: 'null' }, sequential), fault: 'refused', pauses: true },
    failing('connection reset', { kind: 'reset', at: 'before_headers' }),
    failing('reset inside the body', { kind: 'reset', at: 'mid_body' }),
    failing('short body, by length', { kind: 'short_body', framing: 'length' }),
    failing('short body, chunked', { kind: 'short_body', framing: 'chunked' }),
    failing('cut JSON', { kind: 'cut_json' }),
    failing('empty body', { kind: 'empty_body' }),
    failing('broken gzip', { kind: 'broken_gzip' }),
    failing('HTML with 200', { kind: 'html' }),
    failing('HTML with 200 as JSON', { kind: 'html', contentType: 'application/json' }),
    failing('login redirect', { kind: 'redirect' }),
    failing('error object with 200', { kind: 'error_object' }),
    failing('null', { kind: 'null' }),
    failing('{}', { kind: 'empty_object' }),
    { ...failing('slow drip', { kind: 'drip', bytesPerS: full ? 1_000 : 20_000 }), fails: false },
    failing('hang', { kind: 'hang' }, impatient),
    failing('hang inside the body', { kind: 'hang', at: 'mid_body' }, impatient),
  ];
}
