/**
 * The layout is arithmetic, so files of any size can be checked without writing them (cdf-format.md §1, §2 VXR, §10).
 */
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { magic } from '../../../src/formats/cdf/write/assemble.ts';
import type { Block } from '../../../src/formats/cdf/write/column.ts';
import { createDraft, MAX_RECORDS } from '../../../src/formats/cdf/write/create.ts';
import { layoutFile } from '../../../src/formats/cdf/write/layout.ts';
import { linkRecords } from '../../../src/formats/cdf/write/link.ts';
import { VariableInput } from '../../../src/formats/cdf/write/variable-input.ts';
import { indexBlocks } from '../../../src/formats/cdf/write/vxr.ts';
import type { IndexNode, IndexTarget } from '../../../src/formats/cdf/write/vxr.ts';
import { schemaOf, variable } from './cases.ts';
import { dumpWithOurs, dumpWithReaders, encode, READERS } from './dumps.ts';

const GIB = 2 ** 30;

function block(first: number, last: number, dataBytes: number, isCompressed = false): Block {
  return { first, last, dataBytes, isCompressed, extents: [] };
}

describe('offsets', () => {
  test('beyond 2 and 4 GiB are exact, in the plan and in the bytes of the index', () => {
    const draft = createDraft(schemaOf([variable('a', 'CDF_DOUBLE'), variable('b', 'CDF_DOUBLE')]), {});
    const recordsPerGib = GIB / 8;
    const five = Array.from({ length: 5 }, (_, i) => block(i * recordsPerGib, (i + 1) * recordsPerGib - 1, GIB));
    const layout = layoutFile(draft, [five, [block(0, 0, 8)]]);
    const [a, b] = layout.variables;
    const start = a!.blocks[0]!.offset;
    expect(a!.blocks.map(({ offset }) => offset)).toEqual([0, 1, 2, 3, 4].map((i) => start + i * (GIB + 12)));
    expect(a!.blocks.map(({ offset }) => offset > 2 ** 31)).toEqual([false, false, true, true, true]);
    expect(b!.blocks[0]!.offset).toBe(start + 5 * (GIB + 12));
    expect(b!.blocks[0]!.offset).toBeGreaterThan(2 ** 32);
    expect(layout.eof).toBe(b!.blocks[0]!.offset + 20);
    const records = [...linkRecords(layout, false)];
    const vxr = records.find(({ what }) => what === 'VXR of a')!.bytes as Buffer;
    const offsets = Array.from({ length: 5 }, (_, i) => Number(vxr.readBigInt64BE(28 + 7 * 8 + 8 * i)));
    expect(offsets).toEqual(a!.blocks.map(({ offset }) => offset));
    const vvr = records.findLast(({ what }) => what.startsWith('values of a'))!;
    expect(Number((vvr.bytes as Buffer).readBigInt64BE(0))).toBe(GIB + 12);
    const gdr = records[1]!.bytes as Buffer;
    expect(Number(gdr.readBigInt64BE(36))).toBe(layout.eof);
  });

  test('records lie back to back, in write order, each as long as its bytes say', () => {
    const shape = fc.record({
      blocks: fc.array(fc.integer({ min: 1, max: 300 }), { maxLength: 40 }),
      dims: fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 3 }),
      gzipLevel: fc.constantFrom(0 as const, 4 as const),
      attributes: fc.uniqueArray(fc.constantFrom('A', 'B', 'C')),
    });
    fc.assert(
      fc.property(fc.array(shape, { maxLength: 5 }), fc.array(fc.string(), { maxLength: 4 }), (shapes, texts) => {
        const variables = shapes.map(({ dims, gzipLevel, attributes }, i) =>
          variable(`v${i}`, 'CDF_INT2', {
            dims,
            gzipLevel,
            attributes: attributes.map((name) => [name, 'x'] as const),
          }),
        );
        const draft = createDraft(schemaOf(variables, { globalAttributes: [['G', texts]] }), {});
        const columns = shapes.map(({ blocks, gzipLevel }) =>
          blocks.map((bytes, i) => block(i, i, bytes, gzipLevel > 0 && bytes % 2 === 0)),
        );
        const layout = layoutFile(draft, columns);
        let end = 8;
        for (const { offset, sizeBytes, bytes } of linkRecords(layout, true)) {
          expect(offset).toBe(end);
          expect(Number((bytes as Buffer).readBigInt64BE(0))).toBe(sizeBytes);
          end += sizeBytes;
        }
        expect(layout.eof).toBe(end);
      }),
      { numRuns: 100 },
    );
  });

  test('a file of 2^53 bytes is refused', () => {
    const draft = createDraft(schemaOf([variable('a', 'CDF_DOUBLE')]), {});
    expect(() => layoutFile(draft, [[block(0, 0, 2 ** 53)]])).toThrow(expect.objectContaining({ kind: 'too_large' }));
  });
});

