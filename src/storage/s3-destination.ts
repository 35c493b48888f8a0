/**
 * Delivery into a bucket of any S3 server. Look (HEAD), write once on a condition (PUT with SHA-256; `If-None-Match` to
 * create, `If-Match` to replace), look again. An answer that was lost is settled by a look, never by a second transfer.
 */
import { PipelineError } from '../core/errors.ts';
import { crashPoint } from './crash-point.ts';
import { checkedKey, notAsAnnounced, refuseOwned, replacedUnknown, requireSource } from './delivery-checks.ts';
import type { Delivery, DeliveryHooks, DeliveryResult, Destination, StoredContent } from './destination.ts';
import { fileDigest } from './file-digest.ts';
import { parseS3Address } from './s3/address.ts';
import { verifiedBody } from './s3/body.ts';
import type { Bucket, StoredObject } from './s3/bucket.ts';
import { asS3Error, isAmbiguous, isConflict } from './s3/errors.ts';
import type { S3Settings } from './s3/settings.ts';

/** Where former content is copied to in a bucket that keeps no versions, below the destination. */
const BACKUP_PREFIX = '_backup';

/** Larger objects need a multipart upload, whose checksum is not that of the content. */
const LARGEST_PUT_BYTES = 5 * 1024 ** 3;

/** One delivery on its way. */
interface Task {
  readonly bucket: Bucket;
  readonly delivery: Delivery;
  /** In the bucket: prefix and key of the delivery. */
  readonly key: string;
  readonly uri: string;
  readonly hooks: DeliveryHooks;
}

export class S3Destination implements Destination {
  readonly base: string;
  readonly #bucketName: string;
  readonly #prefix: string;
  readonly #settings: S3Settings;
  #bucket: Promise<Bucket> | null = null;
  #worked = false;

  /** @throws PipelineError `config_invalid` when `uri` is not `s3://bucket[/prefix]` */
  constructor(uri: string, settings: S3Settings) {
    const { bucket, prefix } = parseS3Address(uri);
    this.#bucketName = bucket;
    this.#prefix = prefix;
    this.#settings = settings;
    this.base = `s3://${bucket}${prefix === '' ? '' : `/${prefix}`}`;
  }

  recordedAs(key: string): { bucket: string; key: string } {
    return { bucket: this.#bucketName, key: this.#below(key) };
  }

  async check(): Promise<void> {
    try {
      await (await this.#open()).probe();
      this.#worked = true;
    } catch (error) {
      throw await this.#inWords(error, this.base);
    }
  }

  async deliver(delivery: Delivery, hooks: DeliveryHooks = {}): Promise<DeliveryResult> {
    const key = this.#below(checkedKey(delivery.key));
    const uri = `s3://${this.#bucketName}/${key}`;
    try {
      const task: Task = { bucket: await this.#open(), delivery, key, uri, hooks };
      const found = await task.bucket.head(key, hooks.signal);
      this.#worked = true;
      if (found === null) return await create(task);
      refuseOwned(found.owner, delivery, uri);
      if (await holds(task, found)) return await alreadyThere(task, found);
      return await this.#replace(task, found);
    } catch (error) {
      hooks.signal?.throwIfAborted();
      throw await this.#inWords(error, uri);
    }
  }

  async look(key: string, deep: boolean): Promise<StoredContent | null> {
    const below = this.#below(checkedKey(key));
    try {
      const bucket = await this.#open();
      const found = await bucket.head(below);
      if (found === null) return null;
      const { sizeBytes } = found;
      return { sizeBytes, sha256: deep ? await bucket.digest(below, found.etag) : found.sha256 };
    } catch (error) {
      throw await this.#inWords(error, `s3://${this.#bucketName}/${below}`);
    }
  }

  close(): void {
    void this.#bucket?.then((bucket) => bucket.close()).catch(() => undefined);
    this.#bucket = null;
  }

  async #replace(task: Task, found: StoredObject): Promise<DeliveryResult> {
    const { bucket, delivery, key, uri, hooks } = task;
    const isVersioned = await bucket.isVersioned(hooks.signal);
    if (delivery.replace !== true) throw replaceNotAsked(uri, isVersioned);
    await requireIntact(delivery);
    const backupPath = isVersioned
      ? `${uri}?versionId=${found.versionId ?? 'null'}`
      : await keep(
          task,
          found,
          this.#below(checkedKey(`${delivery.backupPrefix ?? BACKUP_PREFIX}/${stamp()}/${delivery.key}`)),
        );
    const status = await put(task, found.etag);
    if (status === 'already_there') return { status, uri };
    const isKnown = delivery.owner === undefined || found.owner !== null;
    return {
      status: 'replaced',
      uri,
      backupPath,
      ...(!isKnown && { warning: replacedUnknown(`s3://${bucket.name}/${key}`, backupPath) }),
    };
  }

  #below(key: string): string {
    return this.#prefix === '' ? key : `${this.#prefix}/${key}`;
  }

  /** The SDK is loaded when it is needed: most commands do without. */
  #open(): Promise<Bucket> {
    this.#bucket ??= import('./s3/bucket.ts').then(({ Bucket }) => Bucket.open(this.#bucketName, this.#settings));
    return this.#bucket;
  }

