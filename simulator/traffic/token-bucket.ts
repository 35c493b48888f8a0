/**
 * The server's own rate limit, as many services have one.
 */
export interface RateLimit {
  /** Requests per second in the long run, above 0. */
  readonly perSecond: number;
  /** Requests that may come at once; default `perSecond`, at least 1. */
  readonly burst?: number;
  /** What `Retry-After` of a 429 says, whole seconds; default 1. */
  readonly retryAfterS?: number;
}

export class TokenBucket {
  readonly #perMs: number;
  readonly #burst: number;
  #tokens: number;
  #atMs = Number.NEGATIVE_INFINITY;

  constructor(limit: RateLimit) {
    this.#perMs = limit.perSecond / 1000;
    this.#burst = Math.max(1, limit.burst ?? limit.perSecond);
    this.#tokens = this.#burst;
  }

  /** Takes a token if there is one. @param now - ms of any steady clock */
  take(now: number): boolean {
    const gained = Number.isFinite(this.#atMs) ? (now - this.#atMs) * this.#perMs : 0;
    this.#tokens = Math.min(this.#burst, this.#tokens + gained);
    this.#atMs = now;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}
