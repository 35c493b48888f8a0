/** What every object store under a Zarr store promises (`src/formats/zarr/object-store.ts`); one factory per implementation. */
import { describe, expect, test } from 'vitest';
import type { ObjectStore } from '../../../src/formats/zarr/index.ts';

/** @param create - an empty store, a fresh one each time */
export function objectStoreContract(name: string, create: () => Promise<ObjectStore>): void {
  describe(`${name} keeps the object store contract`, () => {
    test('what is put is got, whole and in the place of what was there; what is not there is null', async () => {
      const store = await create();
      expect(await store.get('a/c.0')).toBeNull();
      await store.put('a/c.0', bytes('first'));
      await store.put('a/c.0', bytes('second'));
      expect(text(await store.get('a/c.0'))).toBe('second');
    });

    test('deleting removes an object, and one that is not there is no error', async () => {
      const store = await create();
      await store.put('a/c.0', bytes('x'));
      await store.delete('a/c.0');
      await store.delete('a/c.0');
      expect(await store.get('a/c.0')).toBeNull();
    });

    test('a list has every object below a prefix with its size, and no other', async () => {
      const store = await create();
      for (const key of ['zarr.json', 'a/zarr.json', 'a/c.0', 'a/c.10', 'ab/c.0']) await store.put(key, bytes(key));
      expect(await keys(store, '')).toEqual(['a/c.0', 'a/c.10', 'a/zarr.json', 'ab/c.0', 'zarr.json']);
      expect(await keys(store, 'a/')).toEqual(['a/c.0', 'a/c.10', 'a/zarr.json']);
      expect(await keys(store, 'a/c.1')).toEqual(['a/c.10']);
      for await (const { key, sizeBytes } of store.list('')) expect(sizeBytes).toBe(key.length);
    });

    test('a conditional put needs the version that is there, and none where nothing is', async () => {
      const store = await create();
      const first = (await store.putIf('zarr.json', bytes('1'), null))!;
      expect(await store.putIf('zarr.json', bytes('x'), null)).toBeNull();
      const second = await store.putIf('zarr.json', bytes('2'), first);
      expect((await store.get('zarr.json'))?.version).toBe(second);
      expect(await store.putIf('zarr.json', bytes('x'), first)).toBeNull();
      expect(text(await store.get('zarr.json'))).toBe('2');
    });

    test('APPEND-10: of writers that expect the same version one succeeds, the others change nothing', async () => {
      const store = await create();
      let version: string | null = null;
      for (let round = 0; round < 5; round++) {
        const expected: string | null = version;
        const contents = Array.from({ length: 8 }, (_, i) => `${round}-${i}`);
        const won = await Promise.all(contents.map((content) => store.putIf('zarr.json', bytes(content), expected)));
        expect(won.filter((outcome) => outcome !== null)).toHaveLength(1);
        const now = await store.get('zarr.json');
        expect(text(now)).toBe(contents[won.findIndex((outcome) => outcome !== null)]);
        version = now!.version;
      }
    });

    test('tidying changes no object', async () => {
      const store = await create();
      await store.putIf('zarr.json', bytes('1'), null);
      await store.put('a/c.0', bytes('x'));
      await store.tidy();
      expect(await keys(store, '')).toEqual(['a/c.0', 'zarr.json']);
    });
  });
}

function bytes(content: string): Uint8Array {
  return Buffer.from(content);
}

function text(object: { bytes: Uint8Array } | null): string | null {
  return object && Buffer.from(object.bytes).toString();
}

async function keys(store: ObjectStore, prefix: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { key } of store.list(prefix)) found.push(key);
  return found.toSorted();
}
