/**
 * The readings of a day in memory, in file order, in segments that are never copied: 34 bytes each, and 56 for what the
 * readings of a sensor at one time say of the sensor itself.
 *
 * Memory follows the number of readings, not times × sensors: sensors that are not on one grid would make the full
 * table tens of times larger than its content.
 */
import { CREATED_AT, OB_QUALITY, OB_TIME, ROW_NUMBERS } from '../read/row.ts';

const SEGMENT_BITS = 13;
const SEGMENT_ROWS = 1 << SEGMENT_BITS;
const SEGMENT_MASK = SEGMENT_ROWS - 1;

/** The numbers of a row before this one are of the reading itself, those from it on of its sensor at that time. */
export const FIRST_OF_SENSOR = OB_QUALITY;
export const SENSOR_NUMBERS = ROW_NUMBERS - FIRST_OF_SENSOR;

interface Segment {
  /** `FIRST_OF_SENSOR` a reading. */
  readonly numbers: Float64Array;
  readonly channels: Uint32Array;
  readonly descriptors: Uint16Array;
  /** Which of the sensors' numbers go with the reading. */
  readonly sensors: Uint32Array;
}

// Of stores that were released; a thread builds one day at a time.
const spare: Segment[] = [];
const spareNumbers: Float64Array[] = [];

/** The latest of one sensor. */
interface Latest {
  time: number;
  createdAt: number;
  place: number;
}

export class RecordStore {
  readonly #segments: Segment[] = [];
  readonly #sensorNumbers: Float64Array[] = [];
  /** By the sensor's code. */
  readonly #latest: (Latest | undefined)[] = [];
  #size = 0;
  #sensorPlaces = 0;

  get size(): number {
    return this.#size;
  }

  /** Gives the memory back for the next store. The store is empty afterwards. */
  release(): void {
    spare.push(...this.#segments.splice(0));
    spareNumbers.push(...this.#sensorNumbers.splice(0));
    this.#latest.length = 0;
    this.#size = 0;
    this.#sensorPlaces = 0;
  }

  /**
   * Appends a reading of `sensor` under `channel`; its numbers, those of a `Row`, begin at `start`.
   *
   * Of a sensor at one time the newest reading alone speaks, of equals the first (CDF-17). So of readings of one time that
   * come together only that one's numbers of the sensor are kept, for all of them.
   */
  add(numbers: Float64Array, start: number, sensor: number, channel: number, descriptor: number): void {
    const index = this.#size++;
    const row = index & SEGMENT_MASK;
    if (row === 0) this.#segments.push(spare.pop() ?? newSegment());
    const segment = this.#segments[index >>> SEGMENT_BITS]!;
    for (let slot = 0; slot < FIRST_OF_SENSOR; slot++) {
      segment.numbers[row * FIRST_OF_SENSOR + slot] = numbers[start + slot]!;
    }
    segment.channels[row] = channel;
    segment.descriptors[row] = descriptor;
    segment.sensors[row] = this.#addSensor(numbers, start, sensor);
  }

  /** @param slot - `OB_TIME`, `CREATED_AT` or `OB_VALUE` */
  number(index: number, slot: number): number {
    return this.#segments[index >>> SEGMENT_BITS]!.numbers[(index & SEGMENT_MASK) * FIRST_OF_SENSOR + slot]!;
  }

  /** Whether a reading was created later than another. */
  isNewer(index: number, other: number): boolean {
    return this.number(index, CREATED_AT) > this.number(other, CREATED_AT);
  }

  /** Copies the numbers of a reading that speaks for its sensor, those of a `Row` from `obQuality` on, to `target`. */
  copySensor(index: number, target: Float64Array): void {
    const place = this.#segments[index >>> SEGMENT_BITS]!.sensors[index & SEGMENT_MASK]!;
    const numbers = this.#sensorNumbers[place >>> SEGMENT_BITS]!;
    const first = (place & SEGMENT_MASK) * SENSOR_NUMBERS;
    for (let i = 0; i < SENSOR_NUMBERS; i++) target[i] = numbers[first + i]!;
  }

  channel(index: number): number {
    return this.#segments[index >>> SEGMENT_BITS]!.channels[index & SEGMENT_MASK]!;
  }

  descriptor(index: number): number {
    return this.#segments[index >>> SEGMENT_BITS]!.descriptors[index & SEGMENT_MASK]!;
  }

  /** A copy of one slot, as for `number`, of all readings. */
  column(slot: number): Float64Array {
    const column = new Float64Array(this.#size);
    for (let index = 0; index < column.length; index++) column[index] = this.number(index, slot);
    return column;
  }

  /** @returns the place of the sensor's numbers */
  #addSensor(numbers: Float64Array, start: number, sensor: number): number {
    const time = numbers[start + OB_TIME]!;
    const createdAt = numbers[start + CREATED_AT]!;
    const latest = (this.#latest[sensor] ??= { time: NaN, createdAt, place: 0 });
    if (latest.time === time) {
      if (createdAt <= latest.createdAt) return latest.place;
    } else {
      latest.time = time;
      latest.place = this.#sensorPlaces++;
      if ((latest.place & SEGMENT_MASK) === 0) this.#sensorNumbers.push(spareNumbers.pop() ?? newSensorNumbers());
    }
    latest.createdAt = createdAt;
    const target = this.#sensorNumbers[latest.place >>> SEGMENT_BITS]!;
    const first = (latest.place & SEGMENT_MASK) * SENSOR_NUMBERS;
    for (let i = 0; i < SENSOR_NUMBERS; i++) target[first + i] = numbers[start + FIRST_OF_SENSOR + i]!;
    return latest.place;
  }
}

function newSegment(): Segment {
  return {
    numbers: new Float64Array(SEGMENT_ROWS * FIRST_OF_SENSOR),
    channels: new Uint32Array(SEGMENT_ROWS),
    descriptors: new Uint16Array(SEGMENT_ROWS),
    sensors: new Uint32Array(SEGMENT_ROWS),
  };
}

function newSensorNumbers(): Float64Array {
  return new Float64Array(SEGMENT_ROWS * SENSOR_NUMBERS);
}
