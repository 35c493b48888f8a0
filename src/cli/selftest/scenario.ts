/** What a seed means: which product, which faults of the source, who is killed and where. Pure. */
import { CRASH_POINTS } from '../../storage/crash-point.ts';
import type { ArmedCrashPoint, CrashPoint } from '../../storage/crash-point.ts';

/** Of commands that take up what is there, of builds without the folder, and what comes by as answers happen to follow each other. */
const POINTS_OF_OTHERS: readonly CrashPoint[] = [
  'slice-placed',
  'telemetry-imported',
  'recheck-renamed',
  'recheck-manifest',
  'file-taken-up',
  'days-summed-up',
  'ledger-aside',
  'input-staged',
  'product-staged',
  'product-noted',
  'product-fetched',
];

/** A run on one machine passes these. */
export const POINTS_OF_A_RUN = CRASH_POINTS.filter((point) => !POINTS_OF_OTHERS.includes(point));

/** A range of days and how it is asked for. Runs of one shape leave the same, so one undisturbed run serves them all. */
export interface Shape {
  readonly name: string;
  readonly first: string;
  readonly last: string;
  /** Of these, with data. */
  readonly days: number;
  readonly slicesPerDay: number;
  /** Flags of `run` beside dates, folders and pacing. */
  readonly flags: readonly string[];
}

export const SHAPES: readonly Shape[] = [
  shape('one-sensor', '2025-09-01', '2025-09-04', 3, 4, ['--sensor-id', 'REACH-101']),
  shape('json', '2025-09-01', '2025-09-02', 2, 4, ['--sensor-id', 'REACH-115', '--output-format', 'json']),
  shape('all', '2025-09-01', '2025-09-02', 2, 288, ['--profile', 'parity']),
  shape('compat', '2025-09-02', '2025-09-04', 2, 4, ['--sensor-id', 'REACH-134', '--slices', 'compat']),
];

/** Of every shape's range; the simulator has nothing for it. */
export const EMPTY_DAY = '2025-09-03';

/** `program`: command and worker in one process. `worker`: apart from the command that follows it. `everything`: with all below it. */
export type Victim = 'program' | 'worker' | 'everything';

/** One process that does the work, from its start to its violent end. */
export interface Life {
  readonly victim: Victim;
  /** Where it ends: at a crash point, or when the source has seen so many requests of this life. */
  readonly at: ArmedCrashPoint | { readonly requests: number };
  /** The Temporal server is killed when the source has seen so many requests of this life; null: not in this life. */
  readonly serverAt: number | null;
}

export interface FaultRule {
  readonly match?: Readonly<Record<string, unknown>>;
  readonly fault: Readonly<{ kind: string } & Record<string, unknown>>;
  readonly times?: number;
}

export interface Scenario {
  readonly seed: number;
  readonly shape: Shape;
  /** Server, worker and command in three processes; otherwise all in one. */
  readonly apart: boolean;
  readonly lives: readonly Life[];
  /** As `Life.serverAt`, for the last life, which nobody ends. */
  readonly lastServerAt: number | null;
  readonly faults: readonly FaultRule[];
}

/** What a source does wrong that passes by itself. */
const FAULTS: readonly FaultRule['fault'][] = [
  ...[408, 425, 500, 502, 503, 504].map((status) => ({ kind: 'status', status })),
  { kind: 'rate_limit', retryAfterS: 1, form: 'seconds' },
  { kind: 'rate_limit', retryAfterS: 1, form: 'date' },
  { kind: 'storm', seconds: 2 },
  ...['before_headers', 'after_headers', 'mid_body'].map((at) => ({ kind: 'reset', at })),
  ...['length', 'chunked'].map((framing) => ({ kind: 'short_body', framing })),
  ...['cut_json', 'empty_body', 'broken_gzip', 'redirect', 'error_object', 'null', 'empty_object'].map((kind) => ({
    kind,
  })),
  ...['text/html', 'application/json'].map((contentType) => ({ kind: 'html', contentType })),
];

/** Each pause of a rate limit costs a second. */
const MOST_PAUSES = 2;

/** @param seed - a whole number of at least 0 */
export function scenarioOf(seed: number): Scenario {
  const random = generator(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
  const chance = (share: number): boolean => random() < share;

  const shape = pick(SHAPES);
  const apart = chance(0.25);
  const requests = shape.days * shape.slicesPerDay;
  const someRequests = (): number => 1 + Math.floor(random() * requests * 0.9);
  const lives = Array.from({ length: livesFor(random()) }, (_, index): Life => {
    const point = pick(POINTS_OF_A_RUN);
    const atPoint = chance(0.7);
    // What an earlier life has done does not come by again.
    const nth = 1 + Math.floor((random() * timesPassed(point, shape)) / (index + 1));
    const inOneProcess = chance(0.6) || atPoint ? 'program' : 'everything';
    return {
      victim: apart ? 'worker' : inOneProcess,
      at: atPoint ? { point, nth } : { requests: someRequests() },
      serverAt: chance(0.15) ? someRequests() : null,
    };
  });
  const lastServerAt = lives.length === 0 || chance(0.2) ? someRequests() : null;
  const faults = Array.from({ length: Math.floor(random() * 4) }, () => {
    const fault = pick(FAULTS);
    const times = fault.kind === 'rate_limit' || fault.kind === 'storm' ? { times: MOST_PAUSES } : {};
    return { match: { fraction: requests > 100 ? 0.03 : 0.25, firstAttempts: 2 }, fault, ...times };
  });
  const latency = { fault: { kind: 'latency', ms: pick([5, 20, 60]) } };
  return { seed, shape, apart, lives, lastServerAt, faults: [latency, ...faults] };
}

/** Mostly one kill: each costs ten seconds until the server misses the worker's heartbeats. */
function livesFor(random: number): number {
  if (random < 0.1) return 0;
  return random < 0.75 ? 1 : 2;
}

/** About how often an undisturbed run comes by. */
function timesPassed(point: CrashPoint, { days, slicesPerDay }: Shape): number {
  if (point.startsWith('slice-')) return days * slicesPerDay;
  return point === 'telemetry-appended' ? days * 4 : days;
}

function shape(
  name: string,
  first: string,
  last: string,
  days: number,
  slicesPerDay: number,
  flags: readonly string[],
): Shape {
  return { name, first, last, days, slicesPerDay, flags };
}

/** Numbers in [0, 1): the same for the same seed, on every machine (mulberry32). */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}
