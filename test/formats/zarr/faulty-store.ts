import type { ListedObject, ObjectStore, StoredObject } from '../../../src/formats/zarr/index.ts';

/** Lets so many changes through and then none any more, as if the writer had been killed there. */
export class FaultyStore implements ObjectStore {
  readonly location: string;
  readonly #inner: ObjectStore;
  readonly #survived: number;
  /** Changes asked for. */
  changes = 0;

  constructor(inner: ObjectStore, survived: number) {
    this.#inner = inner;
    this.#survived = survived;
    this.location = inner.location;
  }

  get(key: string): Promise<StoredObject | null> {
    return this.#inner.get(key);
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    this.#count();
    await this.#inner.put(key, bytes);
  }

  async putIf(key: string, bytes: Uint8Array, expected: string | null): Promise<string | null> {
    this.#count();
    return await this.#inner.putIf(key, bytes, expected);
  }

  async delete(key: string): Promise<void> {
    this.#count();
    await this.#inner.delete(key);
  }

  list(prefix: string): AsyncIterable<ListedObject> {
    return this.#inner.list(prefix);
  }

  tidy(): Promise<void> {
    return this.#inner.tidy();
  }

  #count(): void {
    this.changes += 1;
    if (this.changes > this.#survived) throw new Error('killed');
  }
}
