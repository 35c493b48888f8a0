/** Time as the gate sees it; tests bring their own. */
export interface Clock {
  /** POSIX milliseconds with a fraction; never runs backwards. */
  now(): number;
  /** Calls `run` once, `delayMs` later or somewhat after. @returns a function that prevents it */
  after(delayMs: number, run: () => void): () => void;
}

/** `setTimeout` fires at once for longer delays. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The machine's monotonic clock, set to the time of day when the process began: a corrected clock moves no slot. */
export const systemClock: Clock = {
  now: () => performance.timeOrigin + performance.now(),
  after: (delayMs, run) => {
    const timer = setTimeout(run, Math.min(Math.ceil(delayMs), LONGEST_TIMER_MS));
    return () => clearTimeout(timer);
  },
};
