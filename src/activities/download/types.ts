import type { SliceMode } from '../../core/backfill/types.ts';
import type { ProductSlug } from '../../core/product.ts';
import type { RecordCounts } from '../../core/records/counts.ts';
import type { SourceCheck } from '../../core/records/source-check.ts';
import type { Day } from '../../core/time/day.ts';
import type { Gate } from '../../gate/index.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import type { UdlSource } from '../../sources/udl/index.ts';
import type { WorkspacePaths } from '../../storage/workspace.ts';

/** What the download says beside its result. */
export interface DownloadLog {
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
}

export interface DownloadDependencies {
  readonly gate: Gate;
  readonly source: UdlSource;
  readonly ledger: Pick<Ledger, 'slices' | 'putSlice' | 'putRequestFailure' | 'resetSliceFailures' | 'retainSlices'>;
  readonly folders: Pick<WorkspacePaths, 'downloads' | 'slices'>;
  readonly log?: DownloadLog;
}

export interface DownloadRequest {
  readonly product: ProductSlug;
  readonly day: Day;
  readonly sliceMode: SliceMode;
  /** First pass of a new run of the day: failures of earlier runs are forgotten. */
  readonly freshRun?: boolean;
  /** Requests that earlier calls of the same stage sent: every figure of requests begins with them. Default 0. */
  readonly requestsBefore?: number;
  /** Whether the day is compared with the number of records that the source counts. Default false. */
  readonly verify?: boolean;
  /** Whether everything is asked for again although the artifact is there; one with the same content stays untouched. */
  readonly again?: boolean;
  /** Whether the source is not asked at all: only what is kept of the day counts, however old. */
  readonly offline?: boolean;
}

export interface DownloadProgress {
  readonly slicesDone: number;
  readonly slicesTotal: number;
  /** Records kept so far. */
  readonly records: number;
  /** Bytes of the answers so far, transport decoding undone. */
  readonly bytes: number;
  /** Sent so far, those of earlier calls (`requestsBefore`) included. */
  readonly requests: number;
  /** Requests per second that the gate allows now. */
  readonly rate: number;
  /** Set while nothing may be asked: until when (ISO 8601 UTC) and why. */
  readonly waiting?: { readonly until: string; readonly why: string };
}

export interface DownloadHooks {
  /** Cancels requests under way; finished slices stay. */
  readonly signal?: AbortSignal;
  /** Called after every slice, and every second while nothing ends. */
  readonly onProgress?: (progress: DownloadProgress) => void;
}

export type DownloadOutcome =
  | {
      readonly outcome: 'done';
      /** Absolute path of the artifact. */
      readonly path: string;
      readonly sizeBytes: number;
      /** Lower-case hexadecimal. */
      readonly sha256: string;
      readonly counts: RecordCounts;
      readonly columns: readonly string[];
      readonly slices: number;
      readonly emptySlices: number;
      /** Records that came outside their slice and were dropped. */
      readonly outsideSlice: number;
      /** Sent by this call and those before (`requestsBefore`). */
      readonly requests: number;
      /** The artifact was there already, intact. */
      readonly adopted: boolean;
      /** Against the source's own count; null when it was not compared. */
      readonly check: SourceCheck | null;
    }
  | {
      /** Every slice was answered with an empty list. */
      readonly outcome: 'no_data';
      /** One sentence with the sensor and both ends of the day (UDL-25). */
      readonly reason: string;
      readonly slices: number;
      readonly requests: number;
      readonly check: SourceCheck | null;
    };
