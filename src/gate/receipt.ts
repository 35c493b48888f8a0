/** Counts what the gate let through: the receipt of politeness. */
import type { GateStats } from './types.ts';

const SECOND_MS = 1_000;

export class Receipt {
  #requests = 0;
  #rateLimited = 0;
  #heldBackMs = 0;
  #heldSinceMs: number | null = null;
  #worstSecond = 0;
  /** Permits of the last second, ascending. */
  #recent: number[] = [];

  permit(nowMs: number): void {
    this.#requests += 1;
    this.#recent = this.#recent.filter((at) => at > nowMs - SECOND_MS);
    this.#recent.push(nowMs);
    this.#worstSecond = Math.max(this.#worstSecond, this.#recent.length);
  }

  rateLimited(): void {
    this.#rateLimited += 1;
  }

  /** Whether, from now on, a request is held back by the pace or a cooldown. */
  heldBack(held: boolean, nowMs: number): void {
    if (this.#heldSinceMs !== null) this.#heldBackMs += nowMs - this.#heldSinceMs;
    this.#heldSinceMs = held ? nowMs : null;
  }

  stats(nowMs: number): GateStats {
    const heldMs = this.#heldBackMs + (this.#heldSinceMs === null ? 0 : nowMs - this.#heldSinceMs);
    return {
      requests: this.#requests,
      rateLimited: this.#rateLimited,
      secondsWaited: Math.round(heldMs) / 1_000,
      worstSecond: this.#worstSecond,
    };
  }
}
