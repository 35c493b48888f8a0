/**
 * What callers say to and hear from this folder. Plain values: they cross to a thread and back.
 */
import type { Profile } from '../../core/backfill/types.ts';
import type { ArtifactFormat, SensorSelection } from '../../core/product.ts';
import type { RecordCounts } from '../../core/records/counts.ts';
import type { BuildWarning, QuarantineReason } from './assemble/remarks.ts';
import type { ArtifactDigest, KnownArtifact } from './read/artifact.ts';

export interface BuildRequest {
  /** The day's artifact; its name must satisfy CDF-4. */
  readonly inputPath: string;
  readonly format: ArtifactFormat;
  /** Its size, time and hash as recorded: as long as size and time are these, the file is not hashed again. */
  readonly knownInput?: KnownArtifact;
  /** Exact path to write, the caller's temporary name; its folder must exist. Finished and synced on return. */
  readonly outputPath: string;
  /** Becomes the mode part of names (CDF-D1). */
  readonly sensor: SensorSelection;
  readonly profile: Profile;
  /** Such as `1.0.0`. */
  readonly version: string;
  /** `YYYY-MM-DD`; stamped once by the caller so that a rebuild gives the same bytes. */
  readonly generationDate: string;
  /** Share of records, 0 to 1, that may be unusable (CDF-D10). */
  readonly quarantineLimit: number;
}

export interface BuildResult {
  /** `reach_all_l1c_prelim_20250904T000000_v1.0.0.cdf` (CDF-1). */
  readonly fileName: string;
  /** Place below a delivery base (S3-1). */
  readonly key: string;
  readonly sizeBytes: number;
  /** Lower-case hexadecimal. */
  readonly sha256: string;
  readonly inputSha256: string;
  /** `UDL_Source`. */
  readonly descriptor: string;
  /** Records in the artifact. */
  readonly records: number;
  /** Readings in the product. */
  readonly readings: number;
  readonly times: number;
  readonly sensors: number;
  /** Readings that gave way to a newer or earlier one of the same sensor, description and instant. */
  readonly duplicates: number;
  /** Records that could not be used, with the reasons, most frequent first. */
  readonly quarantined: number;
  readonly quarantineReasons: readonly QuarantineReason[];
  /** Records dropped because they name no sensor and no observatory that carries one (CDF-11). */
  readonly unresolved: number;
  readonly warnings: readonly BuildWarning[];
}

export type ArtifactCounts = RecordCounts & ArtifactDigest;

export interface Progress {
  readonly phase: 'reading' | 'writing';
  /** Of the artifact. */
  readonly bytesRead: number;
  readonly bytesTotal: number;
}

export interface TaskHooks {
  /** A few calls a second at most. */
  readonly onProgress?: (progress: Progress) => void;
  /** Ends the work; the promise rejects with the signal's reason and no file stays. */
  readonly signal?: AbortSignal;
}
