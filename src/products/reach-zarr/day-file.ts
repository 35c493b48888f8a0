/**
 * A day's CDF, held against the layout before anything of it is written (SAFE-12, APPEND-11): variables, types, units,
 * fill, sensors, dosimeters, descriptor, times. What does not fit is told in full, never bent to fit.
 */
import { CADENCE_S, FLAVORS_BY_POD_MODEL, SENSORS } from '../../core/constellation.ts';
import { parseProductSlug } from '../../core/product.ts';
import type { Day } from '../../core/time/day.ts';
import { CdfReader, FormatError, utcToTt2000 } from '../../formats/cdf/index.ts';
import type { VariableDescription } from '../../formats/cdf/index.ts';
import { flavorText, FLAVOR_SLOTS, MEASUREMENTS, sensorNumber, STEPS_PER_DAY } from './layout.ts';
import type { Measurement, ZarrSettings } from './layout.ts';

/** Spellings of one unit each: the published files' and those corrected after ISTP (CDF-D5, D6). */
const UNITS: Readonly<Record<Measurement, readonly string[]>> = {
  dose_rate: ['rad/s', '0.01 J / kg'],
  lat: ['deg'],
  lon: ['deg'],
  alt: ['km'],
  obQuality: ['', 'unitless'],
  sensor_position_x: ['km'],
  sensor_position_y: ['km'],
  sensor_position_z: ['km'],
};
const FILL = -1e31;

const STEP_NS = BigInt(CADENCE_S) * 1_000_000_000n;
/** Differences of one kind that are told one by one. */
const TOLD = 3;

/** A file that fits. Close it. */
export interface DayFile {
  readonly reader: CdfReader;
  /** Place on the day's grid of each record, 0 to 17,279, ascending. */
  readonly steps: Uint16Array;
  /** Measured minus grid time in ns, per record. */
  readonly offsetsNs: Float64Array;
  /** For each cell of a record of `dose_rate`, its place among the layout's 64. */
  readonly dosimeterPlaces: Uint8Array;
  /** For each sensor of the file, its place among the layout's 32. */
  readonly sensorPlaces: Uint8Array;
}

/**
 * @param source - its path, or all of its bytes; these are decompressed on the calling thread
 * @returns the file, or what in it differs from the layout, a line each
 * @throws FormatError when it is no CDF or damaged; errors of the file system
 */
export async function openDayFile(
  source: string | Buffer,
  day: Day,
  settings: ZarrSettings,
): Promise<DayFile | string[]> {
  const reader =
    typeof source === 'string'
      ? await CdfReader.open(source, { verifyChecksum: false })
      : await CdfReader.openBytes(source, { verifyChecksum: false, inline: true });
  try {
    const structure = [...describeVariables(reader), ...describeSource(reader, settings)];
    const sensors = structure.length > 0 ? structure : await placeSensors(reader);
    const times = structure.length > 0 ? [] : await placeTimes(reader, day, settings);
    if (!Array.isArray(sensors) && !Array.isArray(times)) return { reader, ...sensors, ...times };
    await reader.close();
    return [...(Array.isArray(sensors) ? sensors : []), ...(Array.isArray(times) ? times : [])];
  } catch (error) {
    await reader.close();
    throw error;
  }
}

/** What stands in the way of reading a file, as a difference. */
export async function told<T>(work: Promise<T>): Promise<T | string[]> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof FormatError) return [`file: ${error.message}`];
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ['file: expected a CDF, found nothing at its path'];
    throw error;
  }
}

function describeVariables(reader: CdfReader): string[] {
  const sensors = reader.variables.get('sensor_ids')?.dims[0] ?? 0;
  const flavors = reader.variables.get('dosimeter_flavors')?.dims[1] ?? 0;
  const axes = [
    ...expectVariable(reader, 'Epoch', 'CDF_TIME_TT2000', []),
    ...expectVariable(reader, 'sensor_ids', 'CDF_INT4', [sensors]),
    ...expectVariable(reader, 'dosimeter_flavors', 'CDF_CHAR', [sensors, flavors]),
  ];
  const records = reader.variables.get('Epoch')?.records;
  const measurements = MEASUREMENTS.flatMap((name) => {
    const dims = name === 'dose_rate' ? [sensors, flavors] : [sensors];
    const found = expectVariable(reader, name, 'CDF_DOUBLE', dims);
    const variable = reader.variables.get(name);
    return variable && found.length === 0 ? describeMeasurement(name, variable, records) : found;
  });
  return [...axes, ...measurements];
}

function expectVariable(reader: CdfReader, name: string, type: string, dims: readonly number[]): string[] {
  const variable = reader.variables.get(name);
  if (!variable) return [`${name}: expected a variable of this name, found none`];
  return [
    ...differs(`${name} type`, type, variable.type),
    ...differs(`${name} dimensions`, `[${dims.join(', ')}]`, `[${variable.dims.join(', ')}]`),
  ];
}

