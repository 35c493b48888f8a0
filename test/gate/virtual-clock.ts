/** Time that moves only when a test says so. */
import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../../src/gate/index.ts';

export class VirtualClock implements Clock {
  #nowMs = Date.parse('2026-01-01T00:00:00Z');
  #timers: { at: number; run: () => void }[] = [];

  now(): number {
    return this.#nowMs;
  }

  after(delayMs: number, run: () => void): () => void {
    const timer = { at: this.#nowMs + delayMs, run };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.after(delayMs, resolve);
    });
  }

  get pendingTimers(): number {
    return this.#timers.length;
  }

  /** Lets `ms` pass: timers run in order, each after everything that the one before set off. */
  async advance(ms: number): Promise<void> {
    const end = this.#nowMs + ms;
    await setImmediate();
    for (;;) {
      const next = this.#timers.toSorted((a, b) => a.at - b.at)[0];
      if (!next || next.at > end) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#nowMs = Math.max(this.#nowMs, next.at);
      next.run();
      await setImmediate();
    }
    this.#nowMs = end;
  }
}
