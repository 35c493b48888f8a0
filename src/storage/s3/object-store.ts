/**
 * The place below `s3://bucket/prefix` as a set of whole objects with conditional replacement: what a Zarr store needs
 * (`src/formats/zarr/object-store.ts`). Nothing is tried again here; an answer that was lost is settled by a look.
 */
import { parseS3Address } from './address.ts';
import { Bucket } from './bucket.ts';
import { asS3Error, isAmbiguous, isConflict } from './errors.ts';
import type { S3Settings } from './settings.ts';

/** What errors say was to be done. */
const DOING = 'use the Zarr store';

export class S3ObjectStore {
  readonly location: string;
  readonly #name: string;
  readonly #prefix: string;
  readonly #settings: S3Settings;
  #bucket: Promise<Bucket> | null = null;

  /** @throws PipelineError `config_invalid` when `uri` is not `s3://bucket/prefix` */
  constructor(uri: string, settings: S3Settings) {
    const { bucket, prefix } = parseS3Address(uri, DOING);
    this.#name = bucket;
    this.#prefix = prefix === '' ? '' : `${prefix}/`;
    this.#settings = settings;
    this.location = `s3://${bucket}/${prefix}`;
  }

  async get(key: string): Promise<{ bytes: Uint8Array; version: string } | null> {
    const found = await this.#ask((bucket) => bucket.get(this.#prefix + key));
    return found && { bytes: found.bytes, version: found.etag };
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    await this.#ask((bucket) => bucket.set(this.#prefix + key, bytes));
  }

  async putIf(key: string, bytes: Uint8Array, expected: string | null): Promise<string | null> {
    return await this.#ask(async (bucket) => {
      try {
        return await bucket.set(this.#prefix + key, bytes, expected);
      } catch (error) {
        if (isConflict(error) || isGone(error)) return null;
        if (!isAmbiguous(error)) throw error;
        // It may have been carried out although the answer was lost.
        const found = await bucket.get(this.#prefix + key);
        if (found && Buffer.from(bytes).equals(found.bytes)) return found.etag;
        if ((found?.etag ?? null) === expected) throw error;
        return null;
      }
    });
  }

  /** A copy that the server makes, of an object in the same bucket. */
  async takeOver(key: string, from: unknown): Promise<boolean> {
    if (!(from instanceof S3ObjectStore) || from.#name !== this.#name) return false;
    await this.#ask((bucket) => bucket.copy(from.#prefix + key, null, this.#prefix + key));
    return true;
  }

  async delete(key: string): Promise<void> {
    await this.#ask((bucket) => bucket.remove(this.#prefix + key));
  }

  async *list(prefix: string): AsyncGenerator<{ key: string; sizeBytes: number }> {
    const bucket = await this.#open();
    try {
      for await (const { key, sizeBytes } of bucket.list(this.#prefix + prefix)) {
        yield { key: key.slice(this.#prefix.length), sizeBytes };
      }
    } catch (error) {
      throw this.#inWords(error);
    }
  }

  /** Single requests leave nothing half done. */
  async tidy(): Promise<void> {}

  async #ask<T>(request: (bucket: Bucket) => Promise<T>): Promise<T> {
    try {
      return await request(await this.#open());
    } catch (error) {
      throw this.#inWords(error);
    }
  }

  #open(): Promise<Bucket> {
    this.#bucket ??= Bucket.open(this.#name, this.#settings);
    return this.#bucket;
  }

  #inWords(error: unknown): Error {
    const { endpoint, region } = this.#settings;
    return asS3Error(error, { uri: this.location, bucket: this.#name, endpoint, region, doing: DOING });
  }
}

/** A conditional replacement of an object that is not there any more. */
function isGone(error: unknown): boolean {
  return (error as Error).name === 'NoSuchKey';
}
