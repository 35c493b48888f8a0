/**
 * Which sensor a record belongs to (CDF-11, CDF-13, CDF-D22).
 */
import { SENSORS, SENSOR_BY_ID } from '../../../core/constellation.ts';
import { BLANK_CODE } from '../read/dictionary.ts';
import type { Vocabulary } from '../read/dictionary.ts';

/** Sensor ids by the name of the satellite that carries them. */
export const SENSOR_BY_OBSERVATORY: ReadonlyMap<string, string> = new Map(
  SENSORS.map((sensor) => [sensor.observatory, sensor.id]),
);

const SENSOR_PATTERN = /^REACH-(\d+)$/;

/** `sensor_ids` is a 4-byte integer. */
const MAX_SENSOR_NUMBER = 2 ** 31 - 1;

interface SensorVerdict {
  /** `unresolved`: no id, and the observatory is none that carries a sensor. `invalid`: an id without a number. */
  readonly kind: 'sensor' | 'unresolved' | 'invalid';
  /** Code in the vocabulary's `sensorIds`. */
  readonly sensor: number;
  /** The observatory carries another sensor than the id says. */
  readonly disagrees: boolean;
  /** The id is outside the constellation. */
  readonly isUnknown: boolean;
}

export class SensorResolver {
  readonly #vocabulary: Vocabulary;
  /** By code of the id, then of the observatory. */
  readonly #verdicts: (SensorVerdict | undefined)[][] = [];

  constructor(vocabulary: Vocabulary) {
    this.#vocabulary = vocabulary;
  }

  resolve(sensorId: number, observatory: number): SensorVerdict {
    const byId = (this.#verdicts[sensorId] ??= []);
    return (byId[observatory] ??= this.#judge(sensorId, observatory));
  }

  #judge(sensorId: number, observatory: number): SensorVerdict {
    const { sensorIds, observatories } = this.#vocabulary;
    const carried = SENSOR_BY_OBSERVATORY.get(observatories.text(observatory));
    if (sensorId === BLANK_CODE) {
      if (carried === undefined) return { kind: 'unresolved', sensor: -1, disagrees: false, isUnknown: false };
      return { kind: 'sensor', sensor: sensorIds.codeOf(carried), disagrees: false, isUnknown: false };
    }
    const id = sensorIds.text(sensorId);
    const number = Number(SENSOR_PATTERN.exec(id)?.[1] ?? NaN);
    if (!(number <= MAX_SENSOR_NUMBER)) return { kind: 'invalid', sensor: -1, disagrees: false, isUnknown: false };
    return {
      kind: 'sensor',
      sensor: sensorId,
      disagrees: carried !== undefined && carried !== id,
      isUnknown: !SENSOR_BY_ID.has(id),
    };
  }
}
