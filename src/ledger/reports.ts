/** What `status` reads from the ledger. Nothing here writes; a read-only ledger offers all of it. */
import type { ErrorKind } from '../core/errors.ts';
import type { DayFailure } from '../core/backfill/types.ts';
import type { ProductSlug } from '../core/product.ts';
import type { Day } from '../core/time/day.ts';
import type { TelemetryStatus } from './ledger.ts';

/** The part of a day that a status speaks about; a failed count belongs to the download. */
export type Phase = 'download' | 'build' | 'upload';

/** Which days a report is about; what is absent or null does not narrow. */
export interface ReportScope {
  readonly product?: ProductSlug | null;
  /** First and last day, both included. */
  readonly first?: Day | null;
  readonly last?: Day | null;
}

/** How many days stand at a status in a phase, by their latest row. */
export interface StateCount {
  readonly product: ProductSlug;
  readonly phase: Phase;
  /** Null but for uploads. */
  readonly destination: string | null;
  readonly status: TelemetryStatus;
  readonly days: number;
}

/** A phase of a day whose latest row is FAILED. */
export interface FailureRow {
  readonly seq: number;
  readonly product: ProductSlug;
  readonly day: Day;
  readonly phase: Phase;
  readonly destination: string | null;
  readonly runId: string;
  readonly kind: ErrorKind | DayFailure['kind'];
  readonly message: string;
  /** ISO 8601 UTC. */
  readonly failedAt: string;
}

/** One day as a table line. Null where nothing is known. */
export interface DayLine {
  readonly product: ProductSlug;
  readonly day: Day;
  /** Latest status of each phase; of the upload, the latest to any destination. */
  readonly download: TelemetryStatus | null;
  readonly build: TelemetryStatus | null;
  readonly upload: TelemetryStatus | null;
  readonly records: number | null;
  readonly distinctReadings: number | null;
  /** Percent, not capped (TEL-D12). */
  readonly availabilityPct: number | null;
  readonly downloadBytes: number | null;
  readonly productBytes: number | null;
  /** Wall-clock seconds of the latest good end of each phase. */
  readonly downloadSeconds: number | null;
  readonly buildSeconds: number | null;
  readonly uploadSeconds: number | null;
  /** Absolute. */
  readonly productPath: string | null;
  /** The latest delivery. */
  readonly destination: string | null;
  readonly deliveredKey: string | null;
}

export interface LedgerReports {
  /** Products with any row, ascending. */
  products(): Promise<ProductSlug[]>;
  /** Ordered by product, phase, destination, status. */
  stateCounts(scope?: ReportScope): Promise<StateCount[]>;
  /** Newest first, at most `limit`. */
  latestFailures(limit: number, scope?: ReportScope): Promise<FailureRow[]>;
  /** Days of the scope with any row, by product and day. */
  dayLines(scope?: ReportScope): Promise<DayLine[]>;
}
