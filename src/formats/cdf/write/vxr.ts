/**
 * The index of a variable's blocks: a chain of VXRs, or a tree when there are many.
 *
 * A long chain makes readers slow (libcdf) or overflows their stack (cdflib), hence the tree above 100 VXRs.
 */

/** Anything an index entry can point to; `offset` is set by the layout step. */
export interface IndexTarget {
  readonly first: number;
  readonly last: number;
  readonly offset: number;
}

export interface IndexNode extends IndexTarget {
  readonly entries: readonly IndexTarget[];
  offset: number;
  /** The following VXR of a flat chain. */
  next: IndexNode | undefined;
}

/** Slots per VXR, as libcdf writes; more than 10 it calls corrupted. */
export const VXR_SLOTS = 7;
const MAX_CHAIN = 100;

export interface VariableIndex {
  /** All VXRs, in write order. */
  readonly nodes: readonly IndexNode[];
  readonly head: IndexNode | undefined;
  readonly tail: IndexNode | undefined;
}

/** @param blocks - in ascending record order, without gaps */
export function indexBlocks(blocks: readonly IndexTarget[]): VariableIndex {
  let level = group(blocks);
  if (level.length <= MAX_CHAIN) {
    level.forEach((node, i) => (node.next = level[i + 1]));
    return { nodes: level, head: level[0], tail: level.at(-1) };
  }
  const nodes = [...level];
  while (level.length > 1) {
    level = group(level);
    nodes.push(...level);
  }
  return { nodes, head: level[0], tail: level[0] };
}

function group(targets: readonly IndexTarget[]): IndexNode[] {
  const nodes: IndexNode[] = [];
  for (let i = 0; i < targets.length; i += VXR_SLOTS) {
    const entries = targets.slice(i, i + VXR_SLOTS);
    nodes.push({ entries, first: entries[0]!.first, last: entries.at(-1)!.last, offset: 0, next: undefined });
  }
  return nodes;
}
