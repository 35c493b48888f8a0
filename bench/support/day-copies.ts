/** Days for the Zarr stores: one product again for the days after it, with their times and all else the same. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { addDays } from '../../src/core/time/day.ts';
import type { Day } from '../../src/core/time/day.ts';
import type { ZarrDay } from '../../src/core/zarr.ts';
import { CdfWriter, readCdf } from '../../src/formats/cdf/index.ts';
import type { AttributeValue, CdfContent, CdfSchema, VariableDescription } from '../../src/formats/cdf/index.ts';

const DAY_NS = 86_400_000_000_000n;

/**
 * @param path - a product of `first`
 * @param from - days after `first` that the first copy is of
 * @returns `count` products of consecutive days
 */
export async function copyDays(path: string, first: Day, count: number, folder: string, from = 0): Promise<ZarrDay[]> {
  const content = await readCdf(path);
  const days: ZarrDay[] = [];
  for (let index = from; index < from + count; index++) {
    const day = addDays(first, index);
    const copy = join(folder, `reach_all_l1c_prelim_${day.replaceAll('-', '')}T000000_v1.0.0.cdf`);
    await writeShifted(content, copy, BigInt(index) * DAY_NS);
    days.push({ day, path: copy, sha256: createHash('sha256').update(readFileSync(copy)).digest('hex') });
  }
  return days;
}

async function writeShifted(content: CdfContent, path: string, ns: bigint): Promise<void> {
  const writer = await CdfWriter.open(path, schemaOf(content));
  for (const [name, { values }] of content.variables) {
    await writer.append(name, name === 'Epoch' ? (values as BigInt64Array).map((time) => time + ns) : values);
  }
  await writer.close();
}

function schemaOf({ globalAttributes, variables }: CdfContent): CdfSchema {
  return {
    globalAttributes: [...globalAttributes.values()].map(({ name, entries }) => [name, entries.map(valueOf)]),
    variables: [...variables.values()].map(variableOf),
  };
}

function variableOf(variable: VariableDescription): CdfSchema['variables'][number] {
  const { name, type, elements, dims, recordVarying, gzipLevel } = variable;
  const isText = type === 'CDF_CHAR' || type === 'CDF_UCHAR';
  const attributes = [...variable.attributes].map(([attribute, entry]) => [attribute, valueOf(entry)] as const);
  const level = gzipLevel === undefined ? 0 : 4;
  return { name, type, dims, recordVarying, gzipLevel: level, attributes, ...(isText && { elements }) };
}

function valueOf({ type, value }: { type: VariableDescription['type']; value: unknown }): AttributeValue {
  return typeof value === 'string' ? value : { type, values: value as readonly (number | bigint)[] };
}
