/**
 * Background jobs, a bounded number at a time.
 */
export class InFlight {
  readonly #limit: number;
  readonly #running = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | undefined;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /**
   * Starts a job as soon as fewer than the limit run; settles when it has started.
   *
   * @throws what an earlier job threw
   */
  async start(job: () => Promise<void>): Promise<void> {
    while (this.#running.size >= this.#limit) await Promise.race(this.#running);
    this.#throwFailure();
    const run = this.#guard(job);
    this.#running.add(run);
    void run.then(() => this.#running.delete(run));
  }

  /**
   * Waits for all jobs.
   *
   * @throws what the first failed job threw
   */
  async drain(): Promise<void> {
    await Promise.all(this.#running);
    this.#throwFailure();
  }

  async #guard(job: () => Promise<void>): Promise<void> {
    try {
      await job();
    } catch (error) {
      this.#failure ??= { error };
    }
  }

  #throwFailure(): void {
    if (this.#failure) throw this.#failure.error;
  }
}
