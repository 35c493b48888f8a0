/**
 * Channels: the distinct (sensor, obDescription) pairs of a file, numbered 0, 1, 2 … in order of first use.
 */
import { PipelineError } from '../../../core/errors.ts';
import type { Vocabulary } from '../read/dictionary.ts';

/** Codes of the reader's vocabulary. */
interface Channel {
  readonly sensor: number;
  readonly description: number;
}

/** Most cells of `dose_rate` at one time: thousands of times what the constellation needs, and still no danger. */
const MAX_CELLS = 1 << 20;

export class Channels {
  readonly list: Channel[] = [];
  /** Channel by sensor code, then description code. */
  readonly #numbers: (number | undefined)[][] = [];

  numberOf(sensor: number, description: number): number {
    const bySensor = (this.#numbers[sensor] ??= []);
    return (bySensor[description] ??= this.list.push({ sensor, description }) - 1);
  }
}

/** The product's axes (CDF-13, CDF-14). */
export interface Axes {
  /** Sensors present, ascending as text. */
  readonly sensorLabels: readonly string[];
  /** The numbers in the labels. */
  readonly sensorIds: readonly number[];
  /** `[sensor][slot]`: the sensor's descriptions, ascending as text; padded with `""` to the widest sensor. */
  readonly flavors: readonly (readonly string[])[];
  /** Length of the flavor axis, at least 1. */
  readonly flavorCount: number;
  /** By channel number: position on the sensor axis, and slot on the flavor axis. */
  readonly sensorOfChannel: Uint32Array;
  readonly slotOfChannel: Uint32Array;
}

/** @throws PipelineError `input_invalid` when there are so many sensors and descriptions that the file cannot be a day of REACH */
export function makeAxes(channels: Channels, vocabulary: Vocabulary): Axes {
  const bySensor = new Map<string, { label: string; description: string; channel: number }[]>();
  for (const [channel, { sensor, description }] of channels.list.entries()) {
    const label = vocabulary.sensorIds.text(sensor);
    const entry = { label, description: vocabulary.descriptions.text(description), channel };
    const entries = bySensor.get(label);
    if (entries) entries.push(entry);
    else bySensor.set(label, [entry]);
  }
  const sensorLabels = [...bySensor.keys()].toSorted(byCodeUnits);
  const flavorCount = Math.max(...[...bySensor.values()].map((entries) => entries.length));
  if (sensorLabels.length * flavorCount > MAX_CELLS) {
    throw new PipelineError(
      'input_invalid',
      `The file has ${sensorLabels.length} sensors, one of them with ${flavorCount} different obDescription.`,
      { hint: 'REACH has 32 sensors with two dosimeters each. Check that the file is a day of REACH.' },
    );
  }
  const sensorOfChannel = new Uint32Array(channels.list.length);
  const slotOfChannel = new Uint32Array(channels.list.length);
  const flavors = sensorLabels.map((label, sensor) => {
    const entries = bySensor.get(label)!.toSorted((a, b) => byCodeUnits(a.description, b.description));
    for (const [slot, { channel }] of entries.entries()) {
      sensorOfChannel[channel] = sensor;
      slotOfChannel[channel] = slot;
    }
    return Array.from({ length: flavorCount }, (_, slot) => entries[slot]?.description ?? '');
  });
  return {
    sensorLabels,
    sensorIds: sensorLabels.map((label) => Number(label.slice('REACH-'.length))),
    flavors,
    flavorCount,
    sensorOfChannel,
    slotOfChannel,
  };
}

function byCodeUnits(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
