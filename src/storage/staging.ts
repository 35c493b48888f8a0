/**
 * Files on their way between the workers of one workspace that share no folder: a place below `s3://bucket/prefix` that
 * belongs to that workspace. Nothing there is the only copy of anything: the workspace's folder is (ADR 0015).
 *
 * Every file stands under a name that holds its SHA-256 and never changes; notes are small JSON objects.
 */
import { createHash } from 'node:crypto';
import { mkdir, open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Readable } from 'node:stream';
import { PipelineError } from '../core/errors.ts';
import type { DeliveryHooks, StoredContent } from './destination.ts';
import { S3Destination } from './s3-destination.ts';
import { parseS3Address } from './s3/address.ts';
import type { Bucket } from './s3/bucket.ts';
import { asS3Error, isConflict } from './s3/errors.ts';
import type { S3Settings } from './s3/settings.ts';

/** Says whose the place is; the one object that stays. */
const IDENTITY = 'workspace.json';
const DOING = 'stage files at';

/** A file that is or will be there. */
export interface StagedFile {
  /** Below the place's base. */
  readonly key: string;
  readonly sizeBytes: number;
  /** Lower-case hexadecimal. */
  readonly sha256: string;
}

export class Staging {
  /** `s3://bucket/prefix`. */
  readonly base: string;
  readonly #files: S3Destination;
  readonly #name: string;
  readonly #prefix: string;
  readonly #settings: S3Settings;
  #bucket: Promise<Bucket> | null = null;

  /** @throws PipelineError `config_invalid` when `uri` is not `s3://bucket/prefix` */
  constructor(uri: string, settings: S3Settings) {
    const { bucket, prefix } = parseS3Address(uri, DOING);
    if (prefix === '') {
      throw new PipelineError('config_invalid', `"${uri}" is a whole bucket: staging needs a prefix of its own.`, {
        hint: `Name one that nothing else uses, such as s3://${bucket}/staging.`,
      });
    }
    this.#name = bucket;
    this.#prefix = `${prefix}/`;
    this.#settings = settings;
    this.base = `s3://${bucket}/${prefix}`;
    this.#files = new S3Destination(this.base, settings);
  }

