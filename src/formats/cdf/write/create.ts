/**
 * First step of writing: a schema becomes checked variables and attributes whose parts have final sizes and bytes.
 */
import { DATA_TYPES, dataType } from '../data-types.ts';
import { FormatError } from '../errors.ts';
import type { AttributeValue, CdfSchema, CdfVariable, CdfWriteOptions } from '../model.ts';
import { checkShape } from './schema-shape.ts';
import { encodeNumbers, encodeTexts } from './values.ts';
import type { TextLayout } from './values.ts';

export interface VariableDraft {
  readonly name: string;
  readonly source: CdfVariable;
  readonly dims: readonly number[];
  /** The format's NumElems: bytes per text, else 1. */
  readonly elements: number;
  readonly recordBytes: number;
  readonly gzipLevel: number;
  /** Records in a full block: of 256 KiB or so if compressed, else as many as one huge block takes. */
  readonly blockRecords: number;
  /** How many there will be; `undefined` if that is not known before the end. */
  readonly records: number | undefined;
  readonly pad: Uint8Array;
  readonly text: TextLayout;
  /** What a NaN becomes; `undefined` refuses it. */
  readonly nanFill: number | undefined;
}

export interface EntryDraft {
  /** Entry number of a global attribute, variable number of a variable attribute. */
  readonly num: number;
  readonly typeCode: number;
  readonly numElems: number;
  readonly numStrings: number;
  readonly value: Uint8Array;
}

export interface AttributeDraft {
  readonly name: string;
  readonly scope: 'global' | 'variable';
  /** Ascending by number. */
  readonly entries: readonly EntryDraft[];
}

export interface FileDraft {
  readonly copyright: string;
  readonly variables: readonly VariableDraft[];
  readonly attributes: readonly AttributeDraft[];
}

/** Record numbers are 4-byte signed, and readers count records in the same width. */
export const MAX_RECORDS = 2 ** 31 - 1;

const DEFAULT_BLOCK_BYTES = 262_144;
/** Uncompressed values go out in as few blocks as possible; the bound keeps a block's size far from 2^31. */
const PLAIN_BLOCK_BYTES = 2 ** 30;
const MAX_RECORD_BYTES = 2 ** 30;
const MAX_DIMS = 10; // libcdf's CDF_MAX_DIMS
const COPYRIGHT_BYTES = 256;

/**
 * @throws FormatError `schema_invalid` naming the variable or attribute, `value_invalid` for values its type cannot hold
 */
export function createDraft(schema: CdfSchema, options: CdfWriteOptions): FileDraft {
  checkShape(schema);
  const copyright = schema.copyright ?? '';
  const copyrightBytes = Buffer.byteLength(copyright);
  if (copyrightBytes > COPYRIGHT_BYTES) throw broken('copyright', 'at most 256 bytes', `${copyrightBytes}`);
  const blockBytes = options.blockBytes ?? DEFAULT_BLOCK_BYTES;
  if (!Number.isInteger(blockBytes) || blockBytes < 1 || blockBytes > MAX_RECORD_BYTES) {
    throw broken('blockBytes', 'a whole number of 1 to 2^30 bytes', String(blockBytes));
  }
  checkNames(
    'variable',
    schema.variables.map(({ name }) => name),
  );
  const variables = schema.variables.map((variable) => createVariable(variable, blockBytes));
  const attributes = [...createGlobals(schema), ...createVariableAttributes(schema)];
  checkNames(
    'attribute',
    attributes.map(({ name }) => name),
  );
  return { copyright, variables, attributes };
}

function createVariable(source: CdfVariable, blockBytes: number): VariableDraft {
  const { name, type, dims = [], gzipLevel = 0 } = source;
  const where = `variable ${name}`;
  if (!Object.hasOwn(DATA_TYPES, type)) throw broken(`${where}: type`, 'a CDF data type', type);
  const { bytes } = dataType(type);
  if (dims.length > MAX_DIMS || !dims.every((size) => Number.isInteger(size) && size >= 1)) {
    throw broken(`${where}: dims`, `at most ${MAX_DIMS} whole numbers of at least 1`, `[${dims.join(', ')}]`);
  }
  const elements = elementsOf(source, where);
  const recordBytes = dims.reduce((product, size) => product * size, bytes * elements);
  if (recordBytes > MAX_RECORD_BYTES) throw broken(where, 'records of at most 2^30 bytes', `${recordBytes} bytes`);
  if (!Number.isInteger(gzipLevel) || gzipLevel < 0 || gzipLevel > 6) {
    throw broken(`${where}: gzipLevel`, '0 to 6', String(gzipLevel));
  }
  checkMonotonic(source, where);
  const text: TextLayout = {
    elements,
    padding: source.charPadding ?? 'nul',
    overflow: source.charOverflow ?? 'refuse',
  };
  const blockRecords = recordsPerBlock(source, recordBytes, blockBytes);
  const records = declaredRecords(source, where);
  const pad = createPad(source, text, where);
  return {
    name,
    source,
    dims,
    elements,
    recordBytes,
    gzipLevel,
    blockRecords,
    records,
    pad,
    text,
    nanFill: nanFillOf(source),
  };
}

