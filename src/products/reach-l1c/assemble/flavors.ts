/**
 * Holds the dosimeters of a file against the table of the constellation (CDF-D23). Nothing is changed.
 */
import { FLAVORS_BY_POD_MODEL, SENSOR_BY_ID } from '../../../core/constellation.ts';
import type { Vocabulary } from '../read/dictionary.ts';
import type { Arrangement } from './arrange.ts';
import type { Channels } from './channels.ts';
import type { RecordStore } from './record-store.ts';
import type { Warnings } from './remarks.ts';

const DESCRIPTION = /^DOSE([12]) \(Flavor ([A-Z])\)/;

export function remarkFlavors(
  { order }: Arrangement,
  store: RecordStore,
  channels: Channels,
  vocabulary: Vocabulary,
  warnings: Warnings,
): void {
  const counts = new Uint32Array(channels.list.length);
  for (let i = 0; i < order.length; i++) counts[store.channel(order[i]!)]!++;
  for (const [channel, { sensor, description }] of channels.list.entries()) {
    const id = vocabulary.sensorIds.text(sensor);
    const text = vocabulary.descriptions.text(description);
    const readings = counts[channel]!;
    if (readings > 0 && !isExpected(id, text)) warnings.add('flavor_unexpected', readings, `"${text}" of ${id}`);
  }
}

/** Sensors outside the constellation have no expected flavors; they are remarked on as such. */
function isExpected(sensorId: string, description: string): boolean {
  const sensor = SENSOR_BY_ID.get(sensorId);
  if (!sensor) return true;
  const match = DESCRIPTION.exec(description);
  return match !== null && FLAVORS_BY_POD_MODEL[sensor.podModel]![Number(match[1]) - 1] === match[2];
}
