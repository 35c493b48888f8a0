/**
 * What each record must be by itself. Stricter than the reader: these are the limits of NASA's library, which refuses a
 * whole file for one of them.
 *
 * Source: CDF Internal Format Description; limits as observed with libcdf 3.9.1.
 */
import { dataType } from '../data-types.ts';
import type { CdfType } from '../data-types.ts';
import { LEAP_SECONDS_UPDATED } from '../leap-seconds.ts';
import {
  ADR,
  AGREDR,
  AZEDR,
  CCR,
  CDR,
  CDR_FLAGS,
  COMPRESSION,
  CPR,
  CVVR,
  GDR,
  RVDR,
  UIR,
  VDR_FLAGS,
  VVR,
  VXR,
  ZVDR,
} from '../records.ts';
import type { RecordKind } from '../records.ts';
import { typeOfCode } from '../read/decode.ts';
import type { ReadRecord } from '../read/record-file.ts';

export type Complaint = readonly [rule: string, message: string];

type Check<K extends RecordKind> = (record: ReadRecord<K>) => Generator<Complaint>;

const MAX_VXR_ENTRIES = 10;
const SPARSE_ARRAYS = 12; // SPR: announced by the format, never written by any library
const PRINTABLE = /^[\x20-\x7e]+$/;

function* size(actual: number, expected: number): Generator<Complaint> {
  if (actual !== expected) yield ['structure.size', `size is ${actual}, expected ${expected}`];
}

function* name(text: string): Generator<Complaint> {
  if (!PRINTABLE.test(text)) yield ['structure.name', `name ${JSON.stringify(text)} is not printable ASCII`];
}

function* checkCdr({ fields, sizeBytes }: ReadRecord<typeof CDR>): Generator<Complaint> {
  yield* size(sizeBytes, CDR.headBytes);
  if (!(fields.flags & CDR_FLAGS.singleFile)) yield ['structure.flags', 'the single-file flag is not set'];
}

function* checkGdr({ fields, sizeBytes }: ReadRecord<typeof GDR>): Generator<Complaint> {
  yield* size(sizeBytes, GDR.headBytes + 4 * fields.rNumDims);
  if (fields.leapSecondLastUpdated > LEAP_SECONDS_UPDATED) {
    yield [
      'structure.leap_seconds',
      `leap seconds of ${fields.leapSecondLastUpdated}: libcdf refuses dates after ${LEAP_SECONDS_UPDATED}`,
    ];
  }
}

function* checkRvdr({ fields }: ReadRecord<typeof RVDR>): Generator<Complaint> {
  yield* name(fields.name);
  const type = typeOfCode(fields.dataType);
  if (type) yield* elements(type, fields.numElems);
  else yield unknownType(fields.dataType);
  if (fields.flags & VDR_FLAGS.compressed && fields.maxRec >= 0 && fields.blockingFactor < 1) {
    yield [
      'structure.blocking_factor',
      `blocking factor ${fields.blockingFactor} of a compressed variable, expected 1 or more`,
    ];
  }
  if (!(fields.flags & VDR_FLAGS.recordVarying) && fields.maxRec > 0) {
    yield [
      'structure.records',
      `last record ${fields.maxRec} of a variable that does not vary with records, expected 0`,
    ];
  }
  if ((fields.vxrHead === 0) !== (fields.vxrTail === 0))
    yield ['structure.index', 'the index has a head or a tail alone'];
}

function* checkZvdr(record: ReadRecord<typeof ZVDR>): Generator<Complaint> {
  const { fields, sizeBytes } = record;
  yield* checkRvdr(record);
  const type = typeOfCode(fields.dataType);
  const padBytes = type && fields.flags & VDR_FLAGS.pad ? fields.numElems * dataType(type).bytes : 0;
  yield* size(sizeBytes, ZVDR.headBytes + 8 * fields.zNumDims + padBytes);
}

