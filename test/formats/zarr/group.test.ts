import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DirectoryStore, encodeChunk, GrowingGroup, openReader } from '../../../src/formats/zarr/index.ts';
import type { ObjectStore } from '../../../src/formats/zarr/index.ts';
import { temporaryFolder } from '../../storage/temporary-folder.ts';
import { runPython } from '../../support/python.ts';
import { FaultyStore } from './faulty-store.ts';
import { MemoryStore } from './memory-store.ts';
import { bytesOf, contentOf, SCHEMA, STEPS, valuesOf } from './small-group.ts';

const ZSTD_MAGIC = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);

type Edition = readonly [period: number, version: number];

async function openOrCreate(store: ObjectStore): Promise<GrowingGroup> {
  await store.tidy();
  return (await GrowingGroup.open(store, SCHEMA)) ?? (await GrowingGroup.create(store, SCHEMA));
}

async function write(store: ObjectStore, editions: readonly Edition[]): Promise<void> {
  const group = await openOrCreate(store);
  const transaction = await group.begin(editions.map(([period]) => period));
  for (const [period, version] of editions) await transaction.write(period, await bytesOf(period, version));
  await transaction.commit();
}

describe('a growing group', () => {
  test('reads back by zarrita: values, fill where nothing was written, texts, axes', async () => {
    const store = new MemoryStore();
    await write(store, [
      [0, 1],
      [4, 0],
    ]);
    const reader = await openReader(store);
    expect(reader.attributes).toEqual({ ...SCHEMA.attributes, updating: [] });
    expect(reader.arrays.toSorted()).toEqual(['place', 'source', 'step', 'value']);
    expect(Array.from(await reader.values('source'))).toEqual(['0-1', '', '', '', '4-0']);
    expect(Array.from(await reader.values('step'))).toEqual(Array.from({ length: 5 * STEPS }, (_, i) => 5 * i));
    const nothing = Array.from({ length: 3 * STEPS * 2 }, () => NaN);
    expect(Array.from(await reader.values('value'))).toEqual([
      ...valuesOf(0, 1).flat(),
      ...nothing,
      ...valuesOf(4, 0).flat(),
    ]);
  });

  test('APPEND-6: zarr-python and xarray read the same, consolidated and not, without a warning', async () => {
    const folder = join(await temporaryFolder(), 'small.zarr');
    await write(new DirectoryStore(folder), [
      [1, 1],
      [3, 0],
    ]);
    const seen = JSON.parse(await runPython('zarr_dump.py', [folder])) as Record<string, Record<string, unknown>>;
    expect(seen['consolidated']).toEqual(['place', 'source', 'step', 'value']);
    expect(seen['attributes']).toEqual({ ...SCHEMA.attributes, updating: [] });
    expect(seen['sizes']).toEqual({ step: 4 * STEPS, place: 2, period: 4 });
    const empty = Array.from({ length: STEPS }, () => [null, null]);
    const missing = (period: number, version: number) =>
      valuesOf(period, version).map((row) => row.map((each) => (Number.isNaN(each) ? null : each)));
    const expected = {
      step: Array.from({ length: 4 * STEPS }, (_, i) => 5 * i),
      place: ['left', 'right é'],
      source: ['', '1-1', '', '3-0'],
      value: [...empty, ...missing(1, 1), ...empty, ...missing(3, 0)],
    };
    expect(seen['raw']).toEqual(expected);
    expect(seen['alone']).toEqual(expected);
    expect(seen['variables']).toMatchObject({ value: expected.value, place: expected.place });
    expect((seen['variables']!['step'] as string[])[17 - 2]).toBe('2025-01-01T00:01:15');
  });

  test('APPEND-6: any split, order and repetition gives the bytes of a full build', async () => {
    const editions = [0, 1, 2, 5, 7].map((period): Edition => [period, period % 2]);
    const full = new MemoryStore();
    await write(full, editions);
    const expected = await contentOf(full);
    const anySequence = fc
      .tuple(
        fc.shuffledSubarray([...editions], { minLength: editions.length }),
        fc.array(fc.constantFrom(...editions), { maxLength: 6 }),
        fc.array(fc.nat({ max: 10 }), { maxLength: 5 }),
      )
      .map(([order, repeated, cuts]) => split([...order, ...repeated], cuts));
    await fc.assert(
      fc.asyncProperty(anySequence, async (batches) => {
        const store = new MemoryStore();
        for (const batch of batches) await write(store, batch);
        expect(await contentOf(store)).toEqual(expected);
      }),
      { numRuns: 60 },
    );
  });

  test('APPEND-9: stopped at any step and done again, the store is as if nothing had happened', async () => {
    const first: Edition[] = [
      [0, 1],
      [1, 1],
    ];
    const second: Edition[] = [
      [1, 0],
      [3, 1],
    ];
    const calm = new MemoryStore();
    await write(calm, first);
    const before = await contentOf(calm);
    const counting = new FaultyStore(calm, Infinity);
    await write(counting, second);
    const expected = await contentOf(calm);
    expect(counting.changes).toBeGreaterThan(8);
    for (let survived = 0; survived < counting.changes; survived++) {
      const store = new MemoryStore();
      await write(store, first);
      expect(await contentOf(store)).toEqual(before);
      await expect(write(new FaultyStore(store, survived), second)).rejects.toThrow('killed');
      await expectWholeOrListed(store, second);
      await write(store, second);
      expect(await contentOf(store)).toEqual(expected);
    }
  });

  test('APPEND-4: growing touches the group, documents and what is new, nothing else', async () => {
    const store = new MemoryStore();
    await write(store, [
      [0, 1],
      [1, 1],
      [2, 1],
    ]);
    const before = await contentOf(store);
    await write(store, [[3, 1]]);
    const after = await contentOf(store);
    const changed = Object.keys(after).filter((key) => after[key] !== before[key]);
    const documents = ['source/zarr.json', 'step/zarr.json', 'value/zarr.json', 'zarr.json'];
    expect(changed.toSorted()).toEqual([...documents, 'source/c.3', 'step/c.1', 'value/c.3.0'].toSorted());
  });

  test('APPEND-10: the writer that lost is told so, before it writes and at the end', async () => {
    const store = new MemoryStore();
    await write(store, [[0, 1]]);
    const [slow, quick] = [await openOrCreate(store), await openOrCreate(store)];
    const inTime = await slow.begin([1]);
    await expect(quick.begin([1])).rejects.toMatchObject({ kind: 'conflict' });
    const other = await openOrCreate(store);
    expect(other.updating).toEqual([1]);
    const takenOver = await other.begin([1]);
    await expect(inTime.write(1, await bytesOf(1, 1))).rejects.toMatchObject({ kind: 'conflict' });
    await expect(inTime.commit()).rejects.toMatchObject({ kind: 'conflict' });
    await takenOver.write(1, await bytesOf(1, 1));
    await takenOver.commit();
    expect((await openOrCreate(store)).periods).toBe(2);
  });

  test('a period that was announced and not written is as before, one half written stays listed', async () => {
    const store = new MemoryStore();
    await write(store, [[0, 1]]);
    const before = await contentOf(store);
    await (await (await openOrCreate(store)).begin([0, 5])).commit();
    expect(await contentOf(store)).toEqual(before);
    const broken = await openOrCreate(new FaultyStore(store, 2));
    await expect(broken.begin([0]).then(async (t) => t.write(0, await bytesOf(0, 0)))).rejects.toThrow('killed');
    await write(store, [[1, 1]]);
    const group = await openOrCreate(store);
    expect([group.periods, group.updating]).toEqual([2, [0]]);
  });

  test('a chunk is one frame, also when it cannot be made smaller: the same bytes from every thread', async () => {
    const [, , value] = SCHEMA.arrays;
    for (let cells = 1; cells <= 64; cells++) {
      const array = { ...value!, shape: [cells, 1], chunk: [cells, 1], innerChunk: [cells, 1] };
      const values = Float64Array.from({ length: cells }, (_, i) => Math.sin(i + cells));
      const bytes = Buffer.from(await encodeChunk(array, values));
      expect(Buffer.from(await encodeChunk(array, values, true))).toEqual(bytes);
      expect(bytes.indexOf(ZSTD_MAGIC, 1)).toBe(-1);
      expect(new Float64Array(new Uint8Array(zstdDecompressSync(bytes)).buffer)).toEqual(values);
    }
  });

  test('SAFE-12: a store of another schema is refused with every difference', async () => {
    const store = new MemoryStore();
    await write(store, [[0, 1]]);
    const arrays = SCHEMA.arrays.map((array) =>
      array.name === 'value' ? { ...array, attributes: { units: 'm' } } : array,
    );
    const opened = GrowingGroup.open(store, { ...SCHEMA, attributes: { title: 'another' }, arrays });
    await expect(opened).rejects.toMatchObject({
      kind: 'schema_differs',
      differences: [
        'attributes.title: expected "another", found "a test"',
        'attributes.Conventions: expected null, found "CF-1.11"',
        'consolidated_metadata.metadata.value.attributes.units: expected "m", found "km"',
      ],
    });
  });

  test.each(['{', '[]', '{"node_type":"array"}', '{"node_type":"group","attributes":{}}'])(
    'what is no store of ours is refused by name: %s',
    async (content) => {
      const store = new MemoryStore();
      await store.put('zarr.json', Buffer.from(content));
      await expect(GrowingGroup.open(store, SCHEMA)).rejects.toMatchObject({ kind: 'not_zarr' });
    },
  );

  test('arrays that are missing, periods that were not announced and chunks of another size are refused', async () => {
    const transaction = await (await openOrCreate(new MemoryStore())).begin([0]);
    const { source } = await bytesOf(0, 1);
    await expect(transaction.write(0, { source: source! })).rejects.toMatchObject({ kind: 'value_invalid' });
    await expect(transaction.write(1, await bytesOf(1, 1))).rejects.toMatchObject({ kind: 'value_invalid' });
    await expect((await openOrCreate(new MemoryStore())).begin([-1])).rejects.toMatchObject({ kind: 'value_invalid' });
  });
});

