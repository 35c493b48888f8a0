/**
 * Two files compared by what they mean: variables, attributes, values. How they are stored (order of records, byte
 * order, compression, checksum) makes no difference.
 */
import { dataType } from '../data-types.ts';
import type { AttributeEntry, VariableDescription } from '../read/description.ts';
import { CdfReader } from '../read/reader.ts';

/** What counts as equal. */
export interface CdfDiffOptions {
  /**
   * Floating-point values within `absolute + relative * max(|a|, |b|)` of each other are equal. Without either, values
   * are equal if they are the same number; then 0 and -0 differ. NaN equals NaN.
   */
  readonly absolute?: number;
  readonly relative?: number;
  /** Attributes, global and of variables, that are not compared. */
  readonly ignoreAttributes?: readonly string[];
}

/** Something that one file says otherwise than the other. */
export interface CdfDifference {
  readonly kind: 'variables' | 'attribute_order' | 'global_attribute' | 'variable' | 'variable_attribute' | 'values';
  /** The variable or attribute, for values the first that differs: `flux[12][0]`. */
  readonly where: string;
  /** What of it differs, e.g. `entries`, `order`, `value`. */
  readonly what: string;
  /** As the first and the second file have it. */
  readonly a: string;
  readonly b: string;
}

/** @throws FormatError if a file cannot be read; errors of the file system */
export async function diffCdf(
  pathA: string,
  pathB: string,
  options: CdfDiffOptions = {},
): Promise<readonly CdfDifference[]> {
  const a = await CdfReader.open(pathA);
  try {
    const b = await CdfReader.open(pathB);
    try {
      return [...diffGlobals(a, b, options), ...diffOrder(a, b), ...(await diffVariables(a, b, options))];
    } finally {
      await b.close();
    }
  } finally {
    await a.close();
  }
}

function* diffGlobals(a: CdfReader, b: CdfReader, { ignoreAttributes = [] }: CdfDiffOptions): Generator<CdfDifference> {
  for (const name of union(a.globalAttributes.keys(), b.globalAttributes.keys())) {
    if (ignoreAttributes.includes(name)) continue;
    const [inA, inB] = [a, b].map(({ globalAttributes }) =>
      globalAttributes
        .get(name)
        ?.entries.map((entry) => `${entry.num}: ${showEntry(entry)}`)
        .join('; '),
    );
    if (inA !== inB)
      yield { kind: 'global_attribute', where: name, what: 'entries', a: inA ?? 'absent', b: inB ?? 'absent' };
  }
}

/** Order of what both have. */
function* diffOrder(a: CdfReader, b: CdfReader): Generator<CdfDifference> {
  const orders = [
    ['variables', 'variables', [...a.variables.keys()], [...b.variables.keys()]],
    ['attribute_order', 'global attributes', [...a.globalAttributes.keys()], [...b.globalAttributes.keys()]],
    ['attribute_order', 'variable attributes', a.variableAttributeNames, b.variableAttributeNames],
  ] as const;
  for (const [kind, where, inA, inB] of orders) {
    const [first, second] = [
      inA.filter((name) => inB.includes(name)).join(', '),
      inB.filter((name) => inA.includes(name)).join(', '),
    ];
    if (first !== second) yield { kind, where, what: 'order', a: first, b: second };
  }
}

async function diffVariables(a: CdfReader, b: CdfReader, options: CdfDiffOptions): Promise<CdfDifference[]> {
  const differences: CdfDifference[] = [];
  for (const name of union(a.variables.keys(), b.variables.keys())) {
    const [inA, inB] = [a.variables.get(name), b.variables.get(name)];
    if (!inA || !inB) {
      const [shownA, shownB] = [inA, inB].map((variable) => (variable ? 'present' : 'absent')) as [string, string];
      differences.push({ kind: 'variables', where: name, what: 'variable', a: shownA, b: shownB });
      continue;
    }
    const ofForm = [...diffForm(inA, inB)];
    differences.push(...ofForm, ...diffAttributes(inA, inB, options));
    const isComparable = ofForm.every(({ what }) => what === 'records' || what === 'pad' || what === 'elements');
    const values = isComparable ? await diffValues(a, b, inA, Math.min(inA.records, inB.records), options) : undefined;
    if (values) differences.push(values);
  }
  return differences;
}