describe('the index of blocks', () => {
  const chain = (blocks: number): IndexTarget[] =>
    Array.from({ length: blocks }, (_, i) => ({ first: 10 * i, last: 10 * i + 9, offset: 1000 + i }));

  test.for([
    [1, 1],
    [7, 1],
    [8, 2],
    [700, 100],
  ] as const)('%i blocks are a flat chain of %i VXRs', ([blocks, vxrs]) => {
    const { nodes, head, tail } = indexBlocks(chain(blocks));
    expect(nodes).toHaveLength(vxrs);
    const seen: IndexTarget[] = [];
    let last: IndexNode | undefined;
    for (let node = head; node; last = node, node = node.next) seen.push(...node.entries);
    expect(seen).toEqual(chain(blocks));
    expect(last).toBe(tail);
  });

  test.for([
    [701, 4],
    [4_900, 5],
    [40_000, 6],
  ] as const)('%i blocks are a tree of %i levels', ([blocks, depth]) => {
    const { nodes, head, tail } = indexBlocks(chain(blocks));
    expect(head).toBe(tail);
    expect(nodes.every(({ entries, next }) => entries.length >= 1 && entries.length <= 7 && next === undefined)).toBe(
      true,
    );
    let level: IndexTarget[] = [head!];
    let levels = 0;
    for (; 'entries' in level[0]!; levels++) {
      const children = level.flatMap((node) => (node as IndexNode).entries);
      for (const node of level as IndexNode[]) {
        expect([node.first, node.last]).toEqual([node.entries[0]!.first, node.entries.at(-1)!.last]);
      }
      level = children;
    }
    expect(levels).toBe(depth);
    expect(level).toEqual(chain(blocks));
  });

  test('no blocks, no index', () => {
    expect(indexBlocks([])).toEqual({ nodes: [], head: undefined, tail: undefined });
  });
});

test('record numbers up to 2^31 - 2 fit; the record after is refused', async () => {
  const draft = createDraft(schemaOf([variable('a', 'CDF_INT1')]), {});
  const layout = layoutFile(draft, [[block(0, MAX_RECORDS - 1, GIB)]]);
  const vdr = [...linkRecords(layout, false)].find(({ what }) => what === 'zVDR a')!.bytes as Buffer;
  expect(vdr.readInt32BE(24)).toBe(2 ** 31 - 2);
  const input = new VariableInput(draft.variables[0]!, { append: async () => undefined, finish: async () => [] });
  const billion = new Int8Array(GIB); // never touched, so never real memory
  await input.append(billion);
  await expect(input.append(billion)).rejects.toMatchObject({ kind: 'too_large' });
});

test('a file with 5 GiB unused space is read by all: offsets beyond 2 and 4 GiB on disk', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'cdf-large-'));
  try {
    const path = join(folder, 'hole.cdf');
    const values = Float64Array.from({ length: 40 }, (_, i) => i / 7);
    const attributes = [['UNITS', 'nT']] as const;
    const draft = createDraft(
      schemaOf([variable('a', 'CDF_DOUBLE', { dims: [4], attributes })], { globalAttributes: [['Project', ['far']]] }),
      {},
    );
    const layout = layoutFile(draft, [[block(0, 9, values.byteLength)]], 5 * GIB);
    const file = await open(path, 'wx');
    await file.write(magic(), 0, 8, 0);
    for (const { what, bytes, offset } of linkRecords(layout, false)) {
      await file.write(bytes, 0, bytes.length, offset); // what follows of the unused space stays a hole
      if (what.startsWith('values')) await file.write(values, 0, values.byteLength, offset + bytes.length);
    }
    await file.close();
    const verdicts = (await dumpWithReaders([path])).get(path)!;
    for (const reader of READERS) {
      expect(verdicts[reader].error).toBeUndefined();
      expect(verdicts[reader].dump).toMatchObject({
        globals: { Project: { 0: [51, 'far'] } },
        attributes: { a: { UNITS: [51, 'nT'] } },
      });
      expect(verdicts[reader].dump?.variables[0]).toMatchObject({ records: 10, dims: [4], values: encode(values) });
    }
    expect((await dumpWithOurs(path)).variables[0]).toMatchObject({ records: 10, values: encode(values) });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