  /**
   * Makes the place that of a workspace, for good. Idempotent.
   *
   * @throws PipelineError `config_invalid` when it is another one's
   */
  async claim(workspace: string): Promise<void> {
    const identity = Buffer.from(`${JSON.stringify({ reachback: 1, workspace })}\n`);
    const isOurs = await this.#ask(async (bucket) => {
      try {
        await bucket.set(this.#prefix + IDENTITY, identity, null);
        return true;
      } catch (error) {
        if (!isConflict(error)) throw error;
        return false;
      }
    });
    const owner = isOurs ? workspace : await this.workspace();
    if (owner === workspace) return;
    throw new PipelineError('config_invalid', `${this.base} stages the files of ${owner}, not of ${workspace}.`, {
      hint: `Give ${workspace} a prefix of its own. If ${owner} is no more, remove what is below this one.`,
    });
  }

  /**
   * Name of the workspace whose place this is.
   *
   * @throws PipelineError `config_invalid` when no worker has claimed it yet
   */
  async workspace(): Promise<string> {
    const identity = (await this.getNote(IDENTITY)) as { reachback?: unknown; workspace?: unknown } | null;
    if (identity?.reachback === 1 && typeof identity.workspace === 'string') return identity.workspace;
    throw new PipelineError('config_invalid', `Nothing is staged at ${this.base}: no worker has begun to use it.`, {
      hint: `Check the spelling, or start the worker that downloads first, with --staging ${this.base}.`,
    });
  }

  /**
   * Puts a file there: one transfer with its SHA-256, none when it is there already.
   *
   * @throws PipelineError `checksum_mismatch` when the file is not what was announced; `config_invalid`, `disk_full` or
   *   `storage_unavailable` as deliveries
   */
  async put({ key, sizeBytes, sha256 }: StagedFile, path: string, hooks: DeliveryHooks = {}): Promise<void> {
    await this.#files.deliver({ sourcePath: path, key, sizeBytes, sha256 }, hooks);
  }

  /** What stands under a key, without reading it; null for nothing. */
  async look(key: string): Promise<StoredContent | null> {
    return await this.#files.look(key, false);
  }

  /**
   * Fetches a file to `path`, which is a name for work under way: whole, checked and synced, or not at all.
   *
   * @throws PipelineError `input_invalid` when it is not there, `storage_unavailable` when what came is not what was staged
   */
  async fetch(file: StagedFile, path: string, { signal, onProgress }: DeliveryHooks = {}): Promise<void> {
    await mkdir(dirname(path), { recursive: true });
    const handle = await open(path, 'wx');
    let broken: unknown = null;
    const write = async (piece: Buffer): Promise<void> => {
      await handle.writeFile(piece).catch((error: unknown) => {
        broken = error;
        throw error;
      });
    };
    try {
      const got = await this.#ask(async (bucket) => {
        const body = await bucket.read(this.#prefix + file.key, signal);
        return body && (await receive(body, write, onProgress));
      });
      if (got === null) throw notThere(`${this.base}/${file.key}`);
      if (got.sizeBytes !== file.sizeBytes || got.sha256 !== file.sha256)
        throw cut(`${this.base}/${file.key}`, got, file);
      await handle.sync();
      await handle.close();
    } catch (error) {
      await handle.close().catch(() => undefined);
      await rm(path, { force: true });
      signal?.throwIfAborted();
      // A full disk here is not the bucket's.
      throw broken ?? error;
    }
  }

  async putNote(key: string, note: object): Promise<void> {
    await this.#ask((bucket) => bucket.set(this.#prefix + key, Buffer.from(`${JSON.stringify(note)}\n`)));
  }

  /** A note; null when there is none, or none that can be read. */
  async getNote(key: string): Promise<unknown> {
    const found = await this.#ask((bucket) => bucket.get(this.#prefix + key));
    try {
      return found === null ? null : JSON.parse(Buffer.from(found.bytes).toString('utf8'));
    } catch {
      return null;
    }
  }

  /** Removes what stands below a prefix. @returns how many objects */
  async sweep(prefix: string): Promise<number> {
    return await this.#ask(async (bucket) => {
      let removed = 0;
      for await (const { key } of bucket.list(this.#prefix + prefix)) {
        await bucket.remove(key);
        removed += 1;
      }
      return removed;
    });
  }

  /** Lets go of connections. Idempotent. */
  close(): void {
    this.#files.close();
    void this.#bucket?.then((bucket) => bucket.close()).catch(() => undefined);
    this.#bucket = null;
  }

  async #ask<T>(request: (bucket: Bucket) => Promise<T>): Promise<T> {
    // The SDK is loaded when it is needed: most workers do without.
    this.#bucket ??= import('./s3/bucket.ts').then(({ Bucket }) => Bucket.open(this.#name, this.#settings));
    try {
      return await request(await this.#bucket);
    } catch (error) {
      const { endpoint, region } = this.#settings;
      throw asS3Error(error, { uri: this.base, bucket: this.#name, endpoint, region, doing: DOING });
    }
  }
}

/** @returns size and SHA-256 of what came */
async function receive(
  body: Readable,
  write: (piece: Buffer) => Promise<void>,
  onProgress?: (bytes: number) => void,
): Promise<{ sizeBytes: number; sha256: string }> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  for await (const piece of body as AsyncIterable<Buffer>) {
    hash.update(piece);
    await write(piece);
    sizeBytes += piece.length;
    onProgress?.(sizeBytes);
  }
  return { sizeBytes, sha256: hash.digest('hex') };
}

function notThere(uri: string): PipelineError {
  return new PipelineError('input_invalid', `${uri} is not there (any more).`, {
    hint: 'Was it removed by hand, or by a rule of the bucket that is too quick? Run the same command with --retry-failed: it is staged again.',
  });
}

function cut(uri: string, got: Omit<StagedFile, 'key'>, { sizeBytes, sha256 }: StagedFile): PipelineError {
  return new PipelineError(
    'storage_unavailable',
    `${uri} arrived as ${got.sizeBytes} bytes, SHA-256 ${got.sha256}; expected ${sizeBytes} bytes, ${sha256}.`,
    { hint: 'It is fetched again by itself.' },
  );
}
