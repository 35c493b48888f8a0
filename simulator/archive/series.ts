/**
 * The time series the archive holds, one per descriptor, sensor and dosimeter, with the fixed parts of their records.
 */
import { FLAVORS_BY_POD_MODEL, SENSORS } from '../../src/core/constellation.ts';
import type { Flavor, Sensor } from '../../src/core/constellation.ts';
import type { Descriptor } from '../../src/core/product.ts';
import type { BlankKind } from './day-plan.ts';
import { createPalette } from './dose.ts';
import { createOrbit } from './orbit.ts';
import type { Orbit } from './orbit.ts';
import type { ArchiveSettings } from './options.ts';
import { SATELLITE_NUMBERS } from './satellites.ts';

/** Fills the places of an id and of the three instants until they are patched. */
const ID_HOLE = '00000000-0000-4000-8000-000000000000';
const STAMP_HOLE = '0000-00-00T00:00:00.000Z';

/** A record's fixed text: from its start to the value of `lat`; from behind `senPos` to `obValue`; from there to the end. */
export interface RecordTemplate {
  readonly head: Buffer;
  /** Offsets of the holes in their piece. */
  readonly idAt: number;
  readonly genTimeAt: number;
  readonly middle: Buffer;
  readonly obTimeAt: number;
  readonly tail: Buffer;
  readonly createdAt: number;
}

export interface Series {
  readonly descriptor: Descriptor;
  readonly sensorId: string;
  /** Index of the sensor in the constellation, 0 … 31. */
  readonly sensor: number;
  /** `sensor × 2 + dosimeter`, 0 … 63. */
  readonly pair: number;
  readonly orbit: Orbit;
  readonly palette: readonly string[];
  readonly template: RecordTemplate;
  /** The same for records that do not know their sensor. */
  readonly blankTemplates: Readonly<Record<BlankKind, RecordTemplate>>;
}

/** The particles a flavor's shielding lets through, as the sample most often says. */
const PARTICLES: Readonly<Record<Flavor, string>> = {
  U: 'PROTONS',
  V: 'PROTONS',
  W: 'PROTONS',
  X: 'PROTONS+ELECTRONS',
  Y: 'PROTONS',
  Z: 'ELECTRONS',
};

/** All series in the order in which one instant's records are served: descriptor, sensor, dosimeter. */
export function createSeries(settings: ArchiveSettings): readonly Series[] {
  const palettes = new Map<Flavor, readonly string[]>();
  const paletteOf = (flavor: Flavor): readonly string[] => {
    const palette = palettes.get(flavor) ?? createPalette(settings.seed, flavor);
    palettes.set(flavor, palette);
    return palette;
  };
  const orbits = SENSORS.map((_, index) => createOrbit(settings.seed, index));
  return settings.descriptors.flatMap((descriptor) =>
    SENSORS.flatMap((sensor, index) => {
      if (!settings.sensors.has(sensor.id)) return [];
      return FLAVORS_BY_POD_MODEL[sensor.podModel]!.map((flavor, dosimeter) => {
        const template = (idSensor: string | undefined): RecordTemplate =>
          createTemplate(sensor, idSensor, flavor, dosimeter + 1, descriptor);
        return {
          descriptor,
          sensorId: sensor.id,
          sensor: index,
          pair: index * 2 + dosimeter,
          orbit: orbits[index]!,
          palette: paletteOf(flavor),
          template: template(JSON.stringify(sensor.id)),
          blankTemplates: { absent: template(undefined), empty: template('""'), null: template('null') },
        };
      });
    }),
  );
}

/** @param idSensor - JSON text of the field, or undefined to leave it out */
function createTemplate(
  sensor: Sensor,
  idSensor: string | undefined,
  flavor: Flavor,
  dosimeter: number,
  descriptor: Descriptor,
): RecordTemplate {
  const satellite = SATELLITE_NUMBERS[sensor.id]!;
  const head =
    `{"id":"${ID_HOLE}","classificationMarking":"U","dataType":"ECP","genTime":"${STAMP_HOLE}",` +
    `"idOnOrbit":"${satellite}","satNo":${satellite},${idSensor === undefined ? '' : `"idSensor":${idSensor},`}` +
    `"origSensorId":"${sensor.podModel}","observatoryType":"ONORBIT","observatoryName":"${sensor.observatory}",` +
    `"instrumentType":"DOSIMETER","lat":`;
  const middle =
    `,"obSetId":"REACH_${flavor}","particleType":"${PARTICLES[flavor]}","obTime":"${STAMP_HOLE}",` +
    `"seoList":[{"obType":"Energetic Charged Particle","obUoM":"rad/second","obValue":`;
  const tail =
    `","obDescription":"DOSE${dosimeter} (Flavor ${flavor}) in rad/second"}],"descriptor":"${descriptor}",` +
    `"createdAt":"${STAMP_HOLE}","createdBy":"system.reach","source":"Aerospace","dataMode":"REAL","origNetwork":"OPS1"}`;
  return {
    head: Buffer.from(head, 'latin1'),
    idAt: head.indexOf(ID_HOLE),
    genTimeAt: head.indexOf(STAMP_HOLE),
    middle: Buffer.from(middle, 'latin1'),
    obTimeAt: middle.indexOf(STAMP_HOLE),
    tail: Buffer.from(tail, 'latin1'),
    createdAt: tail.indexOf(STAMP_HOLE),
  };
}
