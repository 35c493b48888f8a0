/** Where finished products go. */
import { fileURLToPath } from 'node:url';
import { PipelineError } from '../core/errors.ts';
import { FileDestination } from './file-destination.ts';

export interface Delivery {
  readonly sourcePath: string;
  readonly sizeBytes: number;
  /** Of the source's content, lower-case hexadecimal. */
  readonly sha256: string;
  /** Key below the destination's base, made from the file name (S3-1): `l1c/prelim/2026/01/01/….cdf`. */
  readonly key: string;
  /** Slug of the product. The destination remembers it with the key; without it nobody is asked and nothing is noted. */
  readonly owner?: string;
}

/** What happened: nothing stood there, the same content did (no transfer), or other content did and is kept. */
export type DeliveryStatus = 'written' | 'already_there' | 'replaced';

export interface DeliveryResult {
  readonly status: DeliveryStatus;
  /** The delivered object, base and key in one. */
  readonly uri: string;
  /** Where the former content is kept, when `replaced`. */
  readonly backupPath?: string;
  /** For the log: what was replaced was delivered by nobody we know of. */
  readonly warning?: string;
}

/**
 * A place that products are delivered to. Every implementation passes `test/storage/destination-contract.ts`.
 *
 * `deliver` is idempotent and atomic: under the key there is the former content or the whole new one, checked by size and
 * SHA-256, whenever it stops. A key belongs to the product that delivered it, for as long as the object is there.
 */
export interface Destination {
  /** The base as it is recorded: `file:///dir`. With the key it names an object; the telemetry's `s3_bucket`. */
  readonly base: string;
  /** Looks, without changing anything, whether deliveries can work. @throws PipelineError `config_invalid` */
  check(): Promise<void>;
  /**
   * @throws PipelineError `checksum_mismatch` when the source is not what was announced or the copy does not read back the
   *   same, `path_owned` when another product delivered the key (CDF-D1), `disk_full`, `storage_unavailable` when the destination refused
   */
  deliver(delivery: Delivery): Promise<DeliveryResult>;
}

/**
 * Reads a destination as an operator types it. Touches nothing.
 *
 * @throws PipelineError `config_invalid` naming the text and what is expected
 */
export function parseDestination(text: string): Destination {
  if (text.startsWith('s3://')) {
    throw new PipelineError(
      'config_invalid',
      `Delivery to ${text} is not possible yet: this version delivers to file:///dir.`,
      {
        hint: 'Deliver to a folder, such as --upload-to file:///srv/products, and copy it to the bucket from there.',
      },
    );
  }
  return new FileDestination(folderOf(text));
}

function folderOf(text: string): string {
  const problem = (what: string): PipelineError =>
    new PipelineError('config_invalid', `Cannot deliver to "${text}": ${what}.`, {
      hint: 'Name a folder by its absolute path as file:///srv/products.',
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
