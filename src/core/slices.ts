/**
 * The slices of a range: `obTime` intervals that are asked for with one request each (UDL-12…15).
 *
 * What is *asked* and what is *kept* differ on purpose. A server may treat the end of `a..b` as included or not, and
 * records need not lie on whole seconds; what is kept is always half-open, so the slices of a range are disjoint and
 * cover it, and a day's last slice never keeps the next midnight (UDL-D6, UDL-D7).
 *
 * | mode | slice *k* asks | and keeps |
 * | --- | --- | --- |
 * | `half-open` | `[b(k-1) .. b(k)]` | `b(k-1) ≤ obTime < b(k)` |
 * | `compat` | `[b(k-1) + 1 s .. b(k)]` (UDL-14) | `b(k-1) + 1 s ≤ obTime < b(k) + 1 s` |
 *
 * where b(k) are the boundaries, the first slice of a range begins and the last one ends with the range in both columns.
 * A `compat` slice so keeps a record that lies exactly on its end (asked for by it alone), and never sees records in the
 * open second after a boundary: that loss is the mode's known price.
 */
import type { SliceMode } from './backfill/types.ts';
import type { SensorSelection } from './product.ts';
import { addDays, dayStartMs } from './time/day.ts';
import type { Day } from './time/day.ts';

/** All instants in POSIX milliseconds. */
export interface Slice {
  /** Records with `startMs ≤ obTime < endMs` are kept. */
  readonly startMs: number;
  readonly endMs: number;
  /** Ends of the `obTime=a..b` that is sent. */
  readonly queryStartMs: number;
  readonly queryEndMs: number;
  /** Whether the ends are sent to the millisecond; else to the second (UDL-4). */
  readonly milliseconds?: boolean;
}

const SECOND_MS = 1_000;

/** Length of a slice in milliseconds: 6 h for one sensor, 5 min for everything else (UDL-13, case-sensitive). */
export function sliceLengthMs(sensor: SensorSelection): number {
  return (sensor.startsWith('REACH-') ? 21_600 : 300) * SECOND_MS;
}

/**
 * Cuts `[startMs, endMs)` into slices of `lengthMs`, ascending; the last one may be shorter, an empty range has none.
 */
export function sliceRange(startMs: number, endMs: number, lengthMs: number, mode: SliceMode): Slice[] {
  const stepMs = mode === 'compat' ? SECOND_MS : 0;
  const slices: Slice[] = [];
  for (let boundary = startMs; boundary < endMs; boundary += lengthMs) {
    const next = Math.min(boundary + lengthMs, endMs);
    const start = boundary === startMs ? startMs : boundary + stepMs;
    slices.push({
      startMs: start,
      endMs: next === endMs ? endMs : next + stepMs,
      queryStartMs: start,
      queryEndMs: next,
    });
  }
  return slices;
}

/** The slices of one UTC day: 288 for ALL, 4 for one sensor. */
export function daySlices(day: Day, sensor: SensorSelection, mode: SliceMode): Slice[] {
  return sliceRange(dayStartMs(day), dayStartMs(addDays(day, 1)), sliceLengthMs(sensor), mode);
}
