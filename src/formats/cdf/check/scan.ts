/**
 * One pass over a variable's values: what the rules about values need to know, in bounded memory.
 */
import type { VariableDescription } from '../read/description.ts';
import type { CdfReader } from '../read/reader.ts';

export type Value = number | bigint;

export interface ValueScan {
  /** Every value is greater than the one before; of interest for one value per record. */
  readonly isIncreasing: boolean;
  readonly first: Value | undefined;
  readonly last: Value | undefined;
  readonly fills: number;
  readonly nans: number;
  /** Values outside VALIDMIN..VALIDMAX that are not fill. */
  readonly outside: number;
  readonly firstOutside: Value | undefined;
}

/**
 * Reads all values, which also proves that they can be read.
 *
 * @returns `undefined` for text and for EPOCH16, whose values are pairs
 * @throws FormatError as `CdfReader.batches`
 */
export async function scanValues(reader: CdfReader, variable: VariableDescription): Promise<ValueScan | undefined> {
  const fill = numbersOf(variable, 'FILLVAL')?.[0];
  const lowest = numbersOf(variable, 'VALIDMIN') ?? [-Infinity];
  const highest = numbersOf(variable, 'VALIDMAX') ?? [Infinity];
  const [counts, edges] = [
    { fills: 0, nans: 0, outside: 0 },
    { first: undefined as Value | undefined, last: undefined as Value | undefined },
  ];
  let isIncreasing = true;
  let firstOutside: Value | undefined;
  let isScanned = variable.type !== 'CDF_EPOCH16';
  for await (const { values } of reader.batches(variable.name)) {
    if (Array.isArray(values)) isScanned = false;
    if (!isScanned) continue;
    const array = values as ArrayLike<Value>;
    for (let i = 0; i < array.length; i++) {
      const value = array[i]!;
      if (edges.last === undefined) edges.first = value;
      else if (!(value > edges.last)) isIncreasing = false;
      edges.last = value;
      // A batch holds whole records, so `i` tells the element for a range with one value per element.
      if (Number.isNaN(value)) counts.nans++;
      else if (value === fill) counts.fills++;
      else if (value < lowest[i % lowest.length]! || value > highest[i % highest.length]!) {
        counts.outside++;
        firstOutside ??= value;
      }
    }
  }
  return isScanned ? { ...counts, ...edges, isIncreasing, firstOutside } : undefined;
}

/** The numbers of an attribute, if it has any. */
export function numbersOf({ attributes }: VariableDescription, name: string): readonly Value[] | undefined {
  const value = attributes.get(name)?.value;
  return typeof value === 'string' ? undefined : value;
}

/** The text of an attribute, if it has one. */
export function textOf({ attributes }: VariableDescription, name: string): string | undefined {
  const value = attributes.get(name)?.value;
  return typeof value === 'string' ? value : undefined;
}
