/**
 * Second step of writing: every record gets its offset. Pure arithmetic on sizes; nothing is read or written.
 *
 * Descriptions come first (CDR, GDR, variables with their indexes, attributes with their entries), values last, one
 * variable after the other: a reader finds all it needs to know in the first part of the file.
 */
import { FormatError } from '../errors.ts';
import { ADR, AGREDR, CDR, CPR, CVVR, GDR, MAGIC_BYTES, VVR, VXR, ZVDR } from '../records.ts';
import type { Block } from './column.ts';
import type { AttributeDraft, EntryDraft, FileDraft, VariableDraft } from './create.ts';
import { indexBlocks, VXR_SLOTS } from './vxr.ts';
import type { IndexNode } from './vxr.ts';

export interface Place {
  readonly offset: number;
  readonly sizeBytes: number;
}

/** A block and its place in the file, which is known last. */
export interface PlacedBlock extends Block {
  offset: number;
  readonly sizeBytes: number;
}

export interface PlacedVariable {
  readonly draft: VariableDraft;
  readonly vdr: Place;
  readonly cpr: Place | undefined;
  readonly vxrs: readonly IndexNode[];
  readonly vxrHead: number;
  readonly vxrTail: number;
  readonly blocks: readonly PlacedBlock[];
  /** Last record, -1 if there is none. */
  readonly maxRec: number;
}

export interface PlacedAttribute {
  readonly draft: AttributeDraft;
  readonly adr: Place;
  readonly entries: readonly { readonly draft: EntryDraft; readonly place: Place }[];
}

export interface FileLayout {
  readonly copyright: string;
  readonly cdr: Place;
  readonly gdr: Place;
  /** Unused space after the GDR; only tests ask for it. */
  readonly uir: Place | undefined;
  readonly variables: readonly PlacedVariable[];
  readonly attributes: readonly PlacedAttribute[];
  /** End of the last record; a checksum follows. */
  readonly eof: number;
}

export const VXR_BYTES = VXR.headBytes + 16 * VXR_SLOTS;
/** A CPR with its one parameter, the level. */
const CPR_BYTES = CPR.headBytes + 4;

/**
 * @param columns - blocks of each variable, in the order of `draft.variables`
 * @param unusedBytes - size of a stretch to leave unused after the GDR, 0 for none; see `uir`
 * @throws FormatError `too_large` when an offset passes 2^53 - 1
 */
export function layoutFile(draft: FileDraft, columns: readonly (readonly Block[])[], unusedBytes = 0): FileLayout {
  let end = MAGIC_BYTES;
  const place = (sizeBytes: number): Place => {
    const offset = end;
    end += sizeBytes;
    if (!Number.isSafeInteger(end))
      throw new FormatError('too_large', 'file', { expected: 'less than 2^53 bytes', got: `${end}` });
    return { offset, sizeBytes };
  };
  const cdr = place(CDR.headBytes);
  const gdr = place(GDR.headBytes);
  const uir = unusedBytes > 0 ? place(unusedBytes) : undefined;
  const variables = draft.variables.map((variable, num) => placeVariable(variable, columns[num]!, place));
  const attributes = draft.attributes.map((attribute) => ({
    draft: attribute,
    adr: place(ADR.headBytes),
    entries: attribute.entries.map((entry) => ({
      draft: entry,
      place: place(AGREDR.headBytes + entry.value.byteLength),
    })),
  }));
  for (const { blocks } of variables) {
    for (const block of blocks) block.offset = place(block.sizeBytes).offset;
  }
  return { copyright: draft.copyright, cdr, gdr, uir, variables, attributes, eof: end };
}

function placeVariable(
  draft: VariableDraft,
  column: readonly Block[],
  place: (sizeBytes: number) => Place,
): PlacedVariable {
  const vdr = place(ZVDR.headBytes + 8 * draft.dims.length + draft.pad.byteLength);
  const cpr = draft.gzipLevel > 0 ? place(CPR_BYTES) : undefined;
  const blocks: PlacedBlock[] = column.map((block) => ({
    ...block,
    offset: 0,
    sizeBytes: (block.isCompressed ? CVVR : VVR).headBytes + block.dataBytes,
  }));
  const { nodes, head, tail } = indexBlocks(blocks);
  for (const node of nodes) node.offset = place(VXR_BYTES).offset;
  const links = { vxrHead: head?.offset ?? 0, vxrTail: tail?.offset ?? 0, maxRec: blocks.at(-1)?.last ?? -1 };
  return { draft, vdr, cpr, vxrs: nodes, blocks, ...links };
}
