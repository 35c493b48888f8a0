/** Where finished products go. */
import { fileURLToPath } from 'node:url';
import { PipelineError } from '../core/errors.ts';
import { FileDestination } from './file-destination.ts';
import { S3Destination } from './s3-destination.ts';
import { DEFAULT_S3_SETTINGS } from './s3/settings.ts';
import type { S3Settings } from './s3/settings.ts';

export interface Delivery {
  readonly sourcePath: string;
  readonly sizeBytes: number;
  /** Of the source's content, lower-case hexadecimal. */
  readonly sha256: string;
  /** Key below the destination's base, made from the file name (S3-1): `l1c/prelim/2026/01/01/….cdf`. */
  readonly key: string;
  /** Slug of the product. The destination remembers it with the key; without it nobody is asked and nothing is noted. */
  readonly owner?: string;
  /** Whether other content of the same owner may be replaced in a bucket (`--replace`). A folder always may: it keeps a copy. */
  readonly replace?: boolean;
  /** Where a bucket without versions keeps the former content, below the destination; `_backup` without it. */
  readonly backupPrefix?: string;
}

export interface DeliveryHooks {
  /** Ends the delivery early; what it throws then is the signal's reason. */
  readonly signal?: AbortSignal;
  /** Called with the bytes of the source under way so far. */
  readonly onProgress?: (bytes: number) => void;
}

/** What happened: nothing stood there, the same content did (no transfer), or other content did and is kept. */
export type DeliveryStatus = 'written' | 'already_there' | 'replaced';

export interface DeliveryResult {
  readonly status: DeliveryStatus;
  /** The delivered object, base and key in one. */
  readonly uri: string;
  /** Where the former content is kept, when `replaced`: a path, or a URI of a copy or an older version in the bucket. */
  readonly backupPath?: string;
  /** For the log: what was replaced was delivered by nobody we know of. */
  readonly warning?: string;
}

export interface StoredContent {
  readonly sizeBytes: number;
  /** Lower-case hexadecimal. */
  readonly sha256: string | null;
}

/**
 * A place that products are delivered to. Every implementation passes `test/storage/destination-contract.ts`.
 *
 * `deliver` is idempotent and atomic: under the key there is the former content or the whole new one, checked by size and
 * SHA-256, whenever it stops. A key belongs to the product that delivered it, for as long as the object is there.
 */
export interface Destination {
  /** The base in its one spelling: `file:///dir`, `s3://bucket/prefix`. With the key it names an object. */
  readonly base: string;
  /** How the telemetry names a delivery under `key`: its `s3_bucket` and `s3_key`. */
  recordedAs(key: string): { bucket: string; key: string };
  /**
   * Looks, without changing anything, whether deliveries can work.
   *
   * @throws PipelineError `config_invalid`, or `storage_unavailable` when a later look may turn out better
   */
  check(): Promise<void>;
  /**
   * @throws PipelineError `checksum_mismatch` when the source is not what was announced or the copy does not read back the
   *   same, `path_owned` when another product delivered the key (CDF-D1), `config_invalid` when the destination refused for
   *   good, `disk_full`, `storage_unavailable` when trying again may help
   */
  deliver(delivery: Delivery, hooks?: DeliveryHooks): Promise<DeliveryResult>;
  /**
   * What stands under a key, without changing anything: one look. `sha256` is what the destination keeps of the object, null
   * when it keeps none; read from the content itself when `deep`.
   *
   * @throws PipelineError `config_invalid` or `storage_unavailable`, as `deliver`
   */
  look(key: string, deep: boolean): Promise<StoredContent | null>;
  /** Lets go of connections. Idempotent. */
  close(): void;
}

/**
 * Reads a destination as an operator types it. Touches nothing.
 *
 * @throws PipelineError `config_invalid` naming the text and what is expected
 */
export function parseDestination(text: string, s3: S3Settings = DEFAULT_S3_SETTINGS): Destination {
  return text.startsWith('s3://') ? new S3Destination(text, s3) : new FileDestination(folderOf(text));
}

function folderOf(text: string): string {
  const problem = (what: string): PipelineError =>
    new PipelineError('config_invalid', `Cannot deliver to "${text}": ${what}.`, {
      hint: 'Name a folder by its absolute path as file:///srv/products, or a bucket as s3://bucket/prefix.',
    });
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw problem('it is not a URI');
  }
  if (url.protocol !== 'file:') throw problem(`the scheme ${url.protocol}// is not known`);
  if (!/^file:\/\/(localhost)?\//i.test(text))
    throw problem('the path must be absolute, with three slashes after file:');
  if (url.search !== '' || url.hash !== '')
    throw problem('a folder has no query and no fragment; write ? as %3F, # as %23');
  try {
    return fileURLToPath(url);
  } catch (error) {
    throw problem(error instanceof Error ? error.message : String(error));
  }
}