function* elements(type: CdfType, count: number): Generator<Complaint> {
  const isText = dataType(type).kind === 'text';
  if (isText ? count < 1 : count !== 1) {
    yield ['structure.elements', `${count} elements of ${type}, expected ${isText ? '1 or more' : '1'}`];
  }
}

function unknownType(code: number): Complaint {
  return ['structure.type', `data type ${code} does not exist`];
}

function* checkVxr({ fields, sizeBytes }: ReadRecord<typeof VXR>): Generator<Complaint> {
  yield* size(sizeBytes, VXR.headBytes + 16 * fields.nEntries);
  if (fields.nEntries < 1 || fields.nEntries > MAX_VXR_ENTRIES) {
    yield ['structure.index', `${fields.nEntries} entries, expected 1 to ${MAX_VXR_ENTRIES}`];
  }
  if (fields.nUsedEntries < 1 || fields.nUsedEntries > fields.nEntries) {
    yield ['structure.index', `${fields.nUsedEntries} used entries of ${fields.nEntries}`];
  }
}

function* checkCpr({ fields, sizeBytes, tail }: ReadRecord<typeof CPR>): Generator<Complaint> {
  yield* size(sizeBytes, CPR.headBytes + 4 * fields.pCount);
  if (fields.cType !== COMPRESSION.gzip) return;
  const level = tail.length >= 4 ? tail.readInt32BE(0) : undefined;
  if (level === undefined || level < 1 || level > 9)
    yield ['structure.gzip_level', `gzip level ${level}, expected 1 to 9`];
}

function* checkAdr({ fields, sizeBytes }: ReadRecord<typeof ADR>): Generator<Complaint> {
  yield* size(sizeBytes, ADR.headBytes);
  yield* name(fields.name);
  if (fields.scope < 1 || fields.scope > 4) yield ['structure.scope', `scope ${fields.scope}, expected 1 to 4`];
}

function* checkAedr({ fields, sizeBytes }: ReadRecord<typeof AGREDR>): Generator<Complaint> {
  const type = typeOfCode(fields.dataType);
  if (!type) {
    yield unknownType(fields.dataType);
    return;
  }
  if (fields.numElems < 1) yield ['structure.elements', `${fields.numElems} elements, expected 1 or more`];
  yield* size(sizeBytes, AGREDR.headBytes + fields.numElems * dataType(type).bytes);
}

interface Rule {
  readonly kind: RecordKind;
  /** How much after the declared fields the check wants. */
  readonly tailBytes: number;
  readonly check: Check<RecordKind>;
}

function rule<K extends RecordKind>(kind: K, tailBytes: number, check: Check<K>): readonly [number, Rule] {
  return [kind.type, { kind, tailBytes, check }];
}

function* nothing(): Generator<Complaint> {}

/** By record type; a type that is not here does not exist. */
export const RECORD_RULES: ReadonlyMap<number, Rule> = new Map([
  rule(CDR, 0, checkCdr),
  rule(GDR, 0, checkGdr),
  rule(RVDR, 0, checkRvdr),
  rule(ZVDR, 0, checkZvdr),
  rule(ADR, 0, checkAdr),
  rule(AGREDR, 0, checkAedr),
  rule(AZEDR, 0, checkAedr),
  rule(VXR, 0, checkVxr),
  rule(VVR, 0, nothing),
  rule(CVVR, 0, function* ({ fields, sizeBytes }) {
    yield* size(sizeBytes, CVVR.headBytes + fields.cSize);
  }),
  rule(CPR, 4, checkCpr),
  rule(CCR, 0, nothing),
  [SPARSE_ARRAYS, { kind: { ...VVR, what: 'SPR', type: SPARSE_ARRAYS }, tailBytes: 0, check: nothing }],
  // A small hole has only size and type.
  [UIR.type, { kind: { ...UIR, headBytes: VVR.headBytes, fields: [] }, tailBytes: 0, check: nothing }],
]);
