/**
 * CDF files as plain comparable values: read by this library, and by the independent readers of `test/support/python`.
 */
import { createHash } from 'node:crypto';
import { DATA_TYPES, readCdf } from '../../../src/formats/cdf/index.ts';
import type { AttributeEntry, CdfType, CdfValues } from '../../../src/formats/cdf/index.ts';
import { runPython } from '../../support/python.ts';

/** Type code; text, or little-endian bytes in hexadecimal. */
type EntryDump = [type: number, value: string];

interface VariableDump {
  readonly name: string;
  readonly type: number;
  readonly elements: number;
  readonly dims: readonly number[];
  readonly recordVarying: boolean;
  readonly records: number;
  /** Texts; else hexadecimal, or `sha256:…` of more than 64 KiB. */
  readonly values: string | readonly string[];
  /** From spacepy alone. */
  readonly pad?: string | readonly string[] | undefined;
}

export interface FileDump {
  readonly variables: readonly VariableDump[];
  readonly globals: Readonly<Record<string, Readonly<Record<string, EntryDump>>>>;
  readonly attributes: Readonly<Record<string, Readonly<Record<string, EntryDump>>>>;
}

export const READERS = ['cdflib', 'pycdfpp', 'spacepy'] as const;
export type Reader = (typeof READERS)[number];

export interface Verdict {
  readonly dump: FileDump | undefined;
  readonly error: string | undefined;
}

const LONG_BYTES = 65_536;

/** What each independent reader finds in each file; one Python process for all of them. */
export async function dumpWithReaders(
  paths: readonly string[],
  readers: readonly Reader[] = READERS,
): Promise<Map<string, Record<Reader, Verdict>>> {
  const output = await runPython('dump.py', readers, paths.map((path) => `${path}\n`).join(''));
  const verdicts = new Map<string, Record<Reader, Verdict>>();
  for (const line of output.split('\n').filter(Boolean)) {
    const { file, reader, error, ...dump } = JSON.parse(line) as FileDump & {
      file: string;
      reader: Reader;
      error?: string;
    };
    const byReader = verdicts.get(file) ?? ({} as Record<Reader, Verdict>);
    byReader[reader] = { error, dump: error === undefined ? dump : undefined };
    verdicts.set(file, byReader);
  }
  return verdicts;
}

/** What this library finds, in the same form. */
export async function dumpWithOurs(path: string): Promise<FileDump> {
  const content = await readCdf(path);
  const variables: VariableDump[] = [];
  const attributes: Record<string, Record<string, EntryDump>> = {};
  for (const { name, type, elements, dims, recordVarying, records, values, ...rest } of content.variables.values()) {
    variables.push({
      name,
      type: DATA_TYPES[type].code,
      elements,
      dims,
      recordVarying,
      records,
      values: encode(values),
    });
    attributes[name] = Object.fromEntries(
      [...rest.attributes].map(([attribute, entry]) => [attribute, encodeEntry(entry)]),
    );
  }
  const globals = [...content.globalAttributes.values()].map(
    ({ name, entries }) => [name, Object.fromEntries(entries.map((entry) => [entry.num, encodeEntry(entry)]))] as const,
  );
  return { variables, globals: Object.fromEntries(globals), attributes };
}

/** Values as the dumps have them. */
export function encode(values: CdfValues): string | readonly string[] {
  if (Array.isArray(values)) return values as readonly string[];
  const { buffer, byteOffset, byteLength } = values as Exclude<CdfValues, readonly string[]>;
  const bytes = Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength);
  return byteLength > LONG_BYTES ? `sha256:${createHash('sha256').update(bytes).digest('hex')}` : bytes.toString('hex');
}

function encodeEntry({ type, value }: AttributeEntry): EntryDump {
  return [DATA_TYPES[type].code, typeof value === 'string' ? value : encodeNumbers(type, value)];
}

export function encodeNumbers(type: CdfType, values: readonly (number | bigint)[]): string {
  const array = DATA_TYPES[type].array as typeof Float64Array;
  return encode(array.from(values as number[])) as string;
}
