/**
 * Schema to the documents `zarr.json` of Zarr version 3: one per array and one for the group, which repeats those of the
 * arrays (consolidated metadata, as zarr-python writes and reads it).
 */
import { ZarrError } from './errors.ts';
import type { ArraySchema, GroupSchema, Json } from './schema.ts';

type Document = Record<string, Json>;

/** What of the group's document changes as it is written to. */
export interface GroupState {
  /** Periods that are visible: the length of every growing array. */
  readonly periods: number;
  /** Periods that are being written or were when a writer was killed; ascending. */
  readonly updating: readonly number[];
  /** Who is writing; null when nobody is. */
  readonly writer: string | null;
}

export const GROUP_KEY = 'zarr.json';

export function arrayKey(name: string): string {
  return `${name}/zarr.json`;
}

/** Key of the object at `place`, one number per dimension. */
export function chunkKey(name: string, place: readonly number[]): string {
  return `${name}/c.${place.join('.')}`;
}

/** Key of the object that holds a period (or the `index`-th object along the first dimension). */
export function chunkKeyAlong({ name, shape }: ArraySchema, index: number): string {
  return chunkKey(name, [index, ...shape.slice(1).map(() => 0)]);
}

/** @throws ZarrError `schema_invalid` naming the array and what is wrong */
export function checkSchema({ arrays }: GroupSchema): void {
  if (new Set(arrays.map(({ name }) => name)).size !== arrays.length) throw invalid('arrays', 'two have one name');
  for (const { name, shape, chunk, dimensions, innerChunk, generated, grows } of arrays) {
    if (!/^\w+$/.test(name)) throw invalid(name, 'a name has letters, digits and underscores');
    if (shape.length === 0 || chunk.length !== shape.length || dimensions.length !== shape.length) {
      throw invalid(name, 'shape, chunk and dimensions need one entry each per dimension');
    }
    if (chunk.slice(1).some((size, d) => size !== shape[d + 1]))
      throw invalid(name, 'an object spans all but the first dimension');
    if (innerChunk && chunk.some((size, d) => !(innerChunk[d]! >= 1) || size % innerChunk[d]! !== 0)) {
      throw invalid(name, 'inner chunks divide the chunk');
    }
    const [steps = 0] = shape;
    const fits = generated ? chunk[0]! % steps === 0 : chunk[0] === steps;
    if (grows === 'periods' && !fits) throw invalid(name, 'an object holds one period, or whole ones when generated');
    if (grows === 'no' && (!generated || chunk[0] !== shape[0]))
      throw invalid(name, 'what does not grow is generated, in one object');
  }
}

export function arrayDocument(array: ArraySchema, periods: number): Document {
  const { type, shape, grows, chunk, innerChunk, attributes, dimensions } = array;
  const codecs = innerChunk ? [shardingCodec(array, innerChunk)] : chunkCodecs(array);
  return {
    zarr_format: 3,
    node_type: 'array',
    shape: grows === 'no' ? shape : [shape[0]! * periods, ...shape.slice(1)],
    data_type: type,
    chunk_grid: { name: 'regular', configuration: { chunk_shape: chunk } },
    chunk_key_encoding: { name: 'default', configuration: { separator: '.' } },
    fill_value: fillValue(array),
    codecs,
    attributes,
    dimension_names: dimensions,
    storage_transformers: [],
  };
}

export function groupDocument({ attributes, arrays, periodName }: GroupSchema, state: GroupState): Document {
  const metadata = Object.fromEntries(arrays.map((array) => [array.name, arrayDocument(array, state.periods)]));
  return {
    zarr_format: 3,
    node_type: 'group',
    attributes: {
      ...attributes,
      updating: state.updating.map(periodName),
      ...(state.writer === null ? {} : { updating_by: state.writer }),
    },
    consolidated_metadata: { kind: 'inline', must_understand: false, metadata },
  };
}

export function encodeDocument(document: Document): Uint8Array {
  return Buffer.from(`${JSON.stringify(document, null, 1)}\n`);
}

/**
 * Reads the state out of a group's document and holds all the rest against the schema.
 *
 * @throws ZarrError `not_zarr`; `schema_differs` with every place that differs
 */
export function parseGroup(bytes: Uint8Array, schema: GroupSchema, location: string): GroupState {
  const found = parseJson(bytes, location);
  const attributes = (found['attributes'] ?? {}) as Document;
  const consolidated = (found['consolidated_metadata'] ?? {}) as { metadata?: Record<string, Document> };
  const growing = schema.arrays.find(({ grows }) => grows === 'periods');
  const document = growing && consolidated.metadata?.[growing.name];
  const length = (document?.['shape'] as number[] | undefined)?.[0];
  if (found['node_type'] !== 'group' || !growing || length === undefined || !Array.isArray(attributes['updating'])) {
    throw new ZarrError('not_zarr', `${GROUP_KEY} in ${location} is not the document of a store written here.`);
  }
  const state: GroupState = {
    periods: length / growing.shape[0]!,
    updating: (attributes['updating'] as string[]).map(schema.periodOf),
    writer: (attributes['updating_by'] as string | undefined) ?? null,
  };
  const differences = compare(JSON.parse(JSON.stringify(groupDocument(schema, state))), found, '');
  if (differences.length > 0) {
    throw new ZarrError('schema_differs', `The store ${location} was made with another layout: ${differences[0]}.`, {
      differences,
    });
  }
  return state;
}

function parseJson(bytes: Uint8Array, location: string): Document {
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString());
    if (typeof value === 'object' && value !== null) return value as Document;
  } catch (cause) {
    throw new ZarrError('not_zarr', `${GROUP_KEY} in ${location} is not JSON.`, { cause });
  }
  throw new ZarrError('not_zarr', `${GROUP_KEY} in ${location} is not an object.`);
}

function compare(expected: Json, found: Json | undefined, where: string): string[] {
  if (isRecord(expected) && isRecord(found)) {
    const names = [...new Set([...Object.keys(expected), ...Object.keys(found)])];
    return names.flatMap((name) =>
      compare(expected[name] ?? null, found[name], where === '' ? name : `${where}.${name}`),
    );
  }
  const [ours, theirs] = [JSON.stringify(expected), JSON.stringify(found ?? null)];
  return ours === theirs ? [] : [`${where}: expected ${ours}, found ${theirs}`];
}

function isRecord(value: Json | undefined): value is { readonly [name: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function shardingCodec(array: ArraySchema, innerChunk: readonly number[]): Json {
  return {
    name: 'sharding_indexed',
    configuration: {
      chunk_shape: innerChunk,
      codecs: chunkCodecs(array),
      index_codecs: [littleEndian(), { name: 'crc32c' }],
      index_location: 'end',
    },
  };
}

function chunkCodecs({ type, compression }: ArraySchema): Json[] {
  const toBytes: Json = type === 'string' ? { name: 'vlen-utf8' } : littleEndian();
  if (compression === 'zstd') return [toBytes, { name: 'zstd', configuration: { level: 1, checksum: true } }];
  const typesize = type === 'int32' ? 4 : 8;
  const configuration = { typesize, cname: 'zstd', clevel: 5, shuffle: 'shuffle', blocksize: 0 };
  return [toBytes, { name: 'blosc', configuration }];
}

function littleEndian(): Json {
  return { name: 'bytes', configuration: { endian: 'little' } };
}

function fillValue({ fill }: ArraySchema): Json {
  return typeof fill === 'number' && Number.isNaN(fill) ? 'NaN' : fill;
}

function invalid(name: string, why: string): ZarrError {
  return new ZarrError('schema_invalid', `Array ${name}: ${why}.`);
}
