/** Notices when the days of a run take much longer than its first ones did (SAFE-15). Pure. */
import { quantile } from './work-estimate.ts';

/** Days that the pace is taken from: the first of a run, and the latest. */
export const DAYS_COMPARED = 10;
const TOO_SLOW = 2;

export interface SlowDown {
  /** Medians, in seconds per day. */
  readonly firstSeconds: number;
  readonly latestSeconds: number;
}

export interface SlowDownWatch {
  /**
   * Takes the next finished day. Returns what to warn of when the latest days have just become slower than twice the first
   * ones, once until they are faster again; else null.
   */
  add(seconds: number): SlowDown | null;
}

export function createSlowDownWatch(): SlowDownWatch {
  const first: number[] = [];
  const latest: number[] = [];
  let isSlow = false;
  return {
    add(seconds) {
      if (first.length < DAYS_COMPARED) {
        first.push(seconds);
        return null;
      }
      latest.push(seconds);
      if (latest.length > DAYS_COMPARED) latest.shift();
      if (latest.length < DAYS_COMPARED) return null;
      const [firstSeconds, latestSeconds] = [quantile(first, 0.5), quantile(latest, 0.5)];
      const wasSlow = isSlow;
      isSlow = latestSeconds > TOO_SLOW * firstSeconds;
      return isSlow && !wasSlow ? { firstSeconds, latestSeconds } : null;
    },
  };
}
