/**
 * The internal records of a CDF, field by field: one declaration serves the writer and the reader.
 *
 * Every record begins with its size (8 bytes, itself counted) and type (4 bytes). All fields are big-endian, whatever
 * the encoding of the data. Fields of varying length follow the declared ones and are handled where they are used.
 * Source: CDF Internal Format Description, version 3; sections of the same names as the constants.
 */
import { FormatError } from './errors.ts';

type FieldKind = 'i4' | 'i8' | 'name';
type FieldList = readonly (readonly [name: string, kind: FieldKind])[];

export interface RecordKind<F extends FieldList = FieldList> {
  readonly what: string;
  readonly type: number;
  /** Size and type included, fields of varying length not. */
  readonly headBytes: number;
  readonly fields: F;
}

export type RecordFields<K extends RecordKind> = {
  [Field in K['fields'][number] as Field[0]]: Field[1] extends 'name' ? string : number;
};

const NAME_BYTES = 256;
const FIELD_BYTES: Record<FieldKind, number> = { i4: 4, i8: 8, name: NAME_BYTES };

/** Size and type. */
export const PREFIX_BYTES = 12;

function record<const F extends FieldList>(what: string, type: number, fields: F): RecordKind<F> {
  const headBytes = fields.reduce((sum, [, kind]) => sum + FIELD_BYTES[kind], PREFIX_BYTES);
  return { what, type, headBytes, fields };
}

/** Bytes `CD F3 00 01`. */
export const MAGIC_V3 = 0xcdf30001;
export const MAGIC_PLAIN = 0x0000ffff;
/** The file is compressed as a whole: a CCR follows. */
export const MAGIC_COMPRESSED = 0xcccc0001;
export const MAGIC_BYTES = 8;
export const MD5_BYTES = 16;

export const CDR = record('CDR', 1, [
  ['gdrOffset', 'i8'],
  ['version', 'i4'],
  ['release', 'i4'],
  ['encoding', 'i4'],
  ['flags', 'i4'],
  ['rfuA', 'i4'],
  ['rfuB', 'i4'],
  ['increment', 'i4'],
  ['identifier', 'i4'],
  ['rfuE', 'i4'],
  ['copyright', 'name'],
]);
export const CDR_FLAGS = { rowMajor: 1, singleFile: 2, checksum: 4, md5: 8 } as const;

/** Followed by the sizes of the rVariables' dimensions, `rNumDims` x i4. */
export const GDR = record('GDR', 2, [
  ['rVdrHead', 'i8'],
  ['zVdrHead', 'i8'],
  ['adrHead', 'i8'],
  ['eof', 'i8'],
  ['nrVars', 'i4'],
  ['numAttr', 'i4'],
  ['rMaxRec', 'i4'],
  ['rNumDims', 'i4'],
  ['nzVars', 'i4'],
  ['uirHead', 'i8'],
  ['rfuC', 'i4'],
  ['leapSecondLastUpdated', 'i4'],
  ['rfuE', 'i4'],
]);

const VDR_FIELDS = [
  ['vdrNext', 'i8'],
  ['dataType', 'i4'],
  ['maxRec', 'i4'],
  ['vxrHead', 'i8'],
  ['vxrTail', 'i8'],
  ['flags', 'i4'],
  ['sRecords', 'i4'],
  ['rfuB', 'i4'],
  ['rfuC', 'i4'],
  ['rfuF', 'i4'],
  ['numElems', 'i4'],
  ['num', 'i4'],
  ['cprOrSprOffset', 'i8'],
  ['blockingFactor', 'i4'],
  ['name', 'name'],
] as const;

/** Followed by the variance of each dimension of the GDR (i4), then the pad value. */
export const RVDR = record('rVDR', 3, VDR_FIELDS);
/** Followed by dimension sizes and variances (`zNumDims` x i4 each), then the pad value. */
export const ZVDR = record('zVDR', 8, [...VDR_FIELDS, ['zNumDims', 'i4']]);
export const VDR_FLAGS = { recordVarying: 1, pad: 2, compressed: 4 } as const;

export const ADR = record('ADR', 4, [
  ['adrNext', 'i8'],
  ['agrEdrHead', 'i8'],
  ['scope', 'i4'],
  ['num', 'i4'],
  ['ngrEntries', 'i4'],
  ['maxGrEntry', 'i4'],
  ['rfuA', 'i4'],
  ['azEdrHead', 'i8'],
  ['nzEntries', 'i4'],
  ['maxzEntry', 'i4'],
  ['rfuE', 'i4'],
  ['name', 'name'],
]);
export const SCOPE = { global: 1, variable: 2, globalAssumed: 3, variableAssumed: 4 } as const;

