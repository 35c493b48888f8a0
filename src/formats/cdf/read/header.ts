/**
 * Magic numbers, CDR and GDR: what kind of file this is and where its lists begin.
 */
import { FormatError } from '../errors.ts';
import {
  CCR,
  CDR,
  CDR_FLAGS,
  CPR,
  GDR,
  MAGIC_BYTES,
  MAGIC_COMPRESSED,
  MAGIC_PLAIN,
  MAGIC_V3,
  MD5_BYTES,
} from '../records.ts';
import type { RecordFields } from '../records.ts';
import { decompress } from './decompress.ts';
import type { CdfDescription } from './description.ts';
import { corrupted, RecordFile } from './record-file.ts';
import type { ReadRecord } from './record-file.ts';
import { MemorySource } from './source.ts';
import type { ByteSource } from './source.ts';

export interface Header {
  readonly records: RecordFile;
  readonly description: CdfDescription;
  readonly isLittle: boolean;
  readonly gdr: RecordFields<typeof GDR>;
  /** Dimensions of the rVariables. */
  readonly rDims: readonly number[];
  /** End of the records; of the unpacked ones if the file is compressed as a whole. */
  readonly eof: number;
  /** End of what a checksum covers, and of the file with it, both on disk. */
  readonly contentEnd: number;
  readonly fileEnd: number;
}

const BIG_ENDIAN = new Set([1, 2, 5, 7, 9, 11, 12, 18]);
const LITTLE_ENDIAN = new Set([4, 6, 13, 16, 17]);
/** VAX, Alpha VMS D and G, IA64 VMS: floating point of their own. */
const FOREIGN = new Set([3, 14, 15, 19, 20, 21]);

/**
 * @param file - the file as it is on disk; one that is compressed as a whole is unpacked into memory
 * @param onRecord - told of every record that is read, now and later
 * @throws FormatError `not_cdf`, `truncated`, `corrupted`, `unsupported`
 */
export async function readHeader(file: ByteSource, onRecord?: RecordFile['onRecord']): Promise<Header> {
  const packed = (await readMagic(file)) ? await unpackFile(file) : undefined;
  const records = new RecordFile(packed?.source ?? file);
  records.onRecord = onRecord;
  const cdr = (await records.read(CDR, MAGIC_BYTES)).fields;
  if (cdr.version !== 3) throw corrupted('version in the CDR', MAGIC_BYTES, '3', `${cdr.version}`);
  const gdr = await records.read(GDR, cdr.gdrOffset);
  const { eof } = gdr.fields;
  if (eof < cdr.gdrOffset + gdr.sizeBytes) {
    throw corrupted('end of file in the GDR', gdr.offset, 'an offset behind it', `${eof}`);
  }
  checkLength('records', records.source, eof);
  records.end = eof;
  const hasChecksum = (cdr.flags & CDR_FLAGS.checksum) !== 0;
  const contentEnd = packed?.end ?? eof;
  const fileEnd = contentEnd + (hasChecksum ? MD5_BYTES : 0);
  checkLength('file', file, fileEnd);
  const description: CdfDescription = {
    version: `${cdr.version}.${cdr.release}.${cdr.increment}`,
    encoding: cdr.encoding,
    majority: cdr.flags & CDR_FLAGS.rowMajor ? 'row' : 'column',
    hasChecksum,
    isCompressed: packed !== undefined,
    copyright: cdr.copyright,
    leapSecondLastUpdated: gdr.fields.leapSecondLastUpdated,
  };
  const isLittle = isLittleEndian(cdr.encoding);
  return { records, description, isLittle, gdr: gdr.fields, rDims: readRDims(gdr), eof, contentEnd, fileEnd };
}

function checkLength(what: string, { sizeBytes }: ByteSource, needed: number): void {
  if (needed > sizeBytes)
    throw new FormatError('truncated', what, { expected: `${needed} bytes`, got: `${sizeBytes}` });
}

function readRDims({ fields, tail, offset }: ReadRecord<typeof GDR>): number[] {
  const { rNumDims } = fields;
  if (rNumDims < 0 || tail.length < 4 * rNumDims) {
    throw corrupted('rVariable dimensions', offset, `at most ${Math.floor(tail.length / 4)}`, `${rNumDims}`);
  }
  return Array.from({ length: rNumDims }, (_, i) => tail.readInt32BE(4 * i));
}

async function readMagic(file: ByteSource): Promise<boolean> {
  const magic = file.sizeBytes < MAGIC_BYTES ? Buffer.alloc(MAGIC_BYTES) : await file.read(0, MAGIC_BYTES);
  const [first, second] = [magic.readUInt32BE(0), magic.readUInt32BE(4)];
  if (first === 0xcdf26002 || (first === 0x0000ffff && second === 0x0000ffff)) {
    throw new FormatError('unsupported', 'file', { offset: 0, expected: 'CDF version 3', got: 'CDF version 2' });
  }
  const isCdf = first === MAGIC_V3 && (second === MAGIC_PLAIN || second === MAGIC_COMPRESSED);
  if (!isCdf) {
    const expected = 'the magic numbers of CDF version 3';
    throw new FormatError('not_cdf', 'file', { offset: 0, expected, got: magic.toString('hex') });
  }
  return second === MAGIC_COMPRESSED;
}

/** The file that a CCR holds, as if it had never been compressed, and where the packed form ends. */
async function unpackFile(file: ByteSource): Promise<{ source: ByteSource; end: number }> {
  const records = new RecordFile(file);
  const ccr = await records.read(CCR, MAGIC_BYTES);
  const cpr = await records.read(CPR, ccr.fields.cprOffset);
  const content = await decompress(cpr.fields.cType, ccr.tail, ccr.fields.uSize, MAGIC_BYTES + CCR.headBytes);
  const end = Math.max(ccr.offset + ccr.sizeBytes, cpr.offset + cpr.sizeBytes);
  return { source: new MemorySource(Buffer.concat([Buffer.alloc(MAGIC_BYTES), content])), end };
}

function isLittleEndian(encoding: number): boolean {
  if (LITTLE_ENDIAN.has(encoding)) return true;
  if (BIG_ENDIAN.has(encoding)) return false;
  const offset = MAGIC_BYTES + 28;
  if (!FOREIGN.has(encoding)) throw corrupted('encoding', offset, '1 to 21', `${encoding}`);
  throw new FormatError('unsupported', 'encoding', {
    offset,
    expected: 'one with IEEE floating point',
    got: `${encoding}`,
  });
}
