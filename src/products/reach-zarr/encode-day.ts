/** The values of a day's CDF as the objects of the store. The same file always gives the same bytes. */
import { SENSORS } from '../../core/constellation.ts';
import { encodeChunk, encodeShard } from '../../formats/zarr/index.ts';
import type { ArraySchema, GroupSchema, PeriodBytes } from '../../formats/zarr/index.ts';
import { NOWHERE } from './day-file.ts';
import type { DayFile } from './day-file.ts';
import { FLAVOR_SLOTS, MEASUREMENTS, SOURCE_FILE, SOURCE_HASH, STEPS_PER_DAY, TIME_OFFSET } from './layout.ts';
import type { Measurement } from './layout.ts';

/** Values at or below are missing (CDF-19, CDF-D16). */
const MISSING = -1e30;

/** Which file a day is of. */
export interface DaySource {
  readonly file: string;
  readonly sha256: string;
}

/**
 * Compresses on the calling thread.
 *
 * @param file - as `openDayFile` gives it
 * @param table - of nobody else meanwhile
 * @throws FormatError when the file is damaged
 */
export async function encodeDay(
  file: DayFile,
  source: DaySource,
  schema: GroupSchema,
  table: SeriesTable,
): Promise<PeriodBytes> {
  const arrays = new Map(schema.arrays.map((array) => [array.name, array]));
  const bytes: Record<string, Uint8Array | null> = {
    [SOURCE_HASH]: await encodeChunk(arrays.get(SOURCE_HASH)!, [source.sha256], true),
    [SOURCE_FILE]: await encodeChunk(arrays.get(SOURCE_FILE)!, [source.file], true),
  };
  const offsets = arrays.get(TIME_OFFSET);
  if (offsets) bytes[TIME_OFFSET] = await encodeChunk(offsets, onGrid(file), true);
  for (const name of MEASUREMENTS) bytes[name] = await encodeMeasurement(file, name, arrays.get(name)!, table);
  return bytes;
}

async function encodeMeasurement(
  { reader, steps, dosimeterPlaces, sensorPlaces }: DayFile,
  name: Measurement,
  array: ArraySchema,
  table: SeriesTable,
): Promise<Uint8Array | null> {
  const isDose = name === 'dose_rate';
  table.clear(SENSORS.length * (isDose ? FLAVOR_SLOTS : 1));
  for await (const { first, records, values } of reader.batches(name)) {
    const times = steps.subarray(first, first + records);
    table.add(values as Float64Array, times, isDose ? dosimeterPlaces : sensorPlaces);
  }
  const chunks: (Uint8Array | null)[] = [];
  for (const series of table.series()) chunks.push(series && (await encodeChunk(array, series, true)));
  return encodeShard(array, chunks);
}

/** Turns records into one series of a day per place; made once for many days. */
export class SeriesTable {
  readonly #values = new Float64Array(SENSORS.length * FLAVOR_SLOTS * STEPS_PER_DAY);
  readonly #used = new Uint8Array(SENSORS.length * FLAVOR_SLOTS);
  #places = 0;

  /** @param places - how many there are from now on, without a value */
  clear(places: number): void {
    this.#values.fill(NaN, 0, places * STEPS_PER_DAY);
    this.#used.fill(0);
    this.#places = places;
  }

  /**
   * @param values - `[record, cell]`
   * @param steps - place of each record in time
   * @param places - place of each cell
   */
  add(values: Float64Array, steps: Uint16Array, places: Uint8Array): void {
    const cells = places.length;
    // Cell by cell: the records lie in the processor's cache, each series is written in one go.
    for (let cell = 0; cell < cells; cell++) {
      const place = places[cell]!;
      if (place === NOWHERE) continue;
      const start = place * STEPS_PER_DAY;
      let isUsed = false;
      for (let record = 0, at = cell; record < steps.length; record++, at += cells) {
        const value = values[at]!;
        // Not a number compares as false.
        if (!(value > MISSING)) continue;
        this.#values[start + steps[record]!] = value;
        isUsed = true;
      }
      if (isUsed) this.#used[place] = 1;
    }
  }

  /** One series per place, valid until the next `clear`; null where there is no value. */
  series(): (Float64Array | null)[] {
    return Array.from({ length: this.#places }, (_, place) =>
      this.#used[place] === 1 ? this.#values.subarray(place * STEPS_PER_DAY, (place + 1) * STEPS_PER_DAY) : null,
    );
  }
}

function onGrid({ steps, offsetsNs }: DayFile): Float64Array {
  const values = new Float64Array(STEPS_PER_DAY).fill(NaN);
  for (const [record, step] of steps.entries()) values[step] = offsetsNs[record]!;
  return values;
}
