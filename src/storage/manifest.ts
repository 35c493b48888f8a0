/**
 * The manifest beside a finished file: what it holds and where it came from. It lets a run that was killed between the
 * rename and the ledger row adopt the file instead of making it again, and is the source of counts that need no reading.
 */
import { readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Profile, SliceMode } from '../core/backfill/types.ts';
import type { ProductSlug } from '../core/product.ts';
import type { RecordCounts } from '../core/records/counts.ts';
import type { SourceCheck } from '../core/records/source-check.ts';
import type { Day } from '../core/time/day.ts';
import { writeFileAtomically } from './atomic-file.ts';

interface ManifestBase {
  readonly manifestVersion: 1;
  readonly product: ProductSlug;
  readonly day: Day;
  /** Base name of the file it describes. */
  readonly file: string;
  readonly sizeBytes: number;
  /** Lower-case hexadecimal. */
  readonly sha256: string;
  /** Name and version of the writing program. */
  readonly writer: string;
}

/** Of a day's CSV or JSON. */
export interface DownloadManifest extends ManifestBase {
  readonly kind: 'download';
  readonly counts: RecordCounts;
  /** Columns of the CSV in order: the union of all records' keys in slice order. */
  readonly columns: readonly string[];
  readonly sliceMode: SliceMode;
  readonly slices: number;
  readonly emptySlices: number;
  /** Records that the source sent outside `start ≤ obTime < end` of their slice; not kept (UDL-D6). */
  readonly outsideSlice: number;
  /** Records of each slice in order, and how many the last one's answer held behind its end. */
  readonly sliceRecords?: readonly number[];
  readonly outsideEnd?: number;
  /** How the day stood against the source's own count when the file was written; later comparisons are in the ledger. */
  readonly check?: SourceCheck;
  /** Set when the file was removed on purpose after its product was done (`--keep-downloads`); ISO 8601 UTC. */
  readonly releasedAt?: string;
}

/** Of a day's CDF. */
export interface ProductManifest extends ManifestBase {
  readonly kind: 'product';
  readonly profile: Profile;
  /** Product version in the file name, such as `1.0.0`. */
  readonly version: string;
  readonly inputFile: string;
  readonly inputSha256: string;
  /** `UDL_Source` of the product. */
  readonly descriptor: string;
  /** `YYYY-MM-DD`, stamped once per (input, profile, writer). */
  readonly generationDate: string;
  readonly records: number;
  /** Times on the product's time axis. */
  readonly times: number;
  readonly sensors: number;
  readonly duplicates: number;
  readonly quarantined: number;
  /** Of a product that an operator brought back: SHA-256 of the download beside which it holds good. */
  readonly restoredFor?: string;
}

export type Manifest = DownloadManifest | ProductManifest;

/** Path of the manifest of `path`: hidden, in the same folder, so that no reader's glob meets it. */
export function manifestPath(path: string): string {
  return join(dirname(path), `.${basename(path)}.manifest`);
}

export async function writeManifest(path: string, manifest: Manifest): Promise<void> {
  await writeFileAtomically(manifestPath(path), `${JSON.stringify(manifest, null, 1)}\n`);
}

/** The manifest of `path`, or null when there is none or it cannot be read as one. */
export async function readManifest(path: string): Promise<Manifest | null> {
  try {
    const manifest = JSON.parse(await readFile(manifestPath(path), 'utf8')) as Manifest;
    return manifest.manifestVersion === 1 && manifest.file === basename(path) ? manifest : null;
  } catch {
    return null;
  }
}
