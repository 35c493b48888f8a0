/**
 * Records, files made of them, and products as an independent reader sees them.
 */
import { join } from 'node:path';
import type { BuildRequest } from '../../../src/products/reach-l1c/index.ts';
import { runPython } from '../../support/python.ts';

const FIXTURES = join(import.meta.dirname, '../../fixtures/reach');
export const CSV_SAMPLE = join(FIXTURES, 'REACH-TEST_20250904T000000_20250904T010000.csv');
export const JSON_SAMPLE = join(FIXTURES, 'REACH-ALL_20251201T013010_20251205T060517.json');
export const PUBLISHED_PRODUCT = join(FIXTURES, 'reach_all_l1c_prelim_20250904T000000_v1.0.0.cdf');

/** A name that CDF-4 accepts. */
export const DAY_NAME = 'REACH-ALL_20260101T000000_20260102T000000';

export type SourceRecord = Record<string, unknown>;

/** A good record; fields set to `undefined` are left out. */
export function record(changes: SourceRecord = {}, reading: SourceRecord = {}): SourceRecord {
  const seoList = [
    withoutUndefined({
      obType: 'Energetic Charged Particle',
      obUoM: 'rad/second',
      obValue: 1.5e-7,
      obQuality: '0',
      obDescription: 'DOSE1 (Flavor X) in rad/second',
      ...reading,
    }),
  ];
  return withoutUndefined({
    idSensor: 'REACH-101',
    observatoryName: 'Iridium-102',
    obTime: '2026-01-01T00:00:00.000Z',
    createdAt: '2026-01-01T01:30:00.000Z',
    seoList,
    senPos: [1000.25, -2000.5, 6000.125],
    lat: 10.5,
    lon: -20.25,
    alt: 790.75,
    descriptor: 'QUICKLOOK',
    ...changes,
  });
}

/** `count` good records, 5 s apart. */
export function goodRecords(count: number): SourceRecord[] {
  return Array.from({ length: count }, (_, i) =>
    record({ obTime: new Date(Date.UTC(2026, 0, 1, 0, 0, 5 * i)).toISOString() }),
  );
}

function withoutUndefined(fields: SourceRecord): SourceRecord {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

/** How nested cells are written. */
export type Notation = 'python' | 'json';

/** A CSV of the records; the header is the union of their keys. Texts as they are, null as nothing. */
export function toCsv(records: readonly SourceRecord[], notation: Notation = 'python', lineEnd = '\r\n'): string {
  const columns = [...new Set(records.flatMap((fields) => Object.keys(fields)))];
  const rows = records.map((fields) => columns.map((name) => cell(fields[name], notation)));
  return [columns, ...rows].map((row) => row.join(',') + lineEnd).join('');
}

function cell(value: unknown, notation: Notation): string {
  if (value === null || value === undefined) return '';
  const text = typeof value === 'object' ? nestedText(value, notation) : `${value as string | number}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export function nestedText(value: unknown, notation: Notation): string {
  return notation === 'json' ? JSON.stringify(value) : pythonText(value);
}

/** Python's `repr` of a JSON value. */
export function pythonText(value: unknown): string {
  if (value === null) return 'None';
  if (value === true) return 'True';
  if (value === false) return 'False';
  if (typeof value === 'string') {
    const quote = value.includes("'") && !value.includes('"') ? '"' : "'";
    const escaped = value
      .replaceAll('\\', '\\\\')
      .replaceAll('\n', '\\n')
      .replaceAll('\r', '\\r')
      .replaceAll('\t', '\\t');
    return quote + (quote === "'" ? escaped.replaceAll("'", "\\'") : escaped) + quote;
  }
  if (Array.isArray(value)) return `[${value.map(pythonText).join(', ')}]`;
  if (typeof value === 'object') {
    return `{${Object.entries(value)
      .map(([key, item]) => `${pythonText(key)}: ${pythonText(item)}`)
      .join(', ')}}`;
  }
  return Object.is(value, -0) ? '-0.0' : `${value as number}`;
}

export function buildRequest(
  changes: Partial<BuildRequest> & Pick<BuildRequest, 'inputPath' | 'outputPath'>,
): BuildRequest {
  return {
    format: 'csv',
    sensor: 'ALL',
    profile: 'parity',
    version: '1.0.0',
    generationDate: '2026-01-02',
    quarantineLimit: 0.01,
    ...changes,
  };
}

/** A variable as `test/support/python/dump.py` prints it: numbers as hexadecimal little-endian bytes. */
interface DumpedVariable {
  readonly name: string;
  readonly type: number;
  readonly elements: number;
  readonly dims: readonly number[];
  readonly recordVarying: boolean;
  readonly records: number;
  readonly values: string | readonly string[];
}

export interface DumpedFile {
  readonly file: string;
  readonly reader: string;
  readonly error?: string;
  readonly variables: readonly DumpedVariable[];
  /** Entries by number, each `[type code, value]`. */
  readonly globals: Readonly<Record<string, Readonly<Record<string, readonly [number, string]>>>>;
  readonly attributes: Readonly<Record<string, Readonly<Record<string, readonly [number, string]>>>>;
}

/** Every file as every independent reader sees it, in the order of the files. */
export async function dumpFiles(paths: readonly string[]): Promise<DumpedFile[]> {
  const output = await runPython('dump.py', [], `${paths.join('\n')}\n`);
  const dumps = output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as DumpedFile);
  const broken = dumps.find((dump) => dump.error !== undefined);
  if (broken) throw new Error(`${broken.reader} cannot read ${broken.file}: ${broken.error}`);
  return dumps;
}

/** Values of a numeric variable. */
export function numbersOf(dump: DumpedFile, name: string): number[] {
  const bytes = bytesOf(dump, name);
  const array = variableOf(dump, name).type === 4 ? new Int32Array(bytes) : new Float64Array(bytes);
  return [...array];
}

/** TT2000 values. */
export function timesOf(dump: DumpedFile): bigint[] {
  return [...new BigInt64Array(bytesOf(dump, 'Epoch'))];
}

export function textsOf(dump: DumpedFile, name: string): string[] {
  return (variableOf(dump, name).values as readonly string[]).map((text) => text.trimEnd());
}

export function globalOf(dump: DumpedFile, name: string): string | undefined {
  return dump.globals[name]?.['0']?.[1];
}

export function variableOf(dump: DumpedFile, name: string): DumpedVariable {
  const found = dump.variables.find((variable) => variable.name === name);
  if (!found) throw new Error(`${dump.file} has no variable ${name}`);
  return found;
}

function bytesOf(dump: DumpedFile, name: string): ArrayBuffer {
  const values = variableOf(dump, name).values as string;
  if (values.startsWith('sha256:')) throw new Error(`${name} is too long for the dump`);
  return Uint8Array.from(Buffer.from(values, 'hex')).buffer;
}
