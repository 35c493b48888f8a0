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
/** Variables under way at once: one is decompressed or compressed while another one is sorted. */
const VARIABLES_AT_ONCE = 3;

/** Which file a day is of. */
export interface DaySource {
  readonly file: string;
  readonly sha256: string;
}

/**
 * @param file - as `openDayFile` gives it
 * @throws FormatError when the file is damaged
 */
export async function encodeDay(file: DayFile, source: DaySource, schema: GroupSchema): Promise<PeriodBytes> {
  const arrays = new Map(schema.arrays.map((array) => [array.name, array]));
  const bytes: Record<string, Uint8Array | null> = {
    [SOURCE_HASH]: await encodeChunk(arrays.get(SOURCE_HASH)!, [source.sha256]),
    [SOURCE_FILE]: await encodeChunk(arrays.get(SOURCE_FILE)!, [source.file]),
  };
  const offsets = arrays.get(TIME_OFFSET);
  if (offsets) bytes[TIME_OFFSET] = await encodeChunk(offsets, onGrid(file));
  const queue = [...MEASUREMENTS];
  const worker = async (): Promise<void> => {
    for (let name = queue.shift(); name; name = queue.shift())
      bytes[name] = await encodeMeasurement(file, name, arrays.get(name)!);
  };
  await Promise.all(Array.from({ length: VARIABLES_AT_ONCE }, worker));
  return bytes;
}

async function encodeMeasurement(file: DayFile, name: Measurement, array: ArraySchema): Promise<Uint8Array | null> {
  const values = (await file.reader.read(name)) as Float64Array;
  const isDose = name === 'dose_rate';
  const places = isDose ? file.dosimeterPlaces : file.sensorPlaces;
  const series = toSeries(values, file.steps, places, SENSORS.length * (isDose ? FLAVOR_SLOTS : 1));
  return encodeShard(array, await Promise.all(series.map(async (each) => each && (await encodeChunk(array, each)))));
}

/**
 * Turns records into one series per place.
 *
 * @param values - `[record, cell]`
 * @param steps - place of each record in time
 * @param places - place of each cell
 * @returns one series of a day per place; null where there is no value
 */
export function toSeries(
  values: Float64Array,
  steps: Uint16Array,
  places: Uint8Array,
  placeCount: number,
): (Float64Array | null)[] {
  const all = new Float64Array(placeCount * STEPS_PER_DAY).fill(NaN);
  const used = new Uint8Array(placeCount);
  const cells = places.length;
  const starts = Uint32Array.from(places, (place) => place * STEPS_PER_DAY);
  for (let record = 0; record < steps.length; record++) {
    const step = steps[record]!;
    for (let cell = 0; cell < cells; cell++) {
      const value = values[record * cells + cell]!;
      // Not a number compares as false.
      if (!(value > MISSING) || places[cell] === NOWHERE) continue;
      all[starts[cell]! + step] = value;
      used[places[cell]!] = 1;
    }
  }
  return Array.from(used, (isUsed, place) =>
    isUsed === 1 ? all.subarray(place * STEPS_PER_DAY, (place + 1) * STEPS_PER_DAY) : null,
  );
}

function onGrid({ steps, offsetsNs }: DayFile): Float64Array {
  const values = new Float64Array(STEPS_PER_DAY).fill(NaN);
  for (const [record, step] of steps.entries()) values[step] = offsetsNs[record]!;
  return values;
}
