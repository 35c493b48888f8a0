/**
 * The layout of the store: which arrays there are, on which axes, with which CF metadata. Everything here follows from the
 * constellation, the declared origin and the options; nothing is taken from a day's file, so that the store is the same
 * whichever day comes first.
 */
import { CADENCE_S, FLAVORS_BY_POD_MODEL, SENSORS } from '../../core/constellation.ts';
import { parseProductSlug } from '../../core/product.ts';
import type { ProductSlug } from '../../core/product.ts';
import { addDays, countDays, parseDay } from '../../core/time/day.ts';
import type { Day } from '../../core/time/day.ts';
import type { ArraySchema, GroupSchema, Json } from '../../formats/zarr/index.ts';

export interface ZarrSettings {
  readonly product: ProductSlug;
  /** First day of the time axis; no earlier one has a place. */
  readonly origin: Day;
  /** Keep each time as it was measured beside the grid, and admit times off the grid. */
  readonly exactTimes: boolean;
}

export const STEPS_PER_DAY = 86_400 / CADENCE_S;
export const FLAVOR_SLOTS = 2;

/** Days of the time axis in one object: opening ten years reads 58 of them, about 35 kB each. */
const TIME_OBJECT_DAYS = 64;
const DAY_OBJECT_DAYS = 4096;

/** NaN as xarray writes and expects it for Zarr 3: base64 of its bytes. */
const NAN_ATTRIBUTE = 'AAAAAAAA+H8=';

export const MEASUREMENTS = [
  'dose_rate',
  'lat',
  'lon',
  'alt',
  'obQuality',
  'sensor_position_x',
  'sensor_position_y',
  'sensor_position_z',
] as const;
export type Measurement = (typeof MEASUREMENTS)[number];

/** Name of the array that tells which file a day is of: empty for days without one. */
export const SOURCE_HASH = 'source_sha256';
export const SOURCE_FILE = 'source_file';
/** Name of the array of exact times, with the option. */
export const TIME_OFFSET = 'time_offset';

interface MeasurementFacts {
  readonly longName: string;
  /** As UDUNITS reads them; `rad` would be radians there. */
  readonly units: string;
  readonly further?: Readonly<Record<string, string>>;
}

const POSITION = 'in geocentric equatorial inertial coordinates';
const FACTS: Readonly<Record<Measurement, MeasurementFacts>> = {
  dose_rate: { longName: 'Dose rate, in rad (0.01 J/kg) per second', units: '0.01 J kg-1 s-1' },
  lat: { longName: 'Latitude', units: 'degrees_north', further: { standard_name: 'latitude' } },
  lon: { longName: 'Longitude', units: 'degrees_east', further: { standard_name: 'longitude' } },
  alt: { longName: 'Altitude', units: 'km', further: { standard_name: 'altitude', positive: 'up' } },
  obQuality: { longName: 'Observation quality flag of the source', units: '1' },
  sensor_position_x: { longName: `Position X ${POSITION}`, units: 'km' },
  sensor_position_y: { longName: `Position Y ${POSITION}`, units: 'km' },
  sensor_position_z: { longName: `Position Z ${POSITION}`, units: 'km' },
};

export function sensorNumber(id: string): number {
  return Number(id.slice('REACH-'.length));
}

/** Text of a dosimeter as the source and the CDFs have it. */
export function flavorText(slot: number, flavor: string): string {
  return `DOSE${slot + 1} (Flavor ${flavor}) in rad/second`;
}

/** Which period of the store a day is; negative before the origin. */
export function periodOfDay(day: Day, { origin }: ZarrSettings): number {
  return countDays(origin, day) - 1;
}

export function zarrSchema(settings: ZarrSettings): GroupSchema {
  const { product, origin, exactTimes } = settings;
  return {
    attributes: {
      Conventions: 'CF-1.11',
      title: 'REACH dose rates and positions on a regular grid of 5 seconds',
      institution: 'The Aerospace Corporation',
      source: 'Responsive Environmental Assessment Commercially Hosted (REACH), L1C, one CDF a day',
      references: 'https://doi.org/10.5281/zenodo.5988170',
      comment:
        'Days whose name stands in "updating" are being rewritten: read them again later. Times are UTC; leap seconds have no place.',
      product,
      UDL_Source: parseProductSlug(product).descriptor,
      time_origin: `${origin}T00:00:00Z`,
      steps_per_day: STEPS_PER_DAY,
      exact_times: exactTimes ? `kept in ${TIME_OFFSET}` : 'on the grid',
      layout_version: 1,
    },
    arrays: [
      timeAxis(origin),
      dayAxis(origin),
      ...sensorAxes(),
      ...MEASUREMENTS.map(measurement),
      ...(exactTimes ? [timeOffset()] : []),
      sourceArray(SOURCE_HASH, 'SHA-256 of the CDF that the day was taken from'),
      sourceArray(SOURCE_FILE, 'Name of the CDF that the day was taken from'),
    ],
    periodName: (period) => addDays(origin, period),
    periodOf: (name) => periodOfDay(parseDay(name), settings),
  };
}

