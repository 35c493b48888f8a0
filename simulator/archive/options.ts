/**
 * What the archive holds: the part of the simulator's options that decides the data, checked once.
 */
import { CADENCE_S, SENSORS, SENSOR_BY_ID } from '../../src/core/constellation.ts';
import { PipelineError } from '../../src/core/errors.ts';
import { DESCRIPTORS } from '../../src/core/product.ts';
import type { Descriptor } from '../../src/core/product.ts';
import { isDay } from '../../src/core/time/day.ts';
import type { Day } from '../../src/core/time/day.ts';
import { DEFAULT_IRREGULARITIES } from './day-plan.ts';
import type { Irregularities } from './day-plan.ts';

export interface ArchiveOptions {
  /** Same seed, same bytes. Default 1. */
  readonly seed?: number;
  /** Seconds between a dosimeter's readings; divides 86,400. Default 5, or 3,600 with `tiny`. */
  readonly cadenceS?: number;
  /** One reading an hour (1,536 nominal records a day), for tests of many days. */
  readonly tiny?: boolean;
  /** Ids of the sensors that report. Default all 32. */
  readonly sensors?: readonly string[];
  /** Descriptors that are served; a query without one gets all of them. Default QUICKLOOK and PROVISIONAL. */
  readonly descriptors?: readonly Descriptor[];
  /** Overrides of the number of irregular things a day; see `Irregularities`. */
  readonly irregularities?: Partial<Irregularities>;
  /** Days without any record: a list, or a rule. */
  readonly emptyDays?: readonly string[] | ((day: Day) => boolean);
  /** First and last day with data, both included; nothing is served before and after. */
  readonly firstDay?: string;
  readonly lastDay?: string;
  /** Real sample files to serve; see `replay.ts`. */
  readonly replay?: ReplayOptions;
}

export interface ReplayOptions {
  /** Paths of `.json` (list of records) and `.csv` (sample C's ten columns) files. */
  readonly files: readonly string[];
  /** What days of the samples hold at other times. Default `synthetic`. */
  readonly rest?: 'synthetic' | 'empty';
}

/** Options with every default filled in. */
export interface ArchiveSettings {
  readonly seed: number;
  readonly cadenceMs: number;
  readonly sensors: ReadonlySet<string>;
  readonly descriptors: readonly Descriptor[];
  readonly irregularities: Irregularities;
  readonly hasData: (day: Day) => boolean;
  readonly replay: ReplayOptions | undefined;
}

const TINY_CADENCE_S = 3_600;

/** Checks the options and fills in defaults. @throws PipelineError `config_invalid` naming the option and its value */
export function resolveArchiveOptions(options: ArchiveOptions): ArchiveSettings {
  const { seed = 1, cadenceS = options.tiny === true ? TINY_CADENCE_S : CADENCE_S } = options;
  if (!Number.isSafeInteger(seed)) throw invalid('seed', seed, 'a whole number');
  if (!Number.isInteger(cadenceS) || cadenceS < 1 || 86_400 % cadenceS !== 0) {
    throw invalid('cadenceS', cadenceS, 'whole seconds that divide 86,400, such as 5, 300 or 3600');
  }
  const sensors = options.sensors ?? SENSORS.map((sensor) => sensor.id);
  const stranger = sensors.find((id) => !SENSOR_BY_ID.has(id));
  if (stranger !== undefined || sensors.length === 0) {
    throw invalid('sensors', stranger ?? 'an empty list', 'ids of the constellation, such as REACH-101');
  }
  const descriptors = options.descriptors ?? DESCRIPTORS;
  const unknown = descriptors.find((descriptor) => !DESCRIPTORS.includes(descriptor));
  if (unknown !== undefined || descriptors.length === 0) {
    throw invalid('descriptors', unknown ?? 'an empty list', `some of ${DESCRIPTORS.join(', ')}`);
  }
  const irregularities = { ...DEFAULT_IRREGULARITIES, ...options.irregularities };
  for (const [name, count] of Object.entries(irregularities)) {
    if (!Number.isInteger(count) || count < 0 || count > 10_000) {
      throw invalid(`irregularities.${name}`, count, 'a whole number from 0 to 10,000');
    }
  }
  return {
    seed,
    cadenceMs: cadenceS * 1000,
    sensors: new Set(sensors),
    descriptors,
    irregularities,
    hasData: dataRule(options),
    replay: options.replay,
  };
}

function dataRule(options: ArchiveOptions): (day: Day) => boolean {
  const { emptyDays = [], firstDay, lastDay } = options;
  if (firstDay !== undefined) checkDay('firstDay', firstDay);
  if (lastDay !== undefined) checkDay('lastDay', lastDay);
  const isEmpty = typeof emptyDays === 'function' ? emptyDays : listRule(emptyDays);
  return (day) =>
    (firstDay === undefined || day >= firstDay) && (lastDay === undefined || day <= lastDay) && !isEmpty(day);
}

function listRule(days: readonly string[]): (day: Day) => boolean {
  for (const day of days) checkDay('emptyDays', day);
  const set = new Set<string>(days);
  return (day) => set.has(day);
}

function checkDay(name: string, text: string): void {
  if (!isDay(text)) throw invalid(name, text, 'a calendar date of the form YYYY-MM-DD');
}

/** The error for an option that cannot be used. */
export function invalid(name: string, value: unknown, expected: string): PipelineError {
  return new PipelineError(
    'config_invalid',
    `The simulator option ${name} is ${String(value)}; expected ${expected}.`,
    {
      hint: 'See simulator/README.md for the options.',
    },
  );
}
