/**
 * Places where the program ends itself as `kill -9` would, so that a drill can hold exactly-once effects to the moments
 * that matter: between an effect and the note that it happened. A test facility: nothing happens unless the variable
 * `REACHBACK_CRASH_POINT` armed one place for this process.
 */

/** Named by the effect that has just happened. */
export const CRASH_POINTS = [
  // A block that came in its turn stands in the day's part file; nothing says so yet.
  'slice-placed',
  'slice-temporary',
  'slice-renamed',
  'slice-recorded',
  'download-temporary',
  'download-renamed',
  'download-manifest',
  'download-recorded',
  'download-closed',
  'recheck-renamed',
  'recheck-manifest',
  'count-recorded',
  'cdf-temporary',
  'cdf-renamed',
  'cdf-manifest',
  'cdf-recorded',
  'cdf-closed',
  // Only where builders see no common folder.
  'input-staged',
  'product-staged',
  'product-noted',
  'product-fetched',
  'upload-temporary',
  'upload-renamed',
  // The object is in the bucket, and its answer came; only with a destination in S3.
  'upload-put',
  'upload-owner',
  'upload-recorded',
  'upload-closed',
  'day-recorded',
  'telemetry-appended',
  'telemetry-imported',
  'file-taken-up',
  'days-summed-up',
  // The former ledger has its new name, not yet without its log's old one.
  'ledger-aside',
] as const;
export type CrashPoint = (typeof CRASH_POINTS)[number];

export interface ArmedCrashPoint {
  readonly point: CrashPoint;
  /** The process ends when it comes by for the n-th time; from 1. */
  readonly nth: number;
}

let armed: ArmedCrashPoint | null = null;
let passed = 0;

/** `name`, or `name:n` for the n-th time; null for any other text. */
export function parseCrashPoint(text: string): ArmedCrashPoint | null {
  const [, name = '', nth = '1'] = /^([a-z-]+)(?::([1-9]\d{0,5}))?$/.exec(text) ?? [];
  const point = CRASH_POINTS.find((each) => each === name);
  return point === undefined ? null : { point, nth: Number(nth) };
}

/** Arms one place for this process; null disarms. */
export function armCrashPoint(next: ArmedCrashPoint | null): void {
  armed = next;
  passed = 0;
}

/** Ends the process, without a chance to clean up, when this place is the armed one. */
export function crashPoint(name: CrashPoint): void {
  if (armed?.point !== name) return;
  passed += 1;
  if (passed === armed.nth) process.kill(process.pid, 'SIGKILL');
}
