/**
 * Those who wait for a permit: by place, at one place first come, first served. Two days that took turns would be complete at
 * the same time, and nothing would be left to fetch while they are built.
 */
import type { GateRun, Permit } from './types.ts';

/** For whom somebody waits; a lower place goes first. */
export interface Asker {
  readonly run: GateRun | null;
  readonly place: number;
}

/** Who asks for no run. */
export const NOBODY: Asker = { run: null, place: 0 };

export interface Waiter extends Asker {
  readonly grant: (permit: Permit) => void;
  readonly reject: (error: Error) => void;
}

export class WaitingLine {
  readonly #waiters: Waiter[] = [];
  readonly #onLeft: () => void;
  #places = 0;

  /** @param onLeft - called when somebody gave up waiting */
  constructor(onLeft: () => void) {
    this.#onLeft = onLeft;
  }

  /** For a piece of a run; later ones stand behind it. */
  askerOf(run: GateRun): Asker {
    return { run, place: (this.#places += 1) };
  }

  get length(): number {
    return this.#waiters.length;
  }

  /** Whom those who wait ask for, each once. */
  get runs(): (GateRun | null)[] {
    return [...new Set(this.#waiters.map(({ run }) => run))];
  }

  /**
   * @param onJoined - called once the waiter stands in line
   * @throws the signal's reason when it is aborted first
   */
  join({ run, place }: Asker, signal: AbortSignal | undefined, onJoined: (waiter: Waiter) => void): Promise<Permit> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason as Error);
        return;
      }
      const settle = (): void => signal?.removeEventListener('abort', onAbort);
      const waiter: Waiter = {
        run,
        place,
        grant: (permit) => {
          settle();
          resolve(permit);
        },
        reject: (error) => {
          settle();
          reject(error);
        },
      };
      const onAbort = (): void => {
        this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
        reject(signal?.reason as Error);
        this.#onLeft();
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      const behind = this.#waiters.findLastIndex((other) => other.place <= place);
      this.#waiters.splice(behind + 1, 0, waiter);
      onJoined(waiter);
    });
  }

  next(): Waiter | undefined {
    return this.#waiters.shift();
  }

  /** Sends one away, if it still waits. */
  turnAway(waiter: Waiter, error: Error): void {
    const index = this.#waiters.indexOf(waiter);
    if (index === -1) return;
    this.#waiters.splice(index, 1);
    waiter.reject(error);
  }

  /** All who wait, who wait no more. */
  dismiss(): Waiter[] {
    return this.#waiters.splice(0);
  }
}
