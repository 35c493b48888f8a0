/**
 * The few requests that deliveries need, one call each. Errors are the SDK's, to be put into words by `errors.ts`; nothing
 * is tried again here.
 */
import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import {
  CopyObjectCommand,
  DeleteObjectCommand,
  GetBucketVersioningCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import type { ListObjectsV2CommandOutput } from '@aws-sdk/client-s3';
import { statusOf } from './errors.ts';
import type { S3Settings } from './settings.ts';

/** Metadata of an object: slug of the product that was delivered there. */
const OWNER = 'reachback-product';

/** Where a server of one's own is named, the region is only a part of the signature. */
const REGION_OF_OWN_SERVERS = 'us-east-1';

export interface StoredObject {
  readonly etag: string;
  readonly sizeBytes: number;
  /** Lower-case hexadecimal; null when the server keeps none of the whole object. */
  readonly sha256: string | null;
  /** Slug of the product; null when nobody noted it. */
  readonly owner: string | null;
  readonly versionId: string | null;
}

export interface PutRequest {
  readonly key: string;
  readonly body: Readable;
  readonly sizeBytes: number;
  /** Lower-case hexadecimal. */
  readonly sha256: string;
  readonly owner: string | null;
  /** ETag of the object to replace; null to create one where none is. */
  readonly replaces: string | null;
}

export class Bucket {
  readonly name: string;
  readonly #client: S3Client;

  private constructor(name: string, client: S3Client) {
    this.name = name;
    this.#client = client;
  }

  /** @throws the SDK's error when no region is known */
  static async open(name: string, settings: S3Settings): Promise<Bucket> {
    const client = createClient(settings, settings.region);
    try {
      await client.config.region();
      return new Bucket(name, client);
    } catch (error) {
      if (settings.endpoint === null) throw error;
      return new Bucket(name, createClient(settings, REGION_OF_OWN_SERVERS));
    }
  }

  async region(): Promise<string> {
    return await this.#client.config.region();
  }

  /** Whether the bucket is there and may be read. */
  async probe(): Promise<void> {
    await this.#explained([400, 403, 404], this.#client.send(new HeadBucketCommand({ Bucket: this.name })));
  }

  /** The object under a key; null when there is none, or no such bucket. */
  async head(key: string, signal?: AbortSignal): Promise<StoredObject | null> {
    const command = new HeadObjectCommand({ Bucket: this.name, Key: key, ChecksumMode: 'ENABLED' });
    try {
      const found = await this.#explained([400, 403], this.#client.send(command, options(signal)));
      const whole = found.ChecksumType !== 'COMPOSITE' && !found.ChecksumSHA256?.includes('-');
      return {
        etag: found.ETag ?? '',
        sizeBytes: found.ContentLength ?? -1,
        sha256: whole && found.ChecksumSHA256 ? toHex(found.ChecksumSHA256) : null,
        owner: found.Metadata?.[OWNER] ?? null,
        versionId: found.VersionId ?? null,
      };
    } catch (error) {
      if (statusOf(error) === 404) return null;
      throw error;
    }
  }

  async put({ key, body, sizeBytes, sha256, owner, replaces }: PutRequest, signal: AbortSignal): Promise<void> {
    const command = new PutObjectCommand({
      Bucket: this.name,
      Key: key,
      Body: body,
      ContentLength: sizeBytes,
      ChecksumSHA256: Buffer.from(sha256, 'hex').toString('base64'),
      ...(owner !== null && { Metadata: { [OWNER]: owner } }),
      ...(replaces === null ? { IfNoneMatch: '*' } : { IfMatch: replaces }),
    });
    await this.#client.send(command, options(signal));
  }

  /** Copies inside the bucket, without a transfer, what stands under `from` as long as it is still `etag`; null: whatever it is. */
  async copy(from: string, etag: string | null, to: string, signal?: AbortSignal): Promise<void> {
    await this.#client.send(new CopyObjectCommand({ ...this.#copy(from, etag), Key: to }), options(signal));
  }

  /** Notes the owner of an object that is still `etag`; its SHA-256 is computed by the server on the way. */
  async claim(key: string, etag: string, owner: string, signal?: AbortSignal): Promise<void> {
    const command = new CopyObjectCommand({
      ...this.#copy(key, etag),
      Key: key,
      ChecksumAlgorithm: 'SHA256',
      MetadataDirective: 'REPLACE',
      Metadata: { [OWNER]: owner },
    });
    await this.#client.send(command, options(signal));
  }

  #copy(from: string, etag: string | null) {
    const CopySource = `${this.name}/${from.split('/').map(encodeURIComponent).join('/')}`;
    return { Bucket: this.name, CopySource, ...(etag !== null && { CopySourceIfMatch: etag }) };
  }

  /** SHA-256 of an object's content, read once: for objects whose server keeps none. */
  async digest(key: string, etag: string, signal?: AbortSignal): Promise<string> {
    const command = new GetObjectCommand({ Bucket: this.name, Key: key, IfMatch: etag });
    const { Body } = await this.#client.send(command, options(signal));
    const hash = createHash('sha256');
    for await (const chunk of Body as Readable) hash.update(chunk as Buffer);
    return hash.digest('hex');
  }

  /** An object's content as it arrives; null when there is none. */
  async read(key: string, signal?: AbortSignal): Promise<Readable | null> {
    try {
      const { Body } = await this.#client.send(new GetObjectCommand({ Bucket: this.name, Key: key }), options(signal));
      return Body as Readable;
    } catch (error) {
      if ((error as Error).name === 'NoSuchKey') return null;
      throw error;
    }
  }

  /** A whole object in memory; null when there is none. */
  async get(key: string): Promise<{ bytes: Uint8Array; etag: string } | null> {
    try {
      const { Body, ETag } = await this.#client.send(new GetObjectCommand({ Bucket: this.name, Key: key }));
      return { bytes: await Body!.transformToByteArray(), etag: ETag! };
    } catch (error) {
      if ((error as Error).name === 'NoSuchKey') return null;
      throw error;
    }
  }

  /**
   * Stores a small object as a whole.
   *
   * @param replaces - ETag of the object to replace, null to create one; absent: whatever is there
   * @returns the new ETag
   */
  async set(key: string, bytes: Uint8Array, replaces?: string | null): Promise<string> {
    const condition = replaces === null ? { IfNoneMatch: '*' } : { IfMatch: replaces };
    const answer = await this.#client.send(
      new PutObjectCommand({
        Bucket: this.name,
        Key: key,
        Body: bytes,
        ChecksumSHA256: createHash('sha256').update(bytes).digest('base64'),
        ...(replaces !== undefined && condition),
      }),
    );
    return answer.ETag!;
  }

  /** Removes an object if it is there. */
  async remove(key: string): Promise<void> {
    await this.#client.send(new DeleteObjectCommand({ Bucket: this.name, Key: key }));
  }

  /** Keys that begin with `prefix`, with sizes, a thousand a request. */
  async *list(prefix: string): AsyncGenerator<{ key: string; sizeBytes: number }> {
    let token: string | undefined;
    do {
      const page: ListObjectsV2CommandOutput = await this.#client.send(
        new ListObjectsV2Command({
          Bucket: this.name,
          Prefix: prefix,
          ...(token !== undefined && { ContinuationToken: token }),
        }),
      );
      for (const { Key, Size } of page.Contents ?? []) yield { key: Key!, sizeBytes: Size ?? 0 };
      token = page.NextContinuationToken;
    } while (token !== undefined);
  }

  /** Whether a replaced object stays as an older version; false also where the server does not tell. */
  async isVersioned(signal?: AbortSignal): Promise<boolean> {
    try {
      const answer = await this.#client.send(new GetBucketVersioningCommand({ Bucket: this.name }), options(signal));
      return answer.Status === 'Enabled';
    } catch (error) {
      // Not every server has it, and not every account may ask; a copy is then made before anything is replaced.
      const status = statusOf(error);
      if (status !== null && (status < 500 || status === 501)) return false;
      throw error;
    }
  }

  close(): void {
    this.#client.destroy();
  }

  /** The answer to a HEAD has no body, so a refusal has no reason; a listing of one key is refused for the same reason. */
  async #explained<T>(refusals: readonly number[], answer: Promise<T>): Promise<T> {
    try {
      return await answer;
    } catch (error) {
      if (refusals.includes(statusOf(error) ?? 0)) {
        await this.#client.send(new ListObjectsV2Command({ Bucket: this.name, MaxKeys: 1 }));
      }
      throw error;
    }
  }
}

/** The engine tries again, so the SDK does not; and what it would print is in the errors we throw. */
function createClient({ endpoint, timeoutMs }: S3Settings, region: string | null): S3Client {
  const silent = (): void => undefined;
  return new S3Client({
    maxAttempts: 1,
    logger: { trace: silent, debug: silent, info: silent, warn: silent, error: silent },
    requestHandler: { connectionTimeout: timeoutMs, socketTimeout: timeoutMs },
    ...(region !== null && { region }),
    ...(endpoint !== null && { endpoint, forcePathStyle: true }),
  });
}

function options(signal: AbortSignal | undefined): { abortSignal?: AbortSignal } {
  return signal === undefined ? {} : { abortSignal: signal };
}

function toHex(base64: string): string {
  return Buffer.from(base64, 'base64').toString('hex');
}
