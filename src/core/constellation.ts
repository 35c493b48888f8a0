/**
 * The REACH constellation: 32 sensors with two dosimeters each, hosted on Iridium satellites.
 *
 * Facts of swxsoc_reach (Apache-2.0), its `reach_observatory_lookup` and `reach_id_dosimeter_relationship` tables.
 */

/** Letter of a dosimeter's shielding and threshold; see the flavor table in the L1C product's README. */
export type Flavor = 'U' | 'V' | 'W' | 'X' | 'Y' | 'Z';

export interface Sensor {
  /** Identifier as the source writes it, `REACH-101`. */
  readonly id: string;
  /** Host satellite as the source writes it, `Iridium-102`. */
  readonly observatory: string;
  /** Pod model, the source's `origSensorId`; it fixes the flavors. */
  readonly podModel: 0 | 1 | 2 | 3;
}

/** Flavors of DOSE1 and DOSE2, by pod model. */
export const FLAVORS_BY_POD_MODEL: readonly (readonly [Flavor, Flavor])[] = [
  ['X', 'Z'],
  ['X', 'W'],
  ['Y', 'V'],
  ['Y', 'U'],
];

/** All sensors, by ascending id. */
export const SENSORS: readonly Sensor[] = [
  { id: 'REACH-101', observatory: 'Iridium-102', podModel: 1 },
  { id: 'REACH-102', observatory: 'Iridium-113', podModel: 2 },
  { id: 'REACH-105', observatory: 'Iridium-106', podModel: 3 },
  { id: 'REACH-108', observatory: 'Iridium-133', podModel: 1 },
  { id: 'REACH-113', observatory: 'Iridium-121', podModel: 2 },
  { id: 'REACH-114', observatory: 'Iridium-110', podModel: 1 },
  { id: 'REACH-115', observatory: 'Iridium-107', podModel: 1 },
  { id: 'REACH-116', observatory: 'Iridium-108', podModel: 2 },
  { id: 'REACH-133', observatory: 'Iridium-117', podModel: 1 },
  { id: 'REACH-134', observatory: 'Iridium-125', podModel: 3 },
  { id: 'REACH-135', observatory: 'Iridium-126', podModel: 1 },
  { id: 'REACH-136', observatory: 'Iridium-132', podModel: 1 },
  { id: 'REACH-137', observatory: 'Iridium-119', podModel: 1 },
  { id: 'REACH-138', observatory: 'Iridium-134', podModel: 3 },
  { id: 'REACH-139', observatory: 'Iridium-137', podModel: 1 },
  { id: 'REACH-140', observatory: 'Iridium-122', podModel: 2 },
  { id: 'REACH-148', observatory: 'Iridium-131', podModel: 2 },
  { id: 'REACH-149', observatory: 'Iridium-164', podModel: 1 },
  { id: 'REACH-162', observatory: 'Iridium-147', podModel: 1 },
  { id: 'REACH-163', observatory: 'Iridium-149', podModel: 2 },
  { id: 'REACH-164', observatory: 'Iridium-152', podModel: 1 },
  { id: 'REACH-165', observatory: 'Iridium-145', podModel: 3 },
  { id: 'REACH-166', observatory: 'Iridium-180', podModel: 2 },
  { id: 'REACH-169', observatory: 'Iridium-153', podModel: 0 },
  { id: 'REACH-170', observatory: 'Iridium-156', podModel: 0 },
  { id: 'REACH-171', observatory: 'Iridium-158', podModel: 0 },
  { id: 'REACH-172', observatory: 'Iridium-159', podModel: 0 },
  { id: 'REACH-173', observatory: 'Iridium-165', podModel: 1 },
  { id: 'REACH-175', observatory: 'Iridium-168', podModel: 3 },
  { id: 'REACH-176', observatory: 'Iridium-150', podModel: 1 },
  { id: 'REACH-180', observatory: 'Iridium-171', podModel: 0 },
  { id: 'REACH-181', observatory: 'Iridium-160', podModel: 0 },
];

/** Sensors by id. */
export const SENSOR_BY_ID: ReadonlyMap<string, Sensor> = new Map(SENSORS.map((sensor) => [sensor.id, sensor]));

/** Nominal time step of a sensor in seconds. */
export const CADENCE_S = 5;

/** Readings of one dosimeter in a complete day. */
export const READINGS_PER_DOSIMETER_DAY = 86_400 / CADENCE_S;
