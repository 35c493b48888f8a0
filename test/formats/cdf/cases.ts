/**
 * CDF files for the readers: schemas with values, and what a reader must find in them (made from the input alone).
 */
import { join } from 'node:path';
import { CdfWriter, DATA_TYPES } from '../../../src/formats/cdf/index.ts';
import type {
  AttributeValue,
  CdfSchema,
  CdfType,
  CdfValues,
  CdfVariable,
  CdfWriteOptions,
} from '../../../src/formats/cdf/index.ts';
import { encode, encodeNumbers } from './dumps.ts';
import type { FileDump } from './dumps.ts';

export interface Case {
  readonly name: string;
  readonly schema: CdfSchema;
  readonly options?: CdfWriteOptions;
  readonly values: Readonly<Record<string, CdfValues>>;
}

export const NUMERIC_TYPES = (Object.keys(DATA_TYPES) as CdfType[]).filter((type) => DATA_TYPES[type].kind !== 'text');

/** Values that use every byte of the type, its extremes and odd values first. */
export function sampleNumbers(type: CdfType, count: number): Exclude<CdfValues, readonly string[]> {
  const { kind, array, elementBytes, bytes } = DATA_TYPES[type];
  const total = (count * bytes) / elementBytes;
  if (array === BigInt64Array) {
    const odd = [2n ** 63n - 1n, -(2n ** 63n), 0n, -1n, 2n ** 53n + 1n];
    return BigInt64Array.from({ length: total }, (_, i) => odd[i] ?? BigInt(i) * 0x0102_0304_0506_07n);
  }
  const numbers = array as typeof Float64Array;
  const isSmall = elementBytes === 4;
  const floats = [
    Infinity,
    -0,
    -Infinity,
    isSmall ? 1.401298464324817e-45 : 5e-324,
    isSmall ? 3.4028234663852886e38 : Number.MAX_VALUE,
  ];
  const limit = 2 ** (8 * elementBytes);
  const ints = kind === 'uint' ? [limit - 1, 0, limit / 2] : [limit / 2 - 1, -limit / 2, -1];
  const odd = kind === 'float' ? floats : ints;
  return numbers.from(
    { length: total },
    (_, i) => odd[i] ?? (kind === 'float' ? (i - 40) / 7 : (i * 0x01020305) % (limit / 2)),
  );
}

export function variable(name: string, type: CdfType, more: Partial<CdfVariable> = {}): CdfVariable {
  return { name, type, recordVarying: true, attributes: [], ...more };
}

export function schemaOf(variables: readonly CdfVariable[], more: Partial<CdfSchema> = {}): CdfSchema {
  return { globalAttributes: [], ...more, variables };
}

/** Writes a case into `folder` with whole-variable appends. */
export async function writeCase(folder: string, { name, schema, options, values }: Case): Promise<string> {
  const path = join(folder, `${name}.cdf`);
  const writer = await CdfWriter.open(path, schema, options);
  for (const [variableName, content] of Object.entries(values)) await writer.append(variableName, content);
  await writer.close();
  return path;
}

export function expectedDump({ schema, values }: Case): FileDump {
  const variables = schema.variables.map((source) => {
    const { name, type, dims = [], recordVarying } = source;
    const isText = DATA_TYPES[type].kind === 'text';
    const elements = source.elements ?? 1;
    const perRecord = dims.reduce((product, size) => product * size, 1);
    const content = values[name] ?? (isText ? [] : new Uint8Array());
    const units = DATA_TYPES[type].bytes / DATA_TYPES[type].elementBytes;
    const padding = source.charPadding === 'space' ? ' ' : '';
    const padded = Array.isArray(content)
      ? content.map((text: string) => text + padding.repeat(elements - Buffer.byteLength(text)))
      : content;
    const records = content.length / perRecord / units;
    const pad = isText
      ? [(source.pad as string | undefined) ?? ' '.repeat(elements)]
      : encodeNumbers(type, padNumbers(source));
    return { name, type: DATA_TYPES[type].code, elements, dims, recordVarying, records, values: encode(padded), pad };
  });
  const globals = (schema.globalAttributes ?? []).map(
    ([name, entries]) => [name, Object.fromEntries(entries.map((value, i) => [i, expectedEntry(value)]))] as const,
  );
  const attributes = schema.variables.map(
    ({ name, attributes = [] }) =>
      [name, Object.fromEntries(attributes.map(([key, value]) => [key, expectedEntry(value)]))] as const,
  );
  return { variables, globals: Object.fromEntries(globals), attributes: Object.fromEntries(attributes) };
}

function padNumbers({ type, pad }: CdfVariable): readonly (number | bigint)[] {
  if (pad === undefined) return DATA_TYPES[type].pad;
  return typeof pad === 'object' ? pad : [pad as number | bigint];
}

function expectedEntry(value: AttributeValue): [number, string] {
  if (typeof value === 'string') return [DATA_TYPES.CDF_CHAR.code, value === '' ? ' ' : value];
  return [DATA_TYPES[value.type].code, encodeNumbers(value.type, value.values)];
}
