/**
 * Where a Zarr store's objects live: a few operations that a folder and an object service can both do.
 *
 * Keys are relative, separated by slashes, without `.` and `..`. Every implementation passes
 * `test/formats/zarr/object-store-contract.ts`.
 */
export interface StoredObject {
  readonly bytes: Uint8Array;
  /** Names the content: changes when it changes. What it looks like is the implementation's affair. */
  readonly version: string;
}

export interface ListedObject {
  readonly key: string;
  readonly sizeBytes: number;
}

export interface ObjectStore {
  /** For messages: where this is. */
  readonly location: string;
  /** The whole object, or null when there is none. */
  get(key: string): Promise<StoredObject | null>;
  /** Puts a whole object in the place of what was there. Atomic for readers; durable when it returns. */
  put(key: string, bytes: Uint8Array): Promise<void>;
  /**
   * As `put`, only if the present version is `expected` (null: only if there is no object). Of several writers that
   * expect the same, one succeeds.
   *
   * @returns the new version; null when the present one is not the expected one, and nothing was changed
   */
  putIf(key: string, bytes: Uint8Array, expected: string | null): Promise<string | null>;
  /**
   * Puts another store's object under the same key here, as `put` does, without a transfer through this process. Absent where
   * that cannot be.
   *
   * @returns false when the other store lies where it cannot be taken from; nothing was done then
   */
  takeOver?(key: string, from: ObjectStore): Promise<boolean>;
  /** Removes an object; one that is not there is no error. */
  delete(key: string): Promise<void>;
  /** All objects whose key begins with `prefix`, in no particular order. */
  list(prefix: string): AsyncIterable<ListedObject>;
  /** Brings what a killed writer left to an end: only for a writer. Changes no object that a reader may have seen whole. */
  tidy(): Promise<void>;
}
