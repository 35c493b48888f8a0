/** Sees a source from its client's side: which requests begin although a pause that the source asked for is known. */
import { parseRetryAfter } from '../../../src/core/rate/retry-after.ts';
import { dayOfMs } from '../../../src/core/time/day.ts';
import type { Day } from '../../../src/core/time/day.ts';
import { HeldBack } from '../../../src/sources/udl/index.ts';
import type { SliceQuery, UdlSource } from '../../../src/sources/udl/index.ts';
import type { FetchHooks } from '../../../src/sources/udl/source.ts';

/** By order, not by time: no load of the machine makes a request late here. */
export interface Witness {
  readonly source: UdlSource;
  /** The days of the requests that began inside a pause, one entry a request. */
  readonly begunInPause: readonly Day[];
}

export function watchPauses(inner: UdlSource): Witness {
  const begunInPause: Day[] = [];
  let pausedUntilMs = 0;

  function hooksOf(hooks: FetchHooks = {}): FetchHooks {
    return {
      ...hooks,
      onHeader: (header) => {
        const pauseMs = header.status === 429 ? parseRetryAfter(header.retryAfter, header.date, Date.now()) : null;
        if (pauseMs !== null) pausedUntilMs = Math.max(pausedUntilMs, Date.now() + pauseMs);
        hooks.onHeader?.(header);
      },
    };
  }

  async function watch<A>(query: SliceQuery, send: () => Promise<A>): Promise<A> {
    const inPause = Date.now() < pausedUntilMs;
    try {
      const answer = await send();
      if (inPause) begunInPause.push(dayOfMs(query.slice.startMs));
      return answer;
    } catch (error) {
      if (inPause && !(error instanceof HeldBack)) begunInPause.push(dayOfMs(query.slice.startMs));
      throw error;
    }
  }

  const source: UdlSource = {
    host: inner.host,
    fetchSlice: (query, hooks) => watch(query, () => inner.fetchSlice(query, hooksOf(hooks))),
    fetchCount: (query, hooks) => watch(query, () => inner.fetchCount(query, hooksOf(hooks))),
    recycle: (block) => inner.recycle(block),
    silentMs: () => inner.silentMs(),
    close: () => inner.close(),
  };
  return { source, begunInPause };
}