function recordsPerBlock(
  { recordVarying, gzipLevel = 0 }: CdfVariable,
  recordBytes: number,
  blockBytes: number,
): number {
  if (!recordVarying) return 1;
  return gzipLevel > 0 ? Math.ceil(blockBytes / recordBytes) : Math.max(1, Math.floor(PLAIN_BLOCK_BYTES / recordBytes));
}

function declaredRecords({ recordVarying, records }: CdfVariable, where: string): number | undefined {
  if (records === undefined) return recordVarying ? undefined : 1;
  const isPossible = recordVarying
    ? Number.isInteger(records) && records >= 0 && records <= MAX_RECORDS
    : records === 1;
  if (isPossible) return records;
  const expected = recordVarying ? `0 to ${MAX_RECORDS}` : '1, as it does not vary with records';
  throw broken(`${where}: records`, expected, String(records));
}

function elementsOf({ type, elements }: CdfVariable, where: string): number {
  const isText = dataType(type).kind === 'text';
  if (isText ? Number.isInteger(elements) && elements! >= 1 : elements === undefined || elements === 1) {
    return elements ?? 1;
  }
  const expected = isText ? 'bytes per text, at least 1' : 'none for a numeric type';
  throw broken(`${where}: elements`, expected, String(elements));
}

function checkMonotonic({ type, dims = [], recordVarying, monotonic }: CdfVariable, where: string): void {
  if (monotonic === undefined) return;
  const { kind, bytes } = dataType(type);
  if (kind !== 'text' && bytes <= 8 && dims.length === 0 && recordVarying) return;
  throw broken(`${where}: monotonic`, 'one number per record, record varying', `${type}[${dims.join(', ')}]`);
}

function createPad({ type, pad }: CdfVariable, text: TextLayout, where: string): Uint8Array {
  if (dataType(type).kind === 'text') {
    if (pad !== undefined && typeof pad !== 'string') throw broken(`${where}: pad`, 'text', String(pad));
    return encodeTexts([pad ?? ' '.repeat(text.elements)], text, `${where}: pad`);
  }
  if (typeof pad === 'string') throw broken(`${where}: pad`, `a value of ${type}`, JSON.stringify(pad));
  const values = pad === undefined ? dataType(type).pad : typeof pad === 'object' ? pad : [pad];
  return encodeNumbers(type, values, `${where}: pad`);
}

function nanFillOf({ attributes = [] }: CdfVariable): number | undefined {
  const fill = attributes.find(([name]) => name === 'FILLVAL')?.[1];
  if (fill === undefined || typeof fill === 'string' || fill.values.length !== 1) return undefined;
  const value = Number(fill.values[0]);
  return Number.isNaN(value) ? undefined : value;
}

function createGlobals(schema: CdfSchema): AttributeDraft[] {
  return (schema.globalAttributes ?? []).map(([name, values]) => ({
    name,
    scope: 'global',
    entries: values.map((value, num) => createEntry(value, num, 0, `global attribute ${name}`)),
  }));
}

function createVariableAttributes({ variables, variableAttributeOrder = [] }: CdfSchema): AttributeDraft[] {
  const entries = new Map<string, EntryDraft[]>(variableAttributeOrder.map((name) => [name, []]));
  variables.forEach((variable, num) => {
    for (const [name, value] of variable.attributes ?? []) {
      const list = entries.get(name) ?? [];
      entries.set(name, list);
      const where = `attribute ${name} of variable ${variable.name}`;
      if (list.at(-1)?.num === num) throw broken(where, 'one value', 'two');
      list.push(createEntry(value, num, 1, where));
    }
  });
  const used = [...entries].filter(([, list]) => list.length > 0);
  return used.map(([name, list]) => ({ name, scope: 'variable', entries: list }));
}

function createEntry(value: AttributeValue, num: number, stringsIfText: number, where: string): EntryDraft {
  if (typeof value === 'string') {
    const text = Buffer.from(value === '' ? ' ' : value);
    const { code } = dataType('CDF_CHAR');
    return { num, typeCode: code, numElems: text.length, numStrings: stringsIfText, value: text };
  }
  if (!Object.hasOwn(DATA_TYPES, value.type)) throw broken(`${where}: type`, 'a CDF data type', value.type);
  const { code, bytes, kind } = dataType(value.type);
  const encoded = encodeNumbers(value.type, value.values, where);
  const numStrings = kind === 'text' ? stringsIfText : 0;
  return { num, typeCode: code, numElems: encoded.byteLength / bytes, numStrings, value: encoded };
}

/**
 * Stricter than the format, because libcdf is: it refuses a file with any other byte in a name or with an attribute name
 * of 256 bytes, does not find a variable of 256, and takes names that differ by final spaces for equal.
 */
function checkNames(what: string, names: readonly string[]): void {
  const seen = new Set<string>();
  for (const name of names) {
    if (!/^[\x20-\x7e]{1,255}$/.test(name) || name.endsWith(' ')) {
      const expected = '1 to 255 printable ASCII characters, the last not a space';
      throw broken(`${what} name`, expected, JSON.stringify(name));
    }
    if (seen.has(name)) throw broken(`${what} name`, 'each name once', `${JSON.stringify(name)} twice`);
    seen.add(name);
  }
}

function broken(what: string, expected: string, got: string): FormatError {
  return new FormatError('schema_invalid', what, { expected, got });
}
