/**
 * Everything a CDF says before its values: variables and attributes, with each link and length checked.
 */
import { dataType } from '../data-types.ts';
import type { CdfType } from '../data-types.ts';
import { ADR, AGREDR, AZEDR, COMPRESSION, CPR, RVDR, SCOPE, VDR_FLAGS, ZVDR } from '../records.ts';
import type { RecordFields } from '../records.ts';
import { decodeFew, typeOfCode } from './decode.ts';
import type { AttributeEntry, Compression, GlobalAttribute, VariableDescription } from './description.ts';
import { readHeader } from './header.ts';
import type { Header } from './header.ts';
import { corrupted } from './record-file.ts';
import type { ReadRecord, RecordFile } from './record-file.ts';
import type { ByteSource } from './source.ts';

/** A variable's description and what is needed to reach its values. */
export interface CatalogVariable extends VariableDescription {
  readonly vdr: ReadRecord<typeof RVDR> | ReadRecord<typeof ZVDR>;
  readonly recordBytes: number;
  /** The format's number of the compression, 0 for none. */
  readonly cType: number;
  /** In the file's byte order; `undefined` if the file has none. */
  readonly padBytes: Buffer | undefined;
}

export interface Catalog {
  readonly header: Header;
  readonly globalAttributes: readonly GlobalAttribute[];
  /** Names of all variable attributes in file order. */
  readonly variableAttributeNames: readonly string[];
  /** rVariables first, then zVariables, each in file order. */
  readonly variables: readonly CatalogVariable[];
}

/**
 * @param onRecord - told of every record that is read, now and later
 * @throws FormatError for anything that contradicts the format
 */
export async function readCatalog(source: ByteSource, onRecord?: RecordFile['onRecord']): Promise<Catalog> {
  const header = await readHeader(source, onRecord);
  const { records, gdr } = header;
  const rVdrs = await records.readList(RVDR, gdr.rVdrHead, gdr.nrVars, ({ vdrNext }) => vdrNext);
  const zVdrs = await records.readList(ZVDR, gdr.zVdrHead, gdr.nzVars, ({ vdrNext }) => vdrNext);
  const attributes = await readAttributes(header);
  const variables: CatalogVariable[] = [];
  for (const vdr of rVdrs) variables.push(await describe(header, vdr, 'r', attributes.ofVariables.r));
  for (const vdr of zVdrs) variables.push(await describe(header, vdr, 'z', attributes.ofVariables.z));
  checkNames(
    'variables',
    variables.map(({ name }) => name),
    gdr.zVdrHead,
  );
  checkNames('attributes', [...attributes.globals.map(({ name }) => name), ...attributes.variableNames], gdr.adrHead);
  return { header, globalAttributes: attributes.globals, variableAttributeNames: attributes.variableNames, variables };
}

function checkNames(what: string, names: readonly string[], offset: number): void {
  const different = new Set(names).size;
  if (different < names.length)
    throw corrupted(`names of ${what}`, offset, `${names.length} different ones`, `${different}`);
}

type EntriesByVariable = Map<number, Map<string, AttributeEntry>>;

interface Attributes {
  readonly globals: GlobalAttribute[];
  readonly variableNames: string[];
  readonly ofVariables: { readonly r: EntriesByVariable; readonly z: EntriesByVariable };
}

async function readAttributes({ records, gdr, isLittle }: Header): Promise<Attributes> {
  const result: Attributes = { globals: [], variableNames: [], ofVariables: { r: new Map(), z: new Map() } };
  for (const { fields: adr } of await records.readList(ADR, gdr.adrHead, gdr.numAttr, ({ adrNext }) => adrNext)) {
    const grEdrs = await records.readList(AGREDR, adr.agrEdrHead, adr.ngrEntries, ({ aedrNext }) => aedrNext);
    const grEntries = grEdrs.map((aedr) => readEntry(aedr, isLittle));
    if (adr.scope === SCOPE.global || adr.scope === SCOPE.globalAssumed) {
      result.globals.push({ name: adr.name, entries: grEntries });
      continue;
    }
    result.variableNames.push(adr.name);
    addEntries(result.ofVariables.r, adr.name, grEntries);
    const zEdrs = await records.readList(AZEDR, adr.azEdrHead, adr.nzEntries, ({ aedrNext }) => aedrNext);
    addEntries(
      result.ofVariables.z,
      adr.name,
      zEdrs.map((aedr) => readEntry(aedr, isLittle)),
    );
  }
  return result;
}

function addEntries(target: EntriesByVariable, name: string, entries: readonly AttributeEntry[]): void {
  for (const entry of entries) {
    const ofVariable = target.get(entry.num) ?? new Map<string, AttributeEntry>();
    target.set(entry.num, ofVariable.set(name, entry));
  }
}

function readEntry({ fields, tail, offset }: ReadRecord<typeof AGREDR>, isLittle: boolean): AttributeEntry {
  const type = checkedType(fields.dataType, offset);
  const bytes = fields.numElems * dataType(type).bytes;
  if (fields.numElems < 0 || bytes > tail.length) {
    throw corrupted('value of an attribute', offset, `at most ${tail.length} bytes`, `${fields.numElems} of ${type}`);
  }
  return { num: fields.num, type, value: decodeFew(tail.subarray(0, bytes), type, isLittle) };
}

