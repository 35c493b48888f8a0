/** Counts what the gate let through: the receipt of politeness, of the gate and of each run. */
import type { GateRun, GateStats, Receipts, RunReceipt } from './types.ts';

const SECOND_MS = 1_000;
/** Older runs are forgotten. */
const MOST_RUNS = 50;

const NOTHING: GateStats = { requests: 0, rateLimited: 0, secondsWaited: 0, worstSecond: 0 };

/** Goes on from what an earlier process counted. */
export class Receipt {
  #requests: number;
  #rateLimited: number;
  #heldBackMs: number;
  #heldSinceMs: number | null = null;
  /** Until when those who were sent away wait elsewhere. */
  #awayUntilMs = -Infinity;
  /** Without the last second. */
  #worstSecond: number;
  /** Permits of the last second, ascending, each with how many there were in the second that it ended. */
  #recent: { readonly at: number; count: number }[] = [];

  constructor({ requests, rateLimited, secondsWaited, worstSecond }: GateStats = NOTHING) {
    this.#requests = requests;
    this.#rateLimited = rateLimited;
    this.#heldBackMs = secondsWaited * SECOND_MS;
    this.#worstSecond = worstSecond;
  }

  /** @param inSecond - permits of all hosts within the last second, where several share the gate */
  permit(nowMs: number, inSecond = 0): void {
    this.#requests += 1;
    this.#forget(nowMs);
    this.#recent.push({ at: nowMs, count: Math.max(this.#recent.length + 1, inSecond) });
  }

  /** The permit of that instant was not used. */
  unsent(atMs: number, nowMs: number): void {
    this.#requests -= 1;
    this.#forget(nowMs);
    const index = this.#recent.findIndex(({ at }) => at === atMs);
    if (index === -1) return;
    this.#recent.splice(index, 1);
    for (const later of this.#recent.slice(index)) later.count -= 1;
  }

  #forget(nowMs: number): void {
    const from = this.#recent.findIndex(({ at }) => at > nowMs - SECOND_MS);
    const old = this.#recent.splice(0, from === -1 ? this.#recent.length : from);
    this.#worstSecond = Math.max(this.#worstSecond, ...old.map(({ count }) => count));
  }

  rateLimited(): void {
    this.#rateLimited += 1;
  }

  /** Whether, from now on, a request is held back by the pace or a cooldown. */
  heldBack(held: boolean, nowMs: number): void {
    this.#heldBackMs += this.#heldMs(nowMs);
    this.#heldSinceMs = held || this.#awayUntilMs > nowMs ? nowMs : null;
    // Those who wait here are seen to the end; those who were sent away, to the hour they were told.
    if (held) this.#awayUntilMs = -Infinity;
  }

  /** Requests were sent away until then, and count as held back meanwhile. */
  sentAway(untilMs: number, nowMs: number): void {
    this.#heldBackMs += this.#heldMs(nowMs);
    this.#heldSinceMs = nowMs;
    this.#awayUntilMs = untilMs;
  }

  stats(nowMs: number): GateStats {
    return {
      requests: this.#requests,
      rateLimited: this.#rateLimited,
      secondsWaited: Math.round(this.#heldBackMs + this.#heldMs(nowMs)) / SECOND_MS,
      worstSecond: Math.max(this.#worstSecond, ...this.#recent.map(({ count }) => count)),
    };
  }

  #heldMs(nowMs: number): number {
    if (this.#heldSinceMs === null) return 0;
    const endMs = this.#awayUntilMs > this.#heldSinceMs ? Math.min(nowMs, this.#awayUntilMs) : nowMs;
    return Math.max(0, endMs - this.#heldSinceMs);
  }
}

interface RunCount {
  readonly run: GateRun;
  readonly receipt: Receipt;
  lastMs: number;
}

/** The gate's own receipt and those of the latest runs. */
export class ReceiptBook {
  #total = new Receipt();
  /** Runs of earlier processes that have not asked again, by id. */
  #former = new Map<string, RunReceipt>();
  readonly #runs = new Map<string, RunCount>();

  takeUp({ total, runs }: Receipts): void {
    this.#total = new Receipt(total);
    this.#former = new Map(runs.map((receipt) => [receipt.runId, receipt]));
  }

  permit(run: GateRun | null, nowMs: number, inSecond = 0): void {
    this.#total.permit(nowMs, inSecond);
    if (!run) return;
    const count = this.#of(run, nowMs);
    count.receipt.permit(nowMs, inSecond);
    count.lastMs = nowMs;
  }

  unsent(run: GateRun | null, atMs: number, nowMs: number): void {
    this.#total.unsent(atMs, nowMs);
    if (run) this.#of(run, nowMs).receipt.unsent(atMs, nowMs);
  }

  rateLimited(run: GateRun | null, nowMs: number): void {
    this.#total.rateLimited();
    if (run) this.#of(run, nowMs).receipt.rateLimited();
  }

  /** @param waiting - runs with a request held back from now on; null without a run */
  heldBack(waiting: readonly (GateRun | null)[], nowMs: number): void {
    this.#total.heldBack(waiting.length > 0, nowMs);
    for (const run of waiting) if (run) this.#of(run, nowMs);
    for (const [runId, { receipt }] of this.#runs) {
      receipt.heldBack(
        waiting.some((run) => run?.runId === runId),
        nowMs,
      );
    }
  }

  sentAway(run: GateRun | null, untilMs: number, nowMs: number): void {
    this.#total.sentAway(untilMs, nowMs);
    if (run) this.#of(run, nowMs).receipt.sentAway(untilMs, nowMs);
  }

  stats(nowMs: number, run: GateRun | null = null): GateStats {
    return run ? this.#of(run, nowMs).receipt.stats(nowMs) : this.#total.stats(nowMs);
  }

  receipts(nowMs: number): Receipts {
    const runs = [...this.#runs.values()].map(({ run, receipt, lastMs }) => ({
      ...run,
      ...receipt.stats(nowMs),
      lastMs,
    }));
    return { total: this.#total.stats(nowMs), runs: [...this.#former.values(), ...runs].slice(-MOST_RUNS) };
  }

  #of(run: GateRun, nowMs: number): RunCount {
    const known = this.#runs.get(run.runId);
    if (known) return known;
    const former = this.#former.get(run.runId);
    this.#former.delete(run.runId);
    const count = { run, receipt: new Receipt(former), lastMs: former?.lastMs ?? nowMs };
    this.#runs.set(run.runId, count);
    return count;
  }
}
