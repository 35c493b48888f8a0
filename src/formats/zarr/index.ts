/**
 * Zarr version 3 stores that grow by whole periods: create, write, commit atomically, read.
 *
 * Imports Node's own modules and zarrita; knows nothing of the products stored in it. Start reading at README.md.
 */
export { DirectoryStore } from './directory-store.ts';
export { encodeChunk, encodeShard } from './encode.ts';
export { ZarrError } from './errors.ts';
export type { ZarrErrorKind } from './errors.ts';
export { GrowingGroup } from './group.ts';
export type { DerivedObject, PeriodBytes, Transaction } from './group.ts';
export { chunkKeyAlong, GROUP_KEY } from './metadata.ts';
export type { ListedObject, ObjectStore, StoredObject } from './object-store.ts';
export { openReader } from './read.ts';
export type { GroupReader } from './read.ts';
export { replaceStore } from './replace.ts';
export type { ReplaceHooks } from './replace.ts';
export type { ArraySchema, ChunkValues, DataType, GroupSchema, Json } from './schema.ts';
