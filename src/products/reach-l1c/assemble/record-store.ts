/**
 * The readings of a day in memory: 86 bytes each, in file order, in segments that are never copied.
 *
 * Memory follows the number of readings, not times × sensors: sensors that are not on one grid would make the full
 * table tens of times larger than its content.
 */
import { DESCRIPTOR, ROW_CODES, ROW_NUMBERS } from '../read/row.ts';
import type { Row, RowBlock } from '../read/row.ts';

const SEGMENT_BITS = 13;
const SEGMENT_ROWS = 1 << SEGMENT_BITS;
const SEGMENT_MASK = SEGMENT_ROWS - 1;

/** Of stores that were released; a thread builds one day at a time. */
const spare: Segment[] = [];

interface Segment {
  readonly numbers: Float64Array;
  readonly channels: Uint32Array;
  readonly descriptors: Uint16Array;
}

export class RecordStore {
  readonly #segments: Segment[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Gives the memory back for the next store. The store is empty afterwards. */
  release(): void {
    spare.push(...this.#segments.splice(0));
    this.#size = 0;
  }

  /** Appends `row.numbers` and the descriptor of `row` under `channel`. */
  add(row: Row, channel: number): void {
    const index = this.#size++;
    const place = index & SEGMENT_MASK;
    if (place === 0) this.#segments.push(spare.pop() ?? newSegment());
    const { numbers, channels, descriptors } = this.#segments[index >>> SEGMENT_BITS]!;
    const from = row.numbers;
    const start = place * ROW_NUMBERS;
    for (let slot = 0; slot < ROW_NUMBERS; slot++) numbers[start + slot] = from[slot]!;
    channels[place] = channel;
    descriptors[place] = row.descriptor;
  }

  /** As many calls of `add` as there are `channels`, with the rows of `block` from `first` on. */
  addRows(block: RowBlock, first: number, channels: Uint32Array): void {
    for (let done = 0; done < channels.length;) {
      const place = this.#size & SEGMENT_MASK;
      if (place === 0) this.#segments.push(spare.pop() ?? newSegment());
      const segment = this.#segments[this.#size >>> SEGMENT_BITS]!;
      const count = Math.min(channels.length - done, SEGMENT_ROWS - place);
      const row = first + done;
      segment.numbers.set(block.numbers.subarray(row * ROW_NUMBERS, (row + count) * ROW_NUMBERS), place * ROW_NUMBERS);
      segment.channels.set(channels.subarray(done, done + count), place);
      for (let i = 0; i < count; i++) segment.descriptors[place + i] = block.codes[(row + i) * ROW_CODES + DESCRIPTOR]!;
      this.#size += count;
      done += count;
    }
  }

  /** @param slot - a place in `Row.numbers` */
  number(index: number, slot: number): number {
    return this.#segments[index >>> SEGMENT_BITS]!.numbers[(index & SEGMENT_MASK) * ROW_NUMBERS + slot]!;
  }

  channel(index: number): number {
    return this.#segments[index >>> SEGMENT_BITS]!.channels[index & SEGMENT_MASK]!;
  }

  descriptor(index: number): number {
    return this.#segments[index >>> SEGMENT_BITS]!.descriptors[index & SEGMENT_MASK]!;
  }

  /** A copy of one slot of all readings. */
  column(slot: number): Float64Array {
    const column = new Float64Array(this.#size);
    for (let index = 0; index < column.length; index++) column[index] = this.number(index, slot);
    return column;
  }
}

function newSegment(): Segment {
  return {
    numbers: new Float64Array(SEGMENT_ROWS * ROW_NUMBERS),
    channels: new Uint32Array(SEGMENT_ROWS),
    descriptors: new Uint16Array(SEGMENT_ROWS),
  };
}