const AEDR_FIELDS = [
  ['aedrNext', 'i8'],
  ['attrNum', 'i4'],
  ['dataType', 'i4'],
  ['num', 'i4'],
  ['numElems', 'i4'],
  ['numStrings', 'i4'],
  ['rfuB', 'i4'],
  ['rfuC', 'i4'],
  ['rfuD', 'i4'],
  ['rfuE', 'i4'],
] as const;

/** Entry of a global attribute or of an rVariable; followed by the value. */
export const AGREDR = record('AgrEDR', 5, AEDR_FIELDS);
/** Entry of a zVariable; followed by the value. */
export const AZEDR = record('AzEDR', 9, AEDR_FIELDS);

/** Followed by First and Last (i4) and Offset (i8) of every slot, each as an array of its own. */
export const VXR = record('VXR', 6, [
  ['vxrNext', 'i8'],
  ['nEntries', 'i4'],
  ['nUsedEntries', 'i4'],
]);
/** Followed by the values. */
export const VVR = record('VVR', 7, []);
/** Followed by the compressed values. */
export const CVVR = record('CVVR', 13, [
  ['rfuA', 'i4'],
  ['cSize', 'i8'],
]);

/** Followed by the compressed remainder of the file. */
export const CCR = record('CCR', 10, [
  ['cprOffset', 'i8'],
  ['uSize', 'i8'],
  ['rfuA', 'i4'],
]);
/** Followed by `pCount` parameters (i4). */
export const CPR = record('CPR', 11, [
  ['cType', 'i4'],
  ['rfuA', 'i4'],
  ['pCount', 'i4'],
]);
export const COMPRESSION = { none: 0, rle: 1, huffman: 2, adaptiveHuffman: 3, gzip: 5 } as const;

/** Unused space. */
export const UIR = record('UIR', -1, [
  ['nextUir', 'i8'],
  ['prevUir', 'i8'],
]);

/** A record's declared fields as bytes, followed by `tail`; the size field counts both and `extraBytes` beyond them. */
export function encodeRecord<K extends RecordKind>(
  kind: K,
  fields: RecordFields<K>,
  tail: readonly Uint8Array[] = [],
  extraBytes = 0,
): Buffer {
  const tailBytes = tail.reduce((sum, { byteLength }) => sum + byteLength, 0);
  const head = Buffer.alloc(kind.headBytes);
  writeOffset(head, kind.headBytes + tailBytes + extraBytes, 0);
  head.writeInt32BE(kind.type, 8);
  let at = PREFIX_BYTES;
  for (const [name, fieldKind] of kind.fields) {
    const value = (fields as Record<string, string | number>)[name]!;
    if (fieldKind === 'i4') head.writeInt32BE(value as number, at);
    else if (fieldKind === 'i8') writeOffset(head, value as number, at);
    else head.write(value as string, at, NAME_BYTES, 'utf8');
    at += FIELD_BYTES[fieldKind];
  }
  return tail.length === 0 ? head : Buffer.concat([head, ...tail]);
}

/** Big-endian array of 4-byte signed integers, as it follows some records' fields. */
export function int32Array(values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  values.forEach((value, i) => bytes.writeInt32BE(value, i * 4));
  return bytes;
}

/** Big-endian array of 8-byte signed integers. */
export function int64Array(values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 8);
  values.forEach((value, i) => writeOffset(bytes, value, i * 8));
  return bytes;
}

function writeOffset(bytes: Buffer, value: number, at: number): void {
  if (!Number.isSafeInteger(value)) {
    throw new FormatError('too_large', 'offset or size', { expected: 'at most 2^53 - 1', got: String(value) });
  }
  bytes.writeBigInt64BE(BigInt(value), at);
}

/**
 * The declared fields of a record.
 *
 * @param bytes - the record from its size field on, at least `kind.headBytes`
 * @param offset - where it stands in the file, for errors
 * @throws FormatError `corrupted` if an 8-byte number passes 2^53 - 1
 */
export function decodeRecord<K extends RecordKind>(kind: K, bytes: Buffer, offset: number): RecordFields<K> {
  const fields: Record<string, string | number> = {};
  let at = PREFIX_BYTES;
  for (const [name, fieldKind] of kind.fields) {
    if (fieldKind === 'i4') fields[name] = bytes.readInt32BE(at);
    else if (fieldKind === 'i8') fields[name] = readOffset(bytes, at, offset + at);
    else fields[name] = textUntilNul(bytes.subarray(at, at + NAME_BYTES));
    at += FIELD_BYTES[fieldKind];
  }
  return fields as RecordFields<K>;
}

/** The 8-byte signed number at `at`, whose place in the file is `offset`. */
export function readOffset(bytes: Buffer, at: number, offset: number): number {
  const value = Number(bytes.readBigInt64BE(at));
  if (!Number.isSafeInteger(value)) {
    throw new FormatError('corrupted', 'offset or size', { offset, expected: 'less than 2^53', got: String(value) });
  }
  return value;
}

function textUntilNul(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString('utf8', 0, end === -1 ? bytes.length : end);
}
