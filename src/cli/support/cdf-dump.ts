/** A CDF as plain values, and those as a page for people. */
import { tt2000ToUtc } from '../../formats/cdf/index.ts';
import type { AttributeEntry, CdfDescription, CdfReader, VariableDescription } from '../../formats/cdf/index.ts';

type Plain = string | number;

interface VariableDump {
  readonly name: string;
  readonly type: string;
  readonly dims: readonly number[];
  readonly recordVarying: boolean;
  readonly records: number;
  readonly compression: string;
  readonly attributes: Readonly<Record<string, Plain | readonly Plain[]>>;
  /** The first values, row-major. */
  readonly values: readonly Plain[];
}

export interface CdfDump {
  readonly file: CdfDescription;
  readonly globalAttributes: Readonly<Record<string, readonly (Plain | readonly Plain[])[]>>;
  readonly variables: readonly VariableDump[];
}

/** @param values - how many values of each variable are read and shown */
export async function describeCdf(reader: CdfReader, values: number): Promise<CdfDump> {
  const variables: VariableDump[] = [];
  for (const variable of reader.variables.values()) variables.push(await describeVariable(reader, variable, values));
  const globals = [...reader.globalAttributes.values()].map(
    ({ name, entries }) => [name, entries.map(plainEntry)] as const,
  );
  return { file: reader.description, globalAttributes: Object.fromEntries(globals), variables };
}

async function describeVariable(
  reader: CdfReader,
  variable: VariableDescription,
  values: number,
): Promise<VariableDump> {
  const { name, type, dims, recordVarying, records, compression, attributes } = variable;
  const perRecord = dims.reduce((product, size) => product * size, 1);
  const wanted = Math.min(records, Math.ceil(values / perRecord));
  const read = wanted === 0 ? [] : await reader.read(name, { first: 0, count: wanted });
  const first: readonly (string | number | bigint)[] = [...read];
  const entries = [...attributes].map(([attribute, entry]) => [attribute, plainEntry(entry)] as const);
  return {
    name,
    type,
    dims,
    recordVarying,
    records,
    compression,
    attributes: Object.fromEntries(entries),
    values: first.slice(0, values).map((value) => plain(value, type)),
  };
}

function plainEntry({ type, value }: AttributeEntry): Plain | readonly Plain[] {
  if (typeof value === 'string') return value;
  const values = value.map((element) => plain(element, type));
  return values.length === 1 ? values[0]! : values;
}

/** 64-bit integers as text, since JSON has none; times of TT2000 as UTC. */
function plain(value: string | number | bigint, type: string): Plain {
  if (typeof value !== 'bigint') return value;
  if (type !== 'CDF_TIME_TT2000') return String(value);
  try {
    return tt2000ToUtc(value);
  } catch {
    return String(value);
  }
}

export function cdfDumpText(path: string, { file, globalAttributes, variables }: CdfDump): string {
  const lines = [
    `${path}: CDF ${file.version}, encoding ${file.encoding}, ${file.majority}-major` +
      `${file.hasChecksum ? ', MD5' : ''}${file.isCompressed ? ', compressed as a whole' : ''}`,
    '',
    `Global attributes (${Object.keys(globalAttributes).length}):`,
  ];
  for (const [name, entries] of Object.entries(globalAttributes)) {
    lines.push(`  ${name}: ${entries.map((entry) => oneLine(String(entry), 100)).join(' | ')}`);
  }
  lines.push('', `Variables (${variables.length}):`);
  for (const variable of variables) {
    const shape = [...(variable.recordVarying ? [`${variable.records} records`] : []), ...variable.dims].join(' × ');
    const packed = variable.compression === 'none' ? '' : `, ${variable.compression}`;
    lines.push(`  ${variable.name}: ${variable.type}${shape === '' ? '' : ` [${shape}]`}${packed}`);
    for (const [name, value] of Object.entries(variable.attributes)) {
      lines.push(`      ${name} = ${oneLine(Array.isArray(value) ? value.join(', ') : String(value), 90)}`);
    }
    if (variable.values.length > 0) lines.push(`      first values: ${variable.values.join(', ')}`);
  }
  return lines.join('\n');
}

function oneLine(text: string, most: number): string {
  const line = text.replaceAll(/\s+/g, ' ');
  return line.length > most ? `${line.slice(0, most - 1)}…` : line;
}
