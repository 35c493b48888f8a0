/**
 * Real records from sample files, ready to be served at their times.
 *
 * JSON records keep all fields and their order; a CSV sample's rows become objects with its columns as fields, the
 * nested cells (Python literals, UDL-29) as lists. Numbers keep their exact double values, not their spelling.
 */
import { readFileSync } from 'node:fs';
import { extname } from 'node:path';
import { parse } from 'csv-parse/sync';
import { SENSORS } from '../../src/core/constellation.ts';
import { dayOfMs } from '../../src/core/time/day.ts';
import type { Day } from '../../src/core/time/day.ts';
import { invalid } from './options.ts';

export interface ReplayedRecord {
  readonly ms: number;
  /** `idSensor` as it stands in the record; empty when blank. */
  readonly idSensor: string;
  /** The sensor, by the observatory when the id is blank; `?` when that does not tell either. */
  readonly sensor: string;
  /** `seoList[0].obDescription`, which names the dosimeter. */
  readonly description: string;
  readonly descriptor: string;
  /** Compact JSON. */
  readonly bytes: Buffer;
}

const NUMBER_COLUMNS = new Set(['lat', 'lon', 'alt', 'satNo']);
const NESTED_COLUMNS = new Set(['seoList', 'senPos']);
const SENSOR_BY_OBSERVATORY = new Map(SENSORS.map((sensor) => [sensor.observatory, sensor.id]));

/** Reads sample files into records by day, ascending by time, in file order within an instant. */
export function readReplay(files: readonly string[]): ReadonlyMap<Day, readonly ReplayedRecord[]> {
  const byDay = new Map<Day, ReplayedRecord[]>();
  for (const file of files) {
    for (const record of readSample(file)) {
      const replayed = toReplayed(record, file);
      const day = dayOfMs(replayed.ms);
      const ofDay = byDay.get(day) ?? [];
      ofDay.push(replayed);
      byDay.set(day, ofDay);
    }
  }
  for (const records of byDay.values()) records.sort((a, b) => a.ms - b.ms);
  return byDay;
}

type SampleRecord = Record<string, unknown>;

function readSample(file: string): SampleRecord[] {
  const text = readFileSync(file, 'utf8');
  switch (extname(file)) {
    case '.json':
      return JSON.parse(text) as SampleRecord[];
    case '.csv':
      return parse<Record<string, string>>(text, { columns: true, bom: true }).map(fromCsvRow);
    default:
      throw invalid('replay.files', file, 'a .json or .csv file');
  }
}

function fromCsvRow(row: Record<string, string>): SampleRecord {
  return Object.fromEntries(
    Object.entries(row).map(([column, cell]) => {
      if (NUMBER_COLUMNS.has(column)) return [column, Number(cell)];
      if (NESTED_COLUMNS.has(column)) return [column, JSON.parse(cell.replaceAll("'", '"')) as unknown];
      return [column, cell];
    }),
  );
}

function toReplayed(record: SampleRecord, file: string): ReplayedRecord {
  const ms = Date.parse(text(record['obTime']));
  if (!Number.isFinite(ms)) throw invalid('replay.files', file, 'records that all have an ISO obTime');
  const elements = record['seoList'] as readonly { readonly obDescription?: string }[] | undefined;
  const idSensor = text(record['idSensor']);
  return {
    ms,
    idSensor,
    sensor: idSensor || (SENSOR_BY_OBSERVATORY.get(text(record['observatoryName'])) ?? '?'),
    description: elements?.[0]?.obDescription ?? '',
    descriptor: text(record['descriptor']),
    bytes: Buffer.from(JSON.stringify(record)),
  };
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
