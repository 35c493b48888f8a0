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
import { MemorySource } from './source.ts';
import type { ByteSource } from './source.ts';

export interface Header {
  readonly records: RecordFile;
  readonly description: CdfDescription;
  readonly isLittle: boolean;
  readonly gdr: RecordFields<typeof GDR>;
  /** Dimensions of the rVariables. */
  readonly rDims: readonly number[];
  /** End of the records. */
  readonly eof: number;
}

const BIG_ENDIAN = new Set([1, 2, 5, 7, 9, 11, 12, 18]);
const LITTLE_ENDIAN = new Set([4, 6, 13, 16, 17]);
/** VAX, Alpha VMS D and G, IA64 VMS: floating point of their own. */
const FOREIGN = new Set([3, 14, 15, 19, 20, 21]);

/**
 * @param file - the file as it is on disk; one that is compressed as a whole is unpacked into memory
 * @throws FormatError `not_cdf`, `truncated`, `corrupted`, `unsupported`
 */
export async function readHeader(file: ByteSource): Promise<Header> {
  const isCompressed = await readMagic(file);
  const source = isCompressed ? await unpackFile(file) : file;
  const records = new RecordFile(source);
  const cdr = (await records.read(CDR, MAGIC_BYTES)).fields;
  if (cdr.version !== 3) throw corrupted('version in the CDR', MAGIC_BYTES, '3', `${cdr.version}`);
  const gdr = await records.read(GDR, cdr.gdrOffset);
  const { eof, rNumDims } = gdr.fields;
  const hasChecksum = (cdr.flags & CDR_FLAGS.checksum) !== 0;
  const needed = eof + (hasChecksum && !isCompressed ? MD5_BYTES : 0);
  if (needed > source.sizeBytes) {
    throw new FormatError('truncated', 'file', { expected: `${needed} bytes`, got: `${source.sizeBytes}` });
  }
  if (eof < cdr.gdrOffset + gdr.sizeBytes)
    throw corrupted('end of file in the GDR', gdr.offset, 'an offset behind it', `${eof}`);
  if (rNumDims < 0 || gdr.tail.length < 4 * rNumDims) {
    throw corrupted('rVariable dimensions', gdr.offset, `at most ${gdr.tail.length / 4}`, `${rNumDims}`);
  }
  records.end = eof;
  const rDims = Array.from({ length: rNumDims }, (_, i) => gdr.tail.readInt32BE(4 * i));
  const description: CdfDescription = {
    version: `${cdr.version}.${cdr.release}.${cdr.increment}`,
    encoding: cdr.encoding,
    majority: cdr.flags & CDR_FLAGS.rowMajor ? 'row' : 'column',
    hasChecksum,
    isCompressed,
    copyright: cdr.copyright,
    leapSecondLastUpdated: gdr.fields.leapSecondLastUpdated,
  };
  return { records, description, isLittle: isLittleEndian(cdr.encoding), gdr: gdr.fields, rDims, eof };
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

/** The file that a CCR holds, as if it had never been compressed. */
async function unpackFile(file: ByteSource): Promise<ByteSource> {
  const records = new RecordFile(file);
  const ccr = await records.read(CCR, MAGIC_BYTES);
  const cpr = await records.read(CPR, ccr.fields.cprOffset);
  const content = await decompress(cpr.fields.cType, ccr.tail, ccr.fields.uSize, MAGIC_BYTES + CCR.headBytes);
  return new MemorySource(Buffer.concat([Buffer.alloc(MAGIC_BYTES), content]));
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
