/** Small days of the product as CDFs, made by the product's own builder from a few records. */
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FLAVORS_BY_POD_MODEL, SENSOR_BY_ID } from '../../../src/core/constellation.ts';
import { parseDay } from '../../../src/core/time/day.ts';
import type { Profile } from '../../../src/core/backfill/types.ts';
import { build } from '../../../src/products/reach-l1c/build.ts';
import type { ZarrDay } from '../../../src/core/zarr.ts';
import type { ZarrSettings } from '../../../src/products/reach-zarr/index.ts';
import { record, toCsv } from '../reach-l1c/support.ts';
import type { SourceRecord } from '../reach-l1c/support.ts';

export const ORIGIN = parseDay('2026-01-01');

export const SETTINGS: ZarrSettings = { product: 'reach-all/quicklook', origin: ORIGIN, exactTimes: false };

export interface DayOptions {
  /** Changes every value. */
  readonly edition?: number;
  readonly sensors?: readonly string[];
  /** Sensors of which only DOSE2 reports. */
  readonly withoutFirst?: readonly string[];
  /** Seconds of the day. */
  readonly seconds?: readonly number[];
  readonly profile?: Profile;
  readonly descriptor?: string;
}

const SENSORS = ['REACH-101', 'REACH-105', 'REACH-169', 'REACH-181'];
const SECONDS = [0, 5, 10, 60, 43_200, 86_390, 86_395];

/** Builds the day's CDF in a folder of its own; the name is the product's. */
export async function makeDay(folder: string, dayText: string, options: DayOptions = {}): Promise<ZarrDay> {
  const { edition = 0, profile = 'istp' } = options;
  const day = parseDay(dayText);
  const place = join(folder, `${day}-${edition}-${profile}`);
  await mkdir(place, { recursive: true });
  const inputPath = join(place, 'REACH-ALL_20260101T000000_20260102T000000.csv');
  await writeFile(inputPath, toCsv(records(day, options)));
  const outputPath = join(place, 'day.tmp');
  const request = { inputPath, outputPath, format: 'csv', sensor: 'ALL', version: '1.0.0' } as const;
  const built = await build({ ...request, profile, generationDate: '2026-02-01', quarantineLimit: 0 }, () => undefined);
  const path = join(place, built.fileName);
  await rename(outputPath, path);
  return { day, path, sha256: built.sha256 };
}

function records(day: string, options: DayOptions): SourceRecord[] {
  const { edition = 0, sensors = SENSORS, withoutFirst = [], seconds = SECONDS, descriptor = 'QUICKLOOK' } = options;
  return seconds.flatMap((second) =>
    sensors.flatMap((idSensor) => {
      const { observatory, podModel } = SENSOR_BY_ID.get(idSensor)!;
      return FLAVORS_BY_POD_MODEL[podModel]!.flatMap((flavor, slot) => {
        if (slot === 0 && withoutFirst.includes(idSensor)) return [];
        const obTime = new Date(Date.parse(`${day}T00:00:00Z`) + second * 1000).toISOString();
        const n = second / 5 + Number(idSensor.slice(6)) * 100_000 + edition / 4;
        const reading = { obValue: n * 1e-9 + slot, obDescription: `DOSE${slot + 1} (Flavor ${flavor}) in rad/second` };
        const position = { lat: (n % 180) - 90, lon: (n % 360) - 180, alt: 700 + (n % 100), senPos: [n, -n, n / 2] };
        return [record({ idSensor, observatoryName: observatory, obTime, descriptor, ...position }, reading)];
      });
    }),
  );
}
