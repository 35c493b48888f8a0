/** Reading, by zarrita: an independent implementation of the format, so what it reads is what others read. */
import { get, open, root, withConsolidatedMetadata } from 'zarrita';
import type { Array as ZarritaArray, AsyncReadable, DataType } from 'zarrita';
import { ZarrError } from './errors.ts';
import { GROUP_KEY } from './metadata.ts';
import type { ObjectStore } from './object-store.ts';

export type ReadableArray = ZarritaArray<DataType, AsyncReadable>;

export interface GroupReader {
  readonly attributes: Readonly<Record<string, unknown>>;
  /** Names of the arrays in the consolidated document. */
  readonly arrays: readonly string[];
  /** One array for zarrita's `get`. @throws zarrita's NotFoundError */
  array(name: string): Promise<ReadableArray>;
  /** The whole of a small array, row-major. */
  values(name: string): Promise<ArrayLike<number | string>>;
}

/**
 * Opens a store by its consolidated document: one request, one consistent state of all arrays.
 *
 * @throws ZarrError `not_zarr` when there is none
 */
export async function openReader(store: ObjectStore): Promise<GroupReader> {
  const document = await store.get(GROUP_KEY);
  if (!document) throw new ZarrError('not_zarr', `There is no Zarr store at ${store.location}.`);
  // The state that was read stays the one that is shown, whatever a writer does meanwhile.
  const whole = async (path: string): Promise<Uint8Array | undefined> =>
    path === `/${GROUP_KEY}` ? document.bytes : (await store.get(path.slice(1)))?.bytes;
  const source: AsyncReadable = {
    get: whole,
    async getRange(path, range) {
      const bytes = await whole(path);
      if ('suffixLength' in range) return bytes?.slice(-range.suffixLength);
      return bytes?.slice(range.offset, range.offset + range.length);
    },
  };
  const consolidated = await withConsolidatedMetadata(source, { format: 'v3' });
  const group = await open.v3(consolidated, { kind: 'group' });
  const array = (name: string): Promise<ReadableArray> => open.v3(root(consolidated).resolve(name), { kind: 'array' });
  return {
    attributes: group.attrs,
    arrays: consolidated.contents().flatMap(({ path, kind }) => (kind === 'array' ? [path.slice(1)] : [])),
    array,
    async values(name) {
      return (await get(await array(name))).data as ArrayLike<number | string>;
    },
  };
}