/** What a reader finds between a kill and the next sync: former lengths, and changed periods only if they are listed. */
async function expectWholeOrListed(store: ObjectStore, editions: readonly Edition[]): Promise<void> {
  const periods = editions.map(([period]) => period);
  const reader = await openReader(store);
  const source = Array.from(await reader.values('source'));
  const value = Array.from(await reader.values('value'));
  expect(value).toHaveLength(source.length * STEPS * 2);
  const updating = reader.attributes['updating'] as string[];
  for (const [period, name] of source.entries()) {
    const edition = /^(\d+)-(\d+)$/.exec(String(name));
    const isListed = updating.includes(`p${period}`);
    const whole = edition && valuesOf(Number(edition[1]), Number(edition[2])).flat();
    const found = value.slice(period * STEPS * 2, (period + 1) * STEPS * 2);
    // A listed period may be half old and half new: all that can be said of it is that it was being written.
    const written = isListed ? found : (whole ?? found.map(() => NaN));
    expect({ period, found, isBeingWritten: isListed && periods.includes(period) }).toEqual({
      period,
      found: written,
      isBeingWritten: isListed,
    });
  }
}

function split<T>(items: readonly T[], cuts: readonly number[]): T[][] {
  const ends = [...new Set([...cuts.map((cut) => cut % (items.length + 1)), items.length])].toSorted((a, b) => a - b);
  return ends.map((end, i) => items.slice(i === 0 ? 0 : ends[i - 1], end)).filter((batch) => batch.length > 0);
}
