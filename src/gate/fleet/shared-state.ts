/** One worker's view of the gate's row: what the database last said, and what it has not been told yet. */
import { PipelineError, isPipelineError } from '../../core/errors.ts';
import { mustKeep, shiftTimes } from '../../core/rate/restore.ts';
import type { RateState } from '../../core/rate/restore.ts';
import type { Clock } from '../clock.ts';
import type { FleetRow, FleetStore, Standing, Taken } from './store.ts';

/** The state after something happened; run again when another worker was quicker, so it must be a function of its input. */
export type Change = (state: RateState) => RateState;

export interface SharedStateHooks {
  /** Now, to be told with a statement. */
  readonly standing: () => Standing;
  /** An answer is there; called before the next statement is sent. */
  readonly onAnswer: (taken: Taken) => void;
  /** The database does not answer, or is no good. */
  readonly onProblem: (problem: PipelineError) => void;
  /** Another worker began or ended a pause. */
  readonly onNews: () => void;
  /** The database knows all that this worker knows. */
  readonly onWritten: () => void;
}

const RETRY_MS = 1_000;

export class SharedState {
  readonly #store: FleetStore;
  readonly #clock: Clock;
  readonly #hooks: SharedStateHooks;
  #row: FleetRow;
  /** What the database does not know yet, in order. */
  readonly #changes: Change[] = [];
  #isUrgent = false;
  #problem: PipelineError | null = null;
  #asking: Promise<unknown> = Promise.resolve();
  #writing: Promise<void> = Promise.resolve();
  #stopRetry: (() => void) | null = null;
  #isClosed = false;
  /** The database's clock less ours, by the latest answer: it is between the two. */
  #ahead = { least: 0, most: 0 };

  constructor(store: FleetStore, clock: Clock, first: RateState, hooks: SharedStateHooks) {
    this.#store = store;
    this.#clock = clock;
    this.#hooks = hooks;
    this.#row = { version: -1, state: first };
  }

  /** What the database says, and what it will have been told; times by its clock. */
  get now(): RateState {
    return this.#changes.reduce((state, change) => change(state), this.#row.state);
  }

  /** The same by the clock of this process. */
  get here(): RateState {
    return shiftTimes(this.now, -this.#ahead.least);
  }

  /** Whether something must be in the database before the next request leaves. */
  get isUrgent(): boolean {
    return this.#isUrgent;
  }

  /** Why the database was no help when it was last asked. */
  get problem(): PipelineError | null {
    return this.#problem;
  }

  /** The database's clock: not later, and not earlier, than it is. */
  get leastMs(): number {
    return this.#clock.now() + this.#ahead.least;
  }

  get mostMs(): number {
    return this.#clock.now() + this.#ahead.most;
  }

  /**
   * Asks for permits, or with none wanted for the state alone, one statement after the other.
   *
   * @param wanted - called when the statement is sent
   * @throws PipelineError `ledger_unavailable`, `config_invalid`; told by `onProblem` as well
   */
  ask(wanted: () => number = () => 0): Promise<Taken> {
    const asked = this.#asking.then(async () => {
      const sentMs = this.#clock.now();
      let taken: Taken;
      try {
        taken = await this.#store.take(wanted(), this.#hooks.standing());
      } catch (error) {
        throw this.#failed(error);
      }
      this.#problem = null;
      this.#ahead = { least: taken.nowMs - this.#clock.now(), most: taken.nowMs - sentMs };
      this.#learn(taken);
      this.#hooks.onAnswer(taken);
      return taken;
    });
    this.#asking = asked.catch(() => undefined);
    return asked;
  }

  /**
   * From here on this worker goes by the change; the others when the database has it.
   *
   * @returns the state, when it must be there before the next request leaves; else null
   */
  change(change: Change): RateState | null {
    const before = this.now;
    const after = change(before);
    if (JSON.stringify(after) === JSON.stringify(before)) return null;
    this.#changes.push(change);
    const isUrgent = mustKeep(before, after);
    this.#isUrgent ||= isUrgent;
    void this.write();
    return isUrgent ? after : null;
  }

  /** Puts all changes into the database. Never rejects: what fails is the `problem`, and tried again a second later. */
  write(): Promise<void> {
    this.#writing = this.#writing.then(() => (this.#stopRetry ? undefined : this.#writeAll()));
    return this.#writing;
  }

  /** Nothing is tried again any more. */
  close(): void {
    this.#isClosed = true;
    this.#stopRetry?.();
    this.#stopRetry = null;
  }

  async #writeAll(): Promise<void> {
    if (this.#changes.length === 0) return;
    try {
      while (this.#changes.length > 0) {
        const count = this.#changes.length;
        const row = await this.#store.change(this.#row.version, this.now);
        // Null: another worker was quicker. What was changed here is then done to what it left.
        if (row === null) await this.ask();
        else {
          this.#changes.splice(0, count);
          this.#learn(row);
        }
      }
    } catch (error) {
      this.#failed(error);
      if (this.#isClosed) return;
      this.#stopRetry = this.#clock.after(RETRY_MS, () => {
        this.#stopRetry = null;
        void this.write();
      });
      return;
    }
    this.#problem = null;
    this.#isUrgent = false;
    this.#hooks.onWritten();
  }

  #learn({ version, state }: FleetRow): void {
    if (version <= this.#row.version) return;
    const isNews = mustKeep(this.#row.state, state) && this.#changes.length === 0;
    this.#row = { version, state };
    if (isNews) this.#hooks.onNews();
  }

  #failed(error: unknown): PipelineError {
    const problem = isPipelineError(error) ? error : new PipelineError('ledger_unavailable', String(error));
    this.#problem = problem;
    this.#hooks.onProblem(problem);
    return problem;
  }
}
