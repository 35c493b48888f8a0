/** What `status` reads from the ledger. Nothing here writes; a read-only ledger offers all of it. */
import type { ErrorKind } from '../core/errors.ts';
import type { DayFailure } from '../core/backfill/types.ts';
import type { ProductSlug } from '../core/product.ts';
import type { CheckState } from '../core/records/source-check.ts';
import type { Day } from '../core/time/day.ts';
import type { GapDay } from '../core/report/gaps.ts';
import type { RecordCounts } from '../core/records/counts.ts';
import type {
  ArtifactRow,
  CheckRow,
  DeliveryRow,
  PassRow,
  RequestFailureRow,
  SliceRow,
  TelemetryStatus,
} from './ledger.ts';
import type { AttemptRecord } from './telemetry-log.ts';

/** The part of a day that a status speaks about; a failed count belongs to the download. */
export type Phase = 'download' | 'build' | 'upload';

/** Which days a report is about; what is absent or null does not narrow. */
export interface ReportScope {
  readonly product?: ProductSlug | null;
  /** First and last day, both included. */
  readonly first?: Day | null;
  readonly last?: Day | null;
}

/** Days as they stand towards one destination. */
export interface DayScope extends ReportScope {
  /** Uploads elsewhere are left out; absent or null: the latest to any destination. */
  readonly destination?: string | null;
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
  /** Latest status of each phase; of the upload, the latest to the destination asked for, or to any. */
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
  /** The latest delivery, or that to the destination asked for. */
  readonly destination: string | null;
  readonly deliveredKey: string | null;
  /** How the latest comparison with the source ended; null when there was none. */
  readonly check: CheckState | null;
  /** Why it is not verified. */
  readonly checkReason: string | null;
}

/** How many downloaded days, and days without data, stand how against the source's own count. */
export interface CheckCount {
  readonly product: ProductSlug;
  readonly state: CheckState;
  readonly days: number;
  /** How many of them are not final: the source may still add to them (SAFE-13). */
  readonly notFinal: number;
}

/** Everything known of one day of one product, each list in order of writing or time. */
export interface DayHistory {
  readonly product: ProductSlug;
  readonly day: Day;
  readonly attempts: readonly AttemptRecord[];
  /** Each go of the engine at a stage, by time. */
  readonly passes: readonly PassRow[];
  readonly slices: readonly SliceRow[];
  readonly requestFailures: readonly RequestFailureRow[];
  /** Present and former ones; `supersededAt` is null for the present. */
  readonly files: readonly (ArtifactRow & { readonly supersededAt: string | null })[];
  readonly counts: readonly (RecordCounts & { readonly artifactSha256: string })[];
  readonly deliveries: readonly DeliveryRow[];
  /** The latest comparison with what the source counts. */
  readonly check: CheckRow | null;
}

/** A file that was replaced; what it held may still be among the backups. */
export interface SupersededFile extends ArtifactRow {
  /** ISO 8601 UTC. */
  readonly supersededAt: string;
}

export interface GapQuestion {
  readonly product: ProductSlug;
  readonly first: Day;
  readonly last: Day;
  /** Records below which a slice is worth telling. */
  readonly fewerThan: number;
}

/** Days whose latest word in a phase is FAILED, by cause. */
export interface FailureCause {
  readonly product: ProductSlug;
  readonly phase: Phase;
  readonly kind: string;
  readonly days: number;
  readonly firstDay: Day;
  readonly lastDay: Day;
}

/** Requests that brought nothing, by host and kind: `wrong_kind` are answers that were no data (TRACK-12). */
export interface HostRefusals {
  readonly host: string;
  readonly kind: string;
  readonly requests: number;
  readonly latestAt: string;
}

/** Downloads that ended well since a moment. */
export interface Throughput {
  readonly days: number;
  readonly records: number;
  readonly bytes: number;
  /** Of the first and the last of them, ISO 8601; null without any. */
  readonly firstAt: string | null;
  readonly lastAt: string | null;
}

/** What a check of the database found. */
export interface IntegrityReport {
  /** One sentence each; none when the ledger is whole. */
  readonly problems: readonly string[];
  /** Fresh counts, by table. */
  readonly rows: Readonly<Record<string, number>>;
}

export interface LedgerReports {
  /** Products with any row, ascending. */
  products(): Promise<ProductSlug[]>;
  /** Ordered by product, phase, destination, status. */
  stateCounts(scope?: ReportScope): Promise<StateCount[]>;
  /**
   * By product and state. Days whose download ended well without any comparison count as uncounted.
   *
   * @param today - UTC date: a day younger than its source needs is not final
   */
  checkCounts(today: Day, scope?: ReportScope): Promise<CheckCount[]>;
  /** Newest first, at most `limit`. */
  latestFailures(limit: number, scope?: ReportScope): Promise<FailureRow[]>;
  /** Days of the scope with any row, by product and day. */
  dayLines(scope?: DayScope): Promise<DayLine[]>;
  /** Ordered by product, phase, kind. */
  failureCauses(scope?: ReportScope): Promise<FailureCause[]>;
  /** Most requests first. */
  hostRefusals(): Promise<HostRefusals[]>;
  /** Slices that wait for a version that can read their kept answers (TRACK-10). */
  unreadSlices(): Promise<number>;
  /** @param sinceIso - ISO 8601 UTC */
  throughput(sinceIso: string): Promise<Throughput>;
  /** Of all products on that day, or of one; empty when the ledger knows nothing of it. */
  dayHistories(day: Day, product?: ProductSlug | null): Promise<DayHistory[]>;
  /** First and last day of a product with any word; null without one. */
  knownRange(product: ProductSlug): Promise<{ first: Day; last: Day } | null>;
  /** Files that should be on the disk, by product, day and kind: present and not removed on purpose. */
  presentFiles(scope?: ReportScope): Promise<ArtifactRow[]>;
  /** Files that another one has taken the place of, by product, day, kind and time. */
  supersededFiles(scope?: ReportScope): Promise<SupersededFile[]>;
  /** The latest delivery of each day to each destination. */
  deliveries(scope?: ReportScope): Promise<DeliveryRow[]>;
  /** Reads everything (TRACK-13): the database's own check, then what is kept twice against each other. Beside a writer. */
  checkIntegrity(): Promise<IntegrityReport>;
  /** One entry per day, ascending. */
  gapDays(question: GapQuestion): Promise<GapDay[]>;
}