  async #inWords(error: unknown, uri: string): Promise<PipelineError> {
    const { endpoint } = this.#settings;
    const region = await this.#region();
    return asS3Error(error, { uri, bucket: this.#bucketName, endpoint, region, worked: this.#worked });
  }

  async #region(): Promise<string | null> {
    try {
      return await (await this.#open()).region();
    } catch {
      return this.#settings.region;
    }
  }
}

/** Before anything that stands there is touched. */
async function requireIntact(delivery: Delivery): Promise<void> {
  await requireSource(delivery.sourcePath);
  const got = await fileDigest(delivery.sourcePath);
  if (got.sizeBytes === delivery.sizeBytes && got.sha256 === delivery.sha256) return;
  throw notAsAnnounced(`The product ${delivery.sourcePath} reads as`, got, delivery);
}

async function create(task: Task): Promise<DeliveryResult> {
  await requireSource(task.delivery.sourcePath);
  return { status: (await put(task, null)) === 'already_there' ? 'already_there' : 'written', uri: task.uri };
}

/**
 * Transfers the source on the condition that the object is still `replaces`, null for none, and reads back what the server
 * has. Whether a transfer whose answer was lost came through is for the object to tell.
 */
async function put(task: Task, replaces: string | null): Promise<'stored' | 'already_there'> {
  const { bucket, delivery, key, uri, hooks } = task;
  if (delivery.sizeBytes > LARGEST_PUT_BYTES) throw tooLarge(delivery, uri);
  try {
    await transfer(task, replaces);
  } catch (error) {
    if (hooks.signal?.aborted || error instanceof PipelineError) throw error;
    if (!isAmbiguous(error) && !isConflict(error)) throw error;
    const now = await bucket.head(key, hooks.signal).catch(() => null);
    if (now === null || now.etag === replaces) throw error;
    refuseOwned(now.owner, delivery, uri);
    if (!(await holds(task, now))) throw error;
    if (isConflict(error)) return (await alreadyThere(task, now)).status as 'already_there';
    return 'stored';
  }
  const stored = await bucket.head(key, hooks.signal);
  if (stored === null) throw new PipelineError('storage_unavailable', `${uri} was written and is not there.`, VANISHED);
  if (await holds(task, stored)) return 'stored';
  const sha256 = stored.sha256 ?? 'unknown';
  throw notAsAnnounced(`${uri} reads back as`, { sizeBytes: stored.sizeBytes, sha256 }, delivery);
}

const VANISHED = { hint: 'Somebody removed it, or the server shows new objects late. It is tried again by itself.' };

async function transfer({ bucket, delivery, key, hooks }: Task, replaces: string | null): Promise<void> {
  const broken = new AbortController();
  const body = verifiedBody(delivery, (bytes) => hooks.onProgress?.(bytes));
  // The SDK hears nothing of a source that fails: the request would wait for the rest for ever.
  body.on('error', (error) => broken.abort(error));
  const signal = hooks.signal === undefined ? broken.signal : AbortSignal.any([broken.signal, hooks.signal]);
  const { sizeBytes, sha256, owner = null } = delivery;
  try {
    await bucket.put({ key, body, sizeBytes, sha256, owner, replaces }, signal);
    crashPoint('upload-put');
  } catch (error) {
    if (broken.signal.aborted) throw broken.signal.reason;
    throw error;
  } finally {
    body.destroy();
  }
}

/** Whether an object is what is to be delivered; read through once where the server keeps no SHA-256 of it. */
async function holds({ bucket, delivery, key, hooks }: Task, stored: StoredObject): Promise<boolean> {
  if (stored.sizeBytes !== delivery.sizeBytes) return false;
  return (stored.sha256 ?? (await bucket.digest(key, stored.etag, hooks.signal))) === delivery.sha256;
}

async function alreadyThere({ bucket, delivery, key, uri, hooks }: Task, found: StoredObject): Promise<DeliveryResult> {
  if (delivery.owner !== undefined && found.owner === null) {
    await bucket.claim(key, found.etag, delivery.owner, hooks.signal);
  }
  return { status: 'already_there', uri };
}

/** Copies the former content aside (SAFE-11). @returns the copy's URI */
async function keep({ bucket, key, hooks }: Task, found: StoredObject, backupKey: string): Promise<string> {
  const uri = `s3://${bucket.name}/${backupKey}`;
  let lost: unknown = null;
  try {
    await bucket.copy(key, found.etag, backupKey, hooks.signal);
  } catch (error) {
    if (!isAmbiguous(error)) throw error;
    lost = error;
  }
  const copy = await bucket.head(backupKey, hooks.signal);
  const isWhole =
    copy?.sizeBytes === found.sizeBytes &&
    (copy.sha256 === null || found.sha256 === null || copy.sha256 === found.sha256);
  if (isWhole) return uri;
  throw (
    lost ??
    new PipelineError(
      'storage_unavailable',
      `The backup ${uri} is not there as it was written. Nothing was replaced.`,
      {
        hint: 'It is tried again by itself.',
      },
    )
  );
}

/** `20250901T101112345Z`. */
function stamp(): string {
  return new Date().toISOString().replaceAll(/[-:.]/g, '');
}

function replaceNotAsked(uri: string, isVersioned: boolean): PipelineError {
  const kept = isVersioned
    ? 'the bucket is versioned and keeps the former object'
    : `the bucket is not versioned: the former object is copied below ${BACKUP_PREFIX}/ (--backup-prefix) first`;
  return new PipelineError('config_invalid', `${uri} holds other content, and nothing says that it may be replaced.`, {
    hint: `Deliver it as a newer product version, or run the same command with --retry-failed --replace; ${kept}. Nothing was changed there.`,
  });
}

function tooLarge({ sourcePath, sizeBytes }: Delivery, uri: string): PipelineError {
  return new PipelineError(
    'input_invalid',
    `${sourcePath} has ${sizeBytes} bytes: expected at most ${LARGEST_PUT_BYTES} for ${uri}, so that one request with one checksum delivers it whole.`,
    { hint: 'Deliver it to a folder with --upload-to file:///dir.' },
  );
}
