/**
 * The order of a day: readings grouped by time, one per reading (CDF-12, CDF-15, CDF-D12…D14).
 */
import { PipelineError } from '../../../core/errors.ts';
import type { Dictionary } from '../read/dictionary.ts';
import { OB_TIME } from '../read/row.ts';
import type { RecordStore } from './record-store.ts';

export interface Arrangement {
  /** Distinct instants, strictly ascending: the time axis. */
  readonly times: Float64Array;
  /** `order[starts[t]..starts[t + 1])` are the readings at `times[t]`; one entry more than times. */
  readonly starts: Uint32Array;
  /** Places in the store. */
  readonly order: Uint32Array;
}

/**
 * Groups all readings by instant, in file order within a group. Time O(n) and 4 bytes a reading when they are sorted by time,
 * as the source's are; else O(n log n) and 24 bytes.
 */
export function arrangeByTime(store: RecordStore): Arrangement {
  const timeCount = countSortedTimes(store);
  return timeCount === null ? arrangeUnsorted(store) : arrangeSorted(store, timeCount);
}

/** Null when the readings are not in the order of time. */
function countSortedTimes(store: RecordStore): number | null {
  let count = 0;
  let last = -Infinity;
  for (let index = 0; index < store.size; index++) {
    const instant = store.number(index, OB_TIME);
    if (instant < last) return null;
    if (instant > last) count++;
    last = instant;
  }
  return count;
}

function arrangeSorted(store: RecordStore, timeCount: number): Arrangement {
  const times = new Float64Array(timeCount);
  const starts = new Uint32Array(timeCount + 1);
  const order = new Uint32Array(store.size);
  let t = -1;
  for (let index = 0; index < order.length; index++) {
    const instant = store.number(index, OB_TIME);
    if (times[t] !== instant) {
      times[++t] = instant;
      starts[t] = index;
    }
    order[index] = index;
  }
  starts[timeCount] = store.size;
  return { times, starts, order };
}

function arrangeUnsorted(store: RecordStore): Arrangement {
  const instants = store.column(OB_TIME);
  const times = distinct(instants.toSorted());
  const groups = new Uint32Array(instants.length);
  const starts = new Uint32Array(times.length + 1);
  let group = 0;
  for (let index = 0; index < instants.length; index++) {
    const instant = instants[index]!;
    // Where a few are out of order, the next reading is nearly always of this group or the next.
    if (times[group] !== instant && times[++group] !== instant) group = search(times, instant);
    groups[index] = group;
    starts[group + 1]!++;
  }
  for (let t = 0; t < times.length; t++) starts[t + 1]! += starts[t]!;
  const order = new Uint32Array(instants.length);
  const next = starts.slice();
  for (let index = 0; index < instants.length; index++) order[next[groups[index]!]!++] = index;
  return { times, starts, order };
}

/**
 * Keeps of every (channel, instant) the reading with the greatest `createdAt`; of equals the first in the file.
 *
 * @returns the arrangement of what stays, and how many readings went
 */
export function dropDuplicates(
  arrangement: Arrangement,
  store: RecordStore,
  channelCount: number,
): { kept: Arrangement; duplicates: number } {
  const { times, order } = arrangement;
  const starts = new Uint32Array(times.length + 1);
  // Of each channel: the group in which it was last met (counted from 1), and its place in `order` there.
  const metIn = new Uint32Array(channelCount);
  const placeOf = new Uint32Array(channelCount);
  let size = 0;
  for (let t = 0; t < times.length; t++) {
    for (let i = arrangement.starts[t]!; i < arrangement.starts[t + 1]!; i++) {
      const index = order[i]!;
      const channel = store.channel(index);
      if (metIn[channel] !== t + 1) {
        metIn[channel] = t + 1;
        placeOf[channel] = size;
        order[size++] = index; // never ahead of `i`
      } else if (store.isNewer(index, order[placeOf[channel]!]!)) {
        order[placeOf[channel]!] = index;
      }
    }
    starts[t + 1] = size;
  }
  return { kept: { times, starts, order: order.subarray(0, size) }, duplicates: order.length - size };
}

/**
 * The one descriptor of all readings that stay (CDF-20).
 *
 * @throws PipelineError `input_invalid` naming all of them when there are several
 */
export function soleDescriptor({ order }: Arrangement, store: RecordStore, descriptors: Dictionary): string {
  const counts = new Map<number, number>();
  let last = -1;
  let run = 0;
  for (let i = 0; i < order.length; i++) {
    const descriptor = store.descriptor(order[i]!);
    if (descriptor !== last) {
      if (run > 0) counts.set(last, (counts.get(last) ?? 0) + run);
      last = descriptor;
      run = 0;
    }
    run++;
  }
  counts.set(last, (counts.get(last) ?? 0) + run);
  if (counts.size === 1) return descriptors.text(last);
  const found = Array.from(counts, ([code, count]) => `${descriptors.text(code)} (${count} readings)`);
  throw new PipelineError('input_invalid', `The file mixes descriptors: ${found.join(', ')}; expected one.`, {
    hint: 'A product has one source. Split the file by descriptor, or download the day with one --descriptor.',
  });
}

/** The smallest step of the time axis in microseconds, or null when there is only one time (CDF-D9). */
export function smallestStep(times: Float64Array): number | null {
  let smallest = Infinity;
  for (let t = 1; t < times.length; t++) {
    const step = times[t]! - times[t - 1]!;
    if (step < smallest) smallest = step;
  }
  return smallest === Infinity ? null : smallest;
}

/** Compacts sorted values in place. */
function distinct(sorted: Float64Array): Float64Array {
  let size = 0;
  for (const value of sorted) if (size === 0 || sorted[size - 1] !== value) sorted[size++] = value;
  return sorted.slice(0, size);
}

/** Place of `value`, which is there, in ascending `times`. */
function search(times: Float64Array, value: number): number {
  let low = 0;
  let high = times.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (times[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