async function describe(
  header: Header,
  vdr: ReadRecord<typeof RVDR> | ReadRecord<typeof ZVDR>,
  kind: 'r' | 'z',
  attributes: EntriesByVariable,
): Promise<CatalogVariable> {
  const { fields, offset } = vdr;
  const type = checkedType(fields.dataType, offset);
  const { dims, dimBytes } = readDims(vdr, header.rDims);
  const elements = dataType(type).kind === 'text' ? fields.numElems : 1;
  if (elements < 1) throw corrupted(`elements of ${fields.name}`, offset, 'at least 1', `${elements}`);
  if (fields.maxRec < -1) throw corrupted(`last record of ${fields.name}`, offset, '-1 or more', `${fields.maxRec}`);
  const itemBytes = dataType(type).bytes * elements;
  const recordBytes = dims.reduce((product, size) => product * size, itemBytes);
  if (!Number.isSafeInteger(recordBytes))
    throw corrupted(`dimensions of ${fields.name}`, offset, 'a size below 2^53', dims.join(' x '));
  const padBytes = fields.flags & VDR_FLAGS.pad ? readPad(vdr.tail.subarray(dimBytes), itemBytes, offset) : undefined;
  return {
    ...(await readCompression(header, fields, offset)),
    vdr,
    name: fields.name,
    kind,
    num: fields.num,
    type,
    elements,
    dims,
    recordVarying: (fields.flags & VDR_FLAGS.recordVarying) !== 0,
    records: fields.maxRec + 1,
    sparse: (['no', 'pad', 'previous'] as const)[fields.sRecords] ?? unknownSparse(fields.sRecords, offset),
    padBytes,
    pad: padBytes && decodeFew(padBytes, type, header.isLittle),
    attributes: attributes.get(fields.num) ?? new Map<string, AttributeEntry>(),
    recordBytes,
  };
}

/** Sizes of the dimensions that vary, and the bytes that describe them. */
function readDims(
  vdr: ReadRecord<typeof RVDR> | ReadRecord<typeof ZVDR>,
  rDims: readonly number[],
): { dims: number[]; dimBytes: number } {
  const { fields, tail, offset } = vdr;
  const isZ = 'zNumDims' in fields;
  const count = isZ ? fields.zNumDims : rDims.length;
  const dimBytes = count * (isZ ? 8 : 4);
  if (count < 0 || dimBytes > tail.length) {
    throw corrupted(`dimensions of ${fields.name}`, offset, `at most ${Math.floor(tail.length / 8)}`, `${count}`);
  }
  const sizes = isZ ? Array.from({ length: count }, (_, i) => tail.readInt32BE(4 * i)) : rDims;
  const varies = Array.from({ length: count }, (_, i) => tail.readInt32BE((isZ ? 4 * count : 0) + 4 * i) !== 0);
  if (sizes.some((size) => size < 1))
    throw corrupted(`dimensions of ${fields.name}`, offset, 'sizes of at least 1', `[${sizes.join(', ')}]`);
  return { dims: sizes.filter((_, i) => varies[i]), dimBytes };
}

function readPad(tail: Buffer, itemBytes: number, offset: number): Buffer {
  if (tail.length < itemBytes) throw corrupted('pad value', offset, `${itemBytes} bytes`, `${tail.length}`);
  return tail.subarray(0, itemBytes);
}

const COMPRESSION_NAMES = new Map<number, Compression>([
  [COMPRESSION.none, 'none'],
  [COMPRESSION.rle, 'rle'],
  [COMPRESSION.huffman, 'huffman'],
  [COMPRESSION.adaptiveHuffman, 'adaptive_huffman'],
  [COMPRESSION.gzip, 'gzip'],
]);

async function readCompression(
  { records }: Header,
  { flags, cprOrSprOffset }: RecordFields<typeof RVDR>,
  offset: number,
): Promise<Pick<CatalogVariable, 'compression' | 'gzipLevel' | 'cType'>> {
  if ((flags & VDR_FLAGS.compressed) === 0) return { compression: 'none', gzipLevel: undefined, cType: 0 };
  const cpr = await records.read(CPR, cprOrSprOffset);
  const { cType } = cpr.fields;
  const compression = COMPRESSION_NAMES.get(cType);
  if (compression === undefined) throw corrupted('compression', offset, '1, 2, 3 or 5', `${cType}`);
  const gzipLevel = compression === 'gzip' && cpr.tail.length >= 4 ? cpr.tail.readInt32BE(0) : undefined;
  return { compression, gzipLevel, cType };
}

function checkedType(code: number, offset: number): CdfType {
  const type = typeOfCode(code);
  if (type === undefined) throw corrupted('data type', offset, 'a code of the format', `${code}`);
  return type;
}

function unknownSparse(sRecords: number, offset: number): never {
  throw corrupted('sparse records', offset, '0, 1 or 2', `${sRecords}`);
}
