/** How long a plan takes, from days that were done before (SAFE-14). Pure. */

/** What one finished day took; null for stages that it did not have. */
export interface DayCost {
  readonly downloadSeconds: number | null;
  readonly buildSeconds: number | null;
  readonly uploadSeconds: number | null;
  readonly downloadBytes: number | null;
  readonly productBytes: number | null;
}

/** How many days of a plan have which stage. */
export interface PlannedWork {
  readonly downloads: number;
  readonly builds: number;
  readonly uploads: number;
  /** Days under way at once. */
  readonly concurrency: number;
  /** The known days were done one at a time; absent: as many at once as are planned. */
  readonly knownAlone?: boolean;
}

/** Two answers: from the median of the days that are known, and one that nine of ten of them keep. */
export interface Bounds {
  readonly median: number;
  readonly upper: number;
}

export interface WorkEstimate {
  /** Days that it was learnt from. */
  readonly knownDays: number;
  readonly seconds: Bounds;
  readonly bytes: Bounds;
}

const UPPER_SHARE = 0.9;

/**
 * @param history - days of the same product
 * @returns null when a stage of the plan was never done before
 */
export function estimateWork(work: PlannedWork, history: readonly DayCost[]): WorkEstimate | null {
  const knownOf = (pick: (day: DayCost) => number | null): number[] =>
    history.map(pick).filter((value) => value !== null);
  const seconds = [
    { days: work.downloads, known: knownOf((day) => day.downloadSeconds) },
    { days: work.builds, known: knownOf((day) => day.buildSeconds) },
    { days: work.uploads, known: knownOf((day) => day.uploadSeconds) },
  ];
  const bytes = [
    { days: work.downloads, known: knownOf((day) => day.downloadBytes) },
    { days: work.builds, known: knownOf((day) => day.productBytes) },
  ];
  const needed = [...seconds, ...bytes].filter(({ days }) => days > 0);
  if (needed.length === 0 || needed.some(({ known }) => known.length === 0)) return null;
  const atOnce = Math.max(1, Math.min(work.concurrency, Math.max(work.downloads, work.builds, work.uploads)));
  const eachOf = (parts: typeof seconds, share: number): number[] =>
    parts.map(({ days, known }) => (days === 0 ? 0 : days * quantile(known, share)));
  const total = (parts: typeof seconds, share: number): number =>
    eachOf(parts, share).reduce((sum, part) => sum + part, 0);
  // Days under way at once share the source's rate, and were measured so: what one takes is divided among them. Of days that were
  // measured alone only different stages go side by side: one download has the whole rate, one build its thread.
  const longest = (share: number): number => (work.knownAlone === true ? Math.max(...eachOf(seconds, share)) : 0);
  const wall = (share: number): number => Math.max(total(seconds, share) / atOnce, longest(share));
  return {
    knownDays: history.length,
    seconds: { median: wall(0.5), upper: wall(UPPER_SHARE) },
    bytes: { median: total(bytes, 0.5), upper: total(bytes, UPPER_SHARE) },
  };
}

/** The value that `share` of the values do not exceed; between two of them, in proportion. @param values - not empty */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const at = share * (sorted.length - 1);
  const below = sorted[Math.floor(at)]!;
  const above = sorted[Math.ceil(at)]!;
  return below + (above - below) * (at - Math.floor(at));
}
