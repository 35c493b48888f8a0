/** Puts the gate's state into its store, and knows whether a permit must wait for that. */
import { PipelineError, isPipelineError } from '../core/errors.ts';
import { KEEP_EVERY_MS } from '../core/rate/restore.ts';
import type { GateState, GateStore } from './types.ts';

export class Keeper {
  readonly #store: GateStore;
  readonly #onSettled: () => void;
  #keptMs = -Infinity;
  #underWay = 0;
  #problem: PipelineError | null = null;

  /** @param onSettled - called when a store that takes its time has finished */
  constructor(store: GateStore, onSettled: () => void) {
    this.#store = store;
    this.#onSettled = onSettled;
  }

  /** Why the latest state could not be kept. */
  get problem(): PipelineError | null {
    return this.#problem;
  }

  /** Whether a state is still on its way into the store. */
  get isBusy(): boolean {
    return this.#underWay > 0;
  }

  /** Whether the pace and the receipts should be kept again: they may lag by a second, so that permits stay cheap. */
  isDue(nowMs: number): boolean {
    return nowMs - this.#keptMs >= KEEP_EVERY_MS;
  }

  /** Never rejects: a failure is the `problem` until a later call succeeds. Done at once where the store takes no time. */
  keep(state: GateState, nowMs: number): Promise<void> {
    this.#keptMs = nowMs;
    try {
      const saving = this.#store.save(state, nowMs);
      this.#problem = null;
      if (saving) return this.#settle(saving);
    } catch (error) {
      this.#problem = problemOf(error);
    }
    return Promise.resolve();
  }

  async #settle(saving: Promise<void>): Promise<void> {
    this.#underWay += 1;
    try {
      await saving;
    } catch (error) {
      this.#problem = problemOf(error);
    }
    this.#underWay -= 1;
    this.#onSettled();
  }
}

function problemOf(error: unknown): PipelineError {
  if (isPipelineError(error)) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new PipelineError('storage_unavailable', `The state of the gate cannot be kept: ${reason}.`, {
    hint: 'No request is sent meanwhile: a restart would forget the pauses that the source asked for.',
    cause: error,
  });
}
