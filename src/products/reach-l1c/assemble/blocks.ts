/**
 * The arrays of the product, a block of times at a time (CDF-15…19): memory stays the same however long the day is.
 */
import { instantToTt2000 } from '../read/instant.ts';
import { ALT, LAT, LON, OB_QUALITY, OB_VALUE, SEN_POS } from '../read/row.ts';
import type { Arrangement } from './arrange.ts';
import type { Axes } from './channels.ts';
import { FIRST_OF_SENSOR, SENSOR_NUMBERS } from './record-store.ts';
import type { RecordStore } from './record-store.ts';

/** Cells without data (CDF-19). */
export const FILL = -1e31;

/** Bytes of dose rates in one block, about. */
const BLOCK_BYTES = 1 << 18;
const MAX_BLOCK_TIMES = 4096;

/** Variables with one value per time and sensor, with the place of that value in a record. */
export const SENSOR_VARIABLES = [
  ['lat', LAT],
  ['lon', LON],
  ['alt', ALT],
  ['obQuality', OB_QUALITY],
  ['sensor_position_x', SEN_POS],
  ['sensor_position_y', SEN_POS + 1],
  ['sensor_position_z', SEN_POS + 2],
] as const;

export interface Block {
  readonly firstTime: number;
  /** TT2000, `[time]`. */
  readonly epoch: BigInt64Array;
  /** `[time, sensor, flavor]`. */
  readonly doseRate: Float64Array;
  /** `[time, sensor]` each, in the order of `SENSOR_VARIABLES`. */
  readonly perSensor: readonly Float64Array[];
}

/** The blocks in time order. Their arrays are reused: done with one before asking for the next. */
export function* makeBlocks(arrangement: Arrangement, store: RecordStore, axes: Axes): Generator<Block> {
  const { times } = arrangement;
  const sensors = axes.sensorLabels.length;
  const cells = sensors * axes.flavorCount;
  const blockTimes = Math.min(times.length, MAX_BLOCK_TIMES, Math.max(1, Math.floor(BLOCK_BYTES / (8 * cells))));
  const epoch = new BigInt64Array(blockTimes);
  const doseRate = new Float64Array(blockTimes * cells);
  const perSensor = SENSOR_VARIABLES.map(() => new Float64Array(blockTimes * sensors));
  const speakers = new Speakers(store, sensors);
  const ofSensor = new Float64Array(SENSOR_NUMBERS);
  for (let first = 0; first < times.length; first += blockTimes) {
    const count = Math.min(blockTimes, times.length - first);
    doseRate.fill(FILL);
    for (const values of perSensor) values.fill(FILL);
    for (let offset = 0; offset < count; offset++) {
      const time = first + offset;
      epoch[offset] = instantToTt2000(times[time]!);
      fillTime(time, offset);
    }
    yield {
      firstTime: first,
      epoch: epoch.subarray(0, count),
      doseRate: doseRate.subarray(0, count * cells),
      perSensor: perSensor.map((values) => values.subarray(0, count * sensors)),
    };
  }

  function fillTime(time: number, offset: number): void {
    for (let i = arrangement.starts[time]!; i < arrangement.starts[time + 1]!; i++) {
      const index = arrangement.order[i]!;
      const channel = store.channel(index);
      const sensor = axes.sensorOfChannel[channel]!;
      const dose = store.number(index, OB_VALUE);
      if (dose === dose) doseRate[(offset * sensors + sensor) * axes.flavorCount + axes.slotOfChannel[channel]!] = dose;
      if (!speakers.offer(time, sensor, index)) continue;
      store.copySensor(index, ofSensor);
      for (let v = 0; v < SENSOR_VARIABLES.length; v++) {
        const value = ofSensor[SENSOR_VARIABLES[v]![1] - FIRST_OF_SENSOR]!;
        perSensor[v]![offset * sensors + sensor] = value === value ? value : FILL;
      }
    }
  }
}

/** Of each sensor the reading that speaks for it at one time: the newest, of equals the first in the file (CDF-17). */
class Speakers {
  readonly #store: RecordStore;
  readonly #time: Uint32Array;
  readonly #index: Uint32Array;

  constructor(store: RecordStore, sensors: number) {
    this.#store = store;
    this.#time = new Uint32Array(sensors);
    this.#index = new Uint32Array(sensors);
  }

  /** @returns whether the reading at `index` speaks for its sensor, as far as was offered */
  offer(time: number, sensor: number, index: number): boolean {
    if (this.#time[sensor] === time + 1) {
      const current = this.#index[sensor]!;
      if (this.#store.isNewer(current, index)) return false;
      if (index > current && !this.#store.isNewer(index, current)) return false;
    }
    this.#time[sensor] = time + 1;
    this.#index[sensor] = index;
    return true;
  }
}