function timeAxis(origin: Day): ArraySchema {
  const steps = TIME_OBJECT_DAYS * STEPS_PER_DAY;
  return {
    name: 'time',
    type: 'int32',
    dimensions: ['time'],
    shape: [STEPS_PER_DAY],
    grows: 'periods',
    chunk: [steps],
    compression: 'blosc',
    fill: 0,
    attributes: {
      standard_name: 'time',
      long_name: 'Observation time (UTC)',
      units: `seconds since ${origin} 00:00:00`,
      calendar: 'standard',
      axis: 'T',
    },
    generated: (index) => evenly(steps, index * steps, CADENCE_S),
  };
}

function dayAxis(origin: Day): ArraySchema {
  return {
    name: 'day',
    type: 'int32',
    dimensions: ['day'],
    shape: [1],
    grows: 'periods',
    chunk: [DAY_OBJECT_DAYS],
    compression: 'blosc',
    fill: 0,
    attributes: { long_name: 'UTC day', units: `days since ${origin} 00:00:00`, calendar: 'standard' },
    generated: (index) => evenly(DAY_OBJECT_DAYS, index * DAY_OBJECT_DAYS, 1),
  };
}

/** `length` multiples of `step`, from the `first`-th on. */
function evenly(length: number, first: number, step: number): Int32Array {
  const values = new Int32Array(length);
  for (let i = 0; i < length; i++) values[i] = (first + i) * step;
  return values;
}

function sensorAxes(): ArraySchema[] {
  const flavors = SENSORS.flatMap(({ podModel }) =>
    FLAVORS_BY_POD_MODEL[podModel]!.map((flavor, slot) => flavorText(slot, flavor)),
  );
  const slots = Int32Array.from({ length: FLAVOR_SLOTS }, (_, slot) => slot);
  const numbers = Int32Array.from(SENSORS, ({ id }) => sensorNumber(id));
  return [
    fixed('sensor_ids', ['sensor_ids'], { long_name: 'REACH sensor number' }, numbers),
    fixed(
      'sensor_labels',
      ['sensor_ids'],
      { long_name: 'REACH sensor' },
      SENSORS.map(({ id }) => id),
    ),
    fixed(
      'dosimeter_flavor_ids',
      ['dosimeter_flavor_ids'],
      { long_name: 'Dosimeter of a sensor: 0 is DOSE1, 1 is DOSE2' },
      slots,
    ),
    fixed(
      'dosimeter_flavors',
      ['sensor_ids', 'dosimeter_flavor_ids'],
      { long_name: 'Dosimeter and flavor (shielding and threshold)' },
      flavors,
    ),
  ];
}

function fixed(
  name: string,
  dimensions: readonly string[],
  attributes: Readonly<Record<string, Json>>,
  values: Int32Array | readonly string[],
): ArraySchema {
  const shape = dimensions.map((dimension) => (dimension === 'sensor_ids' ? SENSORS.length : FLAVOR_SLOTS));
  const type = Array.isArray(values) ? 'string' : 'int32';
  return {
    name,
    type,
    dimensions,
    shape,
    grows: 'no',
    chunk: shape,
    compression: 'zstd',
    fill: type === 'string' ? '' : -1,
    attributes,
    generated: () => values,
  };
}

/** One object a day, in it one chunk per sensor (and dosimeter): a series over years reads a thirty-second of the bytes. */
function measurement(name: Measurement): ArraySchema {
  const perSensor = name !== 'dose_rate';
  const { longName, units, further } = FACTS[name];
  const shape = [STEPS_PER_DAY, SENSORS.length, ...(perSensor ? [] : [FLAVOR_SLOTS])];
  const isCoordinate = name === 'lat' || name === 'lon' || name === 'alt';
  const coordinates = ['lat', 'lon', 'alt', 'sensor_labels', ...(perSensor ? [] : ['dosimeter_flavors'])].join(' ');
  return {
    name,
    type: 'float64',
    dimensions: ['time', 'sensor_ids', ...(perSensor ? [] : ['dosimeter_flavor_ids'])],
    shape,
    grows: 'periods',
    chunk: shape,
    innerChunk: [STEPS_PER_DAY, ...shape.slice(1).map(() => 1)],
    compression: 'zstd',
    fill: NaN,
    attributes: {
      long_name: longName,
      units,
      ...further,
      ...(isCoordinate ? {} : { coordinates }),
      _FillValue: NAN_ATTRIBUTE,
    },
  };
}

function timeOffset(): ArraySchema {
  return {
    name: TIME_OFFSET,
    type: 'float64',
    dimensions: ['time'],
    shape: [STEPS_PER_DAY],
    grows: 'periods',
    chunk: [STEPS_PER_DAY],
    compression: 'zstd',
    fill: NaN,
    attributes: { long_name: 'Time as measured minus time of the grid', units: '1e-9 s', _FillValue: NAN_ATTRIBUTE },
  };
}

function sourceArray(name: string, longName: string): ArraySchema {
  return {
    name,
    type: 'string',
    dimensions: ['day'],
    shape: [1],
    grows: 'periods',
    chunk: [1],
    compression: 'zstd',
    fill: '',
    attributes: { long_name: longName },
  };
}
