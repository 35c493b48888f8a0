/**
 * Third step of writing: with all offsets known, every record gets its bytes, pointers filled in.
 */
import { dataType } from '../data-types.ts';
import { LEAP_SECONDS_UPDATED } from '../leap-seconds.ts';
import {
  ADR,
  AGREDR,
  AZEDR,
  CDR,
  CDR_FLAGS,
  COMPRESSION,
  CPR,
  CVVR,
  encodeRecord,
  GDR,
  int32Array,
  int64Array,
  SCOPE,
  UIR,
  VDR_FLAGS,
  VVR,
  VXR,
  ZVDR,
} from '../records.ts';
import type { Extent } from './column.ts';
import type { FileLayout, PlacedAttribute, PlacedBlock, PlacedVariable } from './layout.ts';
import { VXR_SLOTS } from './vxr.ts';
import type { IndexNode } from './vxr.ts';

/** A record ready to be written: `bytes`, then the values in `extents` of their store, then nothing up to `sizeBytes`. */
export interface LinkedRecord {
  readonly what: string;
  readonly offset: number;
  readonly sizeBytes: number;
  readonly bytes: Uint8Array;
  readonly extents: readonly Extent[];
}

const IBMPC = 6; // plain little-endian IEEE
const RELEASE = 9;
const NONE = -1;

/** All records in write order. */
export function* linkRecords(layout: FileLayout, hasChecksum: boolean): Generator<LinkedRecord> {
  yield described('CDR', layout.cdr.offset, linkCdr(layout, hasChecksum));
  yield described('GDR', layout.gdr.offset, linkGdr(layout));
  if (layout.uir) {
    const { offset, sizeBytes } = layout.uir;
    const bytes = encodeRecord(UIR, { nextUir: 0, prevUir: 0 }, [], sizeBytes - UIR.headBytes);
    yield { what: 'UIR', offset, sizeBytes, bytes, extents: [] };
  }
  for (const [num, variable] of layout.variables.entries()) {
    const name = variable.draft.name;
    yield described(`zVDR ${name}`, variable.vdr.offset, linkVdr(variable, num, layout.variables[num + 1]));
    if (variable.cpr) yield described(`CPR of ${name}`, variable.cpr.offset, linkCpr(variable.draft.gzipLevel));
    for (const node of variable.vxrs) yield described(`VXR of ${name}`, node.offset, linkVxr(node));
  }
  for (const [num, attribute] of layout.attributes.entries())
    yield* linkAttribute(attribute, num, layout.attributes[num + 1]);
  for (const { draft, blocks } of layout.variables) {
    for (const block of blocks) yield linkBlock(block, draft.name);
  }
}

function described(what: string, offset: number, bytes: Uint8Array): LinkedRecord {
  return { what, offset, sizeBytes: bytes.byteLength, bytes, extents: [] };
}

function linkCdr({ gdr, copyright }: FileLayout, hasChecksum: boolean): Buffer {
  const { rowMajor, singleFile, checksum, md5 } = CDR_FLAGS;
  return encodeRecord(CDR, {
    gdrOffset: gdr.offset,
    version: 3,
    release: RELEASE,
    encoding: IBMPC,
    flags: rowMajor | singleFile | (hasChecksum ? checksum | md5 : 0),
    rfuA: 0,
    rfuB: 0,
    increment: 0,
    identifier: NONE,
    rfuE: NONE,
    copyright,
  });
}

function linkGdr({ variables, attributes, uir, eof }: FileLayout): Buffer {
  return encodeRecord(GDR, {
    rVdrHead: 0,
    zVdrHead: variables[0]?.vdr.offset ?? 0,
    adrHead: attributes[0]?.adr.offset ?? 0,
    eof,
    nrVars: 0,
    numAttr: attributes.length,
    rMaxRec: NONE,
    rNumDims: 0,
    nzVars: variables.length,
    uirHead: uir?.offset ?? 0,
    rfuC: 0,
    leapSecondLastUpdated: LEAP_SECONDS_UPDATED,
    rfuE: NONE,
  });
}