function describeMeasurement(name: Measurement, { attributes, records }: VariableDescription, times = 0): string[] {
  const units = String(attributes.get('UNITS')?.value ?? '').trim();
  const fill = attributes.get('FILLVAL')?.value;
  const found = [
    ...differs(`${name} records`, String(times), String(records)),
    ...differs(`${name} FILLVAL`, String(FILL), String(Array.isArray(fill) ? fill[0] : fill)),
    ...differs(`${name} DEPEND_0`, 'Epoch', String(attributes.get('DEPEND_0')?.value)),
    ...differs(`${name} DEPEND_1`, 'sensor_ids', String(attributes.get('DEPEND_1')?.value)),
  ];
  return UNITS[name].includes(units)
    ? found
    : [...found, ...differs(`${name} UNITS`, UNITS[name].join(' or ') || 'none', units)];
}

function describeSource({ globalAttributes }: CdfReader, { product }: ZarrSettings): string[] {
  const found = globalAttributes.get('UDL_Source')?.entries[0]?.value;
  return differs('UDL_Source', parseProductSlug(product).descriptor, String(found ?? 'none'));
}

/** Where the file's sensors and dosimeters belong: by their id and description, never by their place in the file. */
async function placeSensors(reader: CdfReader): Promise<Pick<DayFile, 'sensorPlaces' | 'dosimeterPlaces'> | string[]> {
  const ids = [...((await reader.read('sensor_ids')) as Int32Array)];
  const texts = ((await reader.read('dosimeter_flavors')) as readonly string[]).map((text) => text.trimEnd());
  const slots = texts.length / ids.length;
  const places = ids.map((id) => SENSORS.findIndex((sensor) => sensorNumber(sensor.id) === id));
  const unknown = ids.filter((_, i) => places[i] === -1);
  const differences = [
    ...(unknown.length > 0
      ? [`sensor_ids: expected sensors of the constellation, found also ${unknown.join(', ')}`]
      : []),
    ...(new Set(ids).size === ids.length ? [] : [`sensor_ids: expected each sensor once, found ${ids.join(', ')}`]),
  ];
  if (differences.length > 0) return differences;
  const dosimeterPlaces = new Uint8Array(texts.length).fill(NOWHERE);
  for (const [cell, text] of texts.entries()) {
    const place = places[Math.floor(cell / slots)]!;
    const { id, podModel } = SENSORS[place]!;
    const expected = FLAVORS_BY_POD_MODEL[podModel]!.map((flavor, slot) => flavorText(slot, flavor));
    const slot = expected.indexOf(text);
    const target = place * FLAVOR_SLOTS + slot;
    // A sensor with one dosimeter leaves the other place without a description.
    if (text === '') continue;
    if (slot === -1) differences.push(`dosimeter_flavors of ${id}: expected ${expected.join(' or ')}, found ${text}`);
    else if (dosimeterPlaces.includes(target)) differences.push(`dosimeter_flavors of ${id}: found ${text} twice`);
    else dosimeterPlaces[cell] = target;
  }
  if (differences.length > 0) return shortened(differences);
  return { sensorPlaces: Uint8Array.from(places), dosimeterPlaces };
}

/** In `dosimeterPlaces`: a cell that no dosimeter fills. */
export const NOWHERE = 0xff;

async function placeTimes(
  reader: CdfReader,
  day: Day,
  { exactTimes }: ZarrSettings,
): Promise<Pick<DayFile, 'steps' | 'offsetsNs'> | string[]> {
  const epochs = (await reader.read('Epoch')) as BigInt64Array;
  const start = utcToTt2000(`${day}T00:00:00Z`);
  const steps = new Uint16Array(epochs.length);
  const offsetsNs = new Float64Array(epochs.length);
  const differences: string[] = [];
  let former = -1;
  for (let i = 0; i < epochs.length; i++) {
    const sinceStart = epochs[i]! - start;
    const step = Number((sinceStart + (exactTimes ? STEP_NS / 2n : 0n)) / STEP_NS);
    const offset = Number(sinceStart - BigInt(step) * STEP_NS);
    if (sinceStart < 0n || step >= STEPS_PER_DAY) differences.push(`${time(i, sinceStart)}: expected a time of ${day}`);
    else if (offset !== 0 && !exactTimes) differences.push(`${time(i, sinceStart)}: off the grid of ${CADENCE_S} s`);
    else if (step <= former) differences.push(`${time(i, sinceStart)}: another record has its place on the grid`);
    former = step;
    steps[i] = step;
    offsetsNs[i] = offset;
  }
  return differences.length > 0 ? shortened(differences) : { steps, offsetsNs };
}

function time(record: number, sinceStartNs: bigint): string {
  return `Epoch record ${record} (${Number(sinceStartNs) / 1e9} s of the day)`;
}

function shortened(differences: readonly string[]): string[] {
  const more = differences.length - TOLD;
  return more > 0 ? [...differences.slice(0, TOLD), `and ${more} more like these`] : [...differences];
}

function differs(what: string, expected: string, found: string): string[] {
  return expected === found ? [] : [`${what}: expected ${expected}, found ${found === '' ? 'none' : found}`];
}
