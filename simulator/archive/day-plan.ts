/**
 * What is unusual about one day: gaps, blank sensor ids, duplicates, readings off the time grid.
 *
 * A pure function of (seed, day, irregularities), so that the records served, the answers of `/count` and the
 * expected counts cannot come apart. A pair is one dosimeter of one sensor: `sensor × 2 + dosimeter`, 0 … 63; steps
 * count the day's grid instants from 0.
 */
import { DAY_MS, dayStartMs } from '../../src/core/time/day.ts';
import type { Day } from '../../src/core/time/day.ts';
import { mix } from './hash.ts';

/** How many irregular things a day has; draws that meet count once. */
export interface Irregularities {
  /** Spans in which one sensor is silent, each up to 1/48 of the day (30 minutes), at least one step. */
  readonly gaps: number;
  /** Readings whose `idSensor` is absent, empty or null while `observatoryName` is there. */
  readonly blanks: number;
  /** Readings that come twice, the copy with a later `createdAt`, another `id` and another dose. */
  readonly duplicates: number;
  /** Further readings 1–999 ms past a grid second (UDL-D7). */
  readonly offGrid: number;
}

/** A few of each per day; nothing off the grid, which the real source has not shown. */
export const DEFAULT_IRREGULARITIES: Irregularities = { gaps: 6, blanks: 12, duplicates: 24, offGrid: 0 };

/** How a record says that it does not know its sensor. */
const BLANK_KINDS = ['absent', 'empty', 'null'] as const;
export type BlankKind = (typeof BLANK_KINDS)[number];

export interface OffGridReading {
  readonly ms: number;
  readonly pair: number;
}

export interface DayPlan {
  readonly startMs: number;
  /** Per step a bit set of the sensors that are silent. */
  readonly silent: Uint32Array;
  /** Per step a bit set of the sensors whose gap was filled by late data. */
  readonly late: Uint32Array;
  /** Step → pair → what stands in place of the sensor id. */
  readonly blanks: ReadonlyMap<number, ReadonlyMap<number, BlankKind>>;
  /** Step → pairs that come twice. */
  readonly duplicates: ReadonlyMap<number, ReadonlySet<number>>;
  /** Ascending by time. */
  readonly offGrid: readonly OffGridReading[];
}

const LONGEST_GAP_SHARE = 1 / 48;

/**
 * Draws the day's irregularities.
 *
 * @param cadenceMs - grid step; divides a day
 * @param lateInstants - so many of the day's silent (sensor, instant) cells, in time order, have been filled since
 */
export function planDay(
  seed: number,
  day: Day,
  cadenceMs: number,
  irregularities: Irregularities,
  lateInstants = 0,
): DayPlan {
  const startMs = dayStartMs(day);
  const steps = DAY_MS / cadenceMs;
  const draw = (what: number, index: number, below: number): number => mix(seed, startMs / DAY_MS, what, index) % below;

  const silent = new Uint32Array(steps);
  for (let i = 0; i < irregularities.gaps; i++) {
    const length = 1 + draw(1, i, Math.max(1, Math.floor(steps * LONGEST_GAP_SHARE)));
    const first = draw(2, i, Math.max(1, steps - length + 1));
    const sensor = draw(3, i, 32);
    for (let step = first; step < first + length; step++) silent[step]! |= 1 << sensor;
  }

  const blanks = new Map<number, Map<number, BlankKind>>();
  for (let i = 0; i < irregularities.blanks; i++) {
    const ofStep = entry(blanks, draw(4, i, steps), () => new Map<number, BlankKind>());
    ofStep.set(draw(5, i, 64), BLANK_KINDS[i % BLANK_KINDS.length]!);
  }

  const duplicates = new Map<number, Set<number>>();
  for (let i = 0; i < irregularities.duplicates; i++) {
    entry(duplicates, draw(6, i, steps), () => new Set<number>()).add(draw(7, i, 64));
  }

  const offGrid = new Map<string, OffGridReading>();
  for (let i = 0; i < irregularities.offGrid; i++) {
    const reading = { ms: startMs + draw(8, i, 86_400) * 1000 + 1 + draw(9, i, 999), pair: draw(10, i, 64) };
    offGrid.set(`${reading.ms} ${reading.pair}`, reading);
  }

  return {
    startMs,
    silent,
    late: fillGaps(silent, lateInstants),
    blanks,
    duplicates,
    offGrid: [...offGrid.values()].toSorted((a, b) => a.ms - b.ms || a.pair - b.pair),
  };
}

/** Number of silent (sensor, instant) cells left in a plan. */
export function silentCells(plan: DayPlan): number {
  return plan.silent.reduce((sum, bits) => sum + bitCount(bits), 0);
}

/** Moves the first `count` silent cells from `silent` to the bit sets it returns. */
function fillGaps(silent: Uint32Array, count: number): Uint32Array {
  const late = new Uint32Array(silent.length);
  let left = count;
  for (let step = 0; step < silent.length && left > 0; step++) {
    while (silent[step]! !== 0 && left > 0) {
      const lowest = silent[step]! & -silent[step]!;
      silent[step]! ^= lowest;
      late[step]! |= lowest;
      left--;
    }
  }
  return late;
}

function bitCount(bits: number): number {
  let count = 0;
  for (let rest = bits >>> 0; rest !== 0; rest &= rest - 1) count++;
  return count;
}

function entry<K, V>(map: Map<K, V>, key: K, create: () => V): V {
  const found = map.get(key);
  if (found !== undefined) return found;
  const created = create();
  map.set(key, created);
  return created;
}