function* diffForm(a: VariableDescription, b: VariableDescription): Generator<CdfDifference> {
  const form = ({
    type,
    elements,
    dims,
    recordVarying,
    records,
    pad,
  }: VariableDescription): Record<string, string> => ({
    type,
    elements: `${elements}`,
    dims: `[${dims.join(', ')}]`,
    'record varying': `${recordVarying}`,
    records: `${records}`,
    pad: pad === undefined ? 'none' : show(pad),
  });
  const [ofA, ofB] = [form(a), form(b)];
  for (const what of Object.keys(ofA)) {
    if (ofA[what] !== ofB[what]) yield { kind: 'variable', where: a.name, what, a: ofA[what]!, b: ofB[what]! };
  }
}

function* diffAttributes(
  a: VariableDescription,
  b: VariableDescription,
  { ignoreAttributes = [] }: CdfDiffOptions,
): Generator<CdfDifference> {
  for (const name of union(a.attributes.keys(), b.attributes.keys())) {
    if (ignoreAttributes.includes(name)) continue;
    const [inA, inB] = [a, b]
      .map(({ attributes }) => attributes.get(name))
      .map((entry) => (entry ? showEntry(entry) : 'absent')) as [string, string];
    if (inA !== inB) yield { kind: 'variable_attribute', where: `${a.name}.${name}`, what: 'value', a: inA, b: inB };
  }
}

/** Values compared at a time, about. */
const PIECE_BYTES = 4_194_304;

async function diffValues(
  a: CdfReader,
  b: CdfReader,
  { name, type, dims, elements }: VariableDescription,
  records: number,
  options: CdfDiffOptions,
): Promise<CdfDifference | undefined> {
  const perRecord = dims.reduce((product, size) => product * size, 1);
  const { bytes, elementBytes, kind } = dataType(type);
  const width = perRecord * (bytes / elementBytes);
  const isEqual = kind === 'float' ? equalFloats(options) : Object.is;
  const piece = Math.max(1, Math.floor(PIECE_BYTES / (perRecord * bytes * elements)));
  let count = 0;
  let largest = 0;
  let first: { readonly index: number; readonly a: string; readonly b: string } | undefined;
  for (let at = 0; at < records; at += piece) {
    const range = { first: at, count: Math.min(piece, records - at) };
    const [inA, inB] = await Promise.all([a.read(name, range), b.read(name, range)]);
    for (let i = 0; i < inA.length; i++) {
      if (isEqual(inA[i], inB[i])) continue;
      count++;
      if (kind !== 'text') largest = Math.max(largest, Math.abs(Number(inA[i]) - Number(inB[i])));
      first ??= { index: at * width + i, a: show(inA[i]!), b: show(inB[i]!) };
    }
  }
  if (!first) return undefined;
  const apart = kind === 'text' ? '' : `, at most ${largest} apart`;
  const what = `${count} of ${records * width} values${apart}`;
  return { kind: 'values', where: `${name}${position(first.index, width, dims)}`, what, a: first.a, b: first.b };
}

function equalFloats({ absolute = 0, relative = 0 }: CdfDiffOptions): (a: unknown, b: unknown) => boolean {
  if (absolute === 0 && relative === 0) return Object.is;
  return (a, b) => {
    const [x, y] = [a as number, b as number];
    if (Object.is(x, y)) return true;
    const isFinite = Number.isFinite(x) && Number.isFinite(y); // an infinite tolerance would allow anything
    return isFinite && Math.abs(x - y) <= absolute + relative * Math.max(Math.abs(x), Math.abs(y));
  };
}

/** `[record][i][j]` of a value's place in row-major order. */
function position(index: number, width: number, dims: readonly number[]): string {
  const indexes: number[] = [];
  let rest = Math.floor(((index % width) * dims.reduce((product, size) => product * size, 1)) / width);
  for (const size of dims.toReversed()) {
    indexes.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return [Math.floor(index / width), ...indexes].map((at) => `[${at}]`).join('');
}

function union(a: Iterable<string>, b: Iterable<string>): Set<string> {
  return new Set([...a, ...b]);
}

function showEntry({ type, value }: AttributeEntry): string {
  return `${type} ${show(value)}`;
}

function show(value: string | number | bigint | readonly (number | bigint)[]): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'object') return value.map(show).join(', ');
  return Object.is(value, -0) ? '-0' : `${value}`;
}