function linkVdr(variable: PlacedVariable, num: number, next: PlacedVariable | undefined): Buffer {
  const { draft, cpr, vxrHead, vxrTail, maxRec } = variable;
  const { source, dims, elements, pad } = draft;
  const flags = VDR_FLAGS.pad | (source.recordVarying ? VDR_FLAGS.recordVarying : 0) | (cpr ? VDR_FLAGS.compressed : 0);
  const fields = {
    vdrNext: next?.vdr.offset ?? 0,
    dataType: dataType(source.type).code,
    maxRec,
    vxrHead,
    vxrTail,
    flags,
    sRecords: 0,
    rfuB: 0,
    rfuC: NONE,
    rfuF: NONE,
    numElems: elements,
    num,
    cprOrSprOffset: cpr?.offset ?? NONE,
    blockingFactor: cpr ? draft.blockRecords : 0,
    name: draft.name,
    zNumDims: dims.length,
  };
  const everyDimVaries = dims.map(() => NONE);
  return encodeRecord(ZVDR, fields, [int32Array([...dims, ...everyDimVaries]), pad]);
}

function linkCpr(level: number): Buffer {
  return encodeRecord(CPR, { cType: COMPRESSION.gzip, rfuA: 0, pCount: 1 }, [int32Array([level])]);
}

function linkVxr({ entries, next }: IndexNode): Buffer {
  const unused = Array.from({ length: VXR_SLOTS - entries.length }, () => NONE);
  const fields = { vxrNext: next?.offset ?? 0, nEntries: VXR_SLOTS, nUsedEntries: entries.length };
  return encodeRecord(VXR, fields, [
    int32Array([...entries.map(({ first }) => first), ...unused]),
    int32Array([...entries.map(({ last }) => last), ...unused]),
    int64Array([...entries.map(({ offset }) => offset), ...unused]),
  ]);
}

function* linkAttribute(
  attribute: PlacedAttribute,
  num: number,
  next: PlacedAttribute | undefined,
): Generator<LinkedRecord> {
  const { draft, adr, entries } = attribute;
  const head = entries[0]?.place.offset ?? 0;
  const highest = entries.at(-1)?.draft.num ?? NONE;
  const isGlobal = draft.scope === 'global';
  const bytes = encodeRecord(ADR, {
    adrNext: next?.adr.offset ?? 0,
    agrEdrHead: isGlobal ? head : 0,
    scope: SCOPE[draft.scope],
    num,
    ngrEntries: isGlobal ? entries.length : 0,
    maxGrEntry: isGlobal ? highest : NONE,
    rfuA: 0,
    azEdrHead: isGlobal ? 0 : head,
    nzEntries: isGlobal ? 0 : entries.length,
    maxzEntry: isGlobal ? NONE : highest,
    rfuE: NONE,
    name: draft.name,
  });
  yield described(`ADR ${draft.name}`, adr.offset, bytes);
  for (const [i, { draft: entry, place }] of entries.entries()) {
    const fields = {
      aedrNext: entries[i + 1]?.place.offset ?? 0,
      attrNum: num,
      dataType: entry.typeCode,
      num: entry.num,
      numElems: entry.numElems,
      numStrings: entry.numStrings,
      rfuB: 0,
      rfuC: 0,
      rfuD: NONE,
      rfuE: NONE,
    };
    const bytes = encodeRecord(isGlobal ? AGREDR : AZEDR, fields, [entry.value]);
    yield described(`entry ${entry.num} of ${draft.name}`, place.offset, bytes);
  }
}

function linkBlock(
  { first, isCompressed, dataBytes, extents, offset, sizeBytes }: PlacedBlock,
  name: string,
): LinkedRecord {
  const bytes = isCompressed
    ? encodeRecord(CVVR, { rfuA: 0, cSize: dataBytes }, [], dataBytes)
    : encodeRecord(VVR, {}, [], dataBytes);
  return { what: `values of ${name} from record ${first}`, offset, sizeBytes, bytes, extents };
}
