/** Tells a range that its days wait for a long pause of the source: the engine knows when they go on, but not why. */
import { Context } from '@temporalio/activity';
import type { Logger } from 'pino';
import type { CooldownNotice } from '../core/backfill/range-cooldown.ts';
import type { Gate } from '../gate/index.ts';

/** A server that does not take the notice in this time has other troubles. */
const PATIENCE_MS = 5_000;

export type TellOfPause = (range: string | undefined, gate: Gate) => Promise<void>;

/** @returns a function to be called when a download ends in a failure; it never throws and tells each range once a pause */
export function createTellOfPause(log: Logger): TellOfPause {
  const told = new Map<string, string>();
  return async (range, gate) => {
    const refusal = gate.refusal();
    const { until, why } = refusal?.context ?? {};
    if (range === undefined || refusal?.kind !== 'rate_limited' || told.get(range) === until) return;
    const notice: CooldownNotice = { until: String(until), why: String(why), waitMs: refusal.retryAfterMs ?? 0 };
    told.set(range, notice.until);
    try {
      const { client } = Context.current();
      await client.withDeadline(Date.now() + PATIENCE_MS, () =>
        client.workflow.getHandle(range).signal('cooldown', notice),
      );
    } catch (error) {
      // The pause is kept all the same; only the range does not show it.
      log.warn({ range, error: String(error) }, 'the range could not be told of the pause');
    }
  };
}
