/** An object store in memory, with the conditional requests of an object service. */
import { createHash } from 'node:crypto';
import type { ListedObject, ObjectStore, StoredObject } from '../../../src/formats/zarr/index.ts';

export class MemoryStore implements ObjectStore {
  readonly location = 'memory:';
  readonly objects = new Map<string, Uint8Array>();

  async get(key: string): Promise<StoredObject | null> {
    const bytes = this.objects.get(key);
    return bytes ? { bytes, version: versionOf(bytes) } : null;
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    this.objects.set(key, Uint8Array.from(bytes));
  }

  async putIf(key: string, bytes: Uint8Array, expected: string | null): Promise<string | null> {
    const present = this.objects.get(key);
    if ((present ? versionOf(present) : null) !== expected) return null;
    this.objects.set(key, Uint8Array.from(bytes));
    return versionOf(bytes);
  }

  async delete(key: string): Promise<void> {
    this.objects.delete(key);
  }

  async *list(prefix: string): AsyncIterable<ListedObject> {
    for (const [key, { length }] of this.objects) if (key.startsWith(prefix)) yield { key, sizeBytes: length };
  }

  async tidy(): Promise<void> {}
}

function versionOf(bytes: Uint8Array): string {
  return createHash('md5').update(bytes).digest('hex');
}
