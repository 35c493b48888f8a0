/**
 * What a day's records were compared with: the number that the source itself counts for the day.
 *
 * - `verified` as many are kept as the source counts
 * - `uncounted` the source does not say, or did not answer
 * - `differs` another number, also after asking again for the parts that differ
 */
export const CHECK_STATES = ['verified', 'uncounted', 'differs'] as const;
export type CheckState = (typeof CHECK_STATES)[number];

/** `3 verified, 1 uncounted`; empty when there is none. */
export function checksText(checks: Readonly<Partial<Record<CheckState, number>>> = {}): string {
  return CHECK_STATES.flatMap((state) => (checks[state] === undefined ? [] : [`${checks[state]} ${state}`])).join(', ');
}

/** The latest comparison of a day with the source. Times are ISO 8601 UTC. */
export interface SourceCheck {
  readonly state: CheckState;
  /** Records kept of the day. */
  readonly kept: number;
  /** Records that the source counts for the day; null when it did not say. */
  readonly counted: number | null;
  /** Why it is not verified, in one sentence; null when it is. */
  readonly reason: string | null;
  /** When what is kept was last known to be what the source has, or was fetched from it. */
  readonly checkedAt: string;
  /** When the source was last asked, also in vain. */
  readonly askedAt: string;
}
