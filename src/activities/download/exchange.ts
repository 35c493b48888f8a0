/** One request under a permit of the gate, whatever is asked. */
import type { Gate, Permit } from '../../gate/index.ts';
import type { AnswerHeader, CountAnswer, SliceAnswer, SliceFailure } from '../../sources/udl/index.ts';
import { HeldBack } from '../../sources/udl/index.ts';

export interface ExchangeHooks {
  readonly signal: AbortSignal | undefined;
  /** A request has ended, well or not. */
  readonly onRequest: () => void;
}

type Send<A> = (hooks: { signal?: AbortSignal; onHeader: (header: AnswerHeader) => void }) => Promise<A>;

/**
 * Sends one request, and waits for another permit when a pause began before it left. No permit is held when this returns.
 *
 * @param acquire - waits for a permit
 * @param permit - the first one, when it is there already
 */
export async function exchange<A extends SliceAnswer | CountAnswer>(
  acquire: () => ReturnType<Gate['acquire']>,
  { signal, onRequest }: ExchangeHooks,
  send: Send<A>,
  permit?: Permit,
): Promise<A> {
  for (let own = permit ?? (await acquire()); ; own = await acquire()) {
    const onHeader = (header: AnswerHeader): void => reportHeader(own, header);
    try {
      const answer = await send(signal ? { signal, onHeader } : { onHeader });
      onRequest();
      giveBack(own, answer);
      return answer;
    } catch (error) {
      const isUnsent = error instanceof HeldBack;
      own.release({ kind: isUnsent ? 'unsent' : 'cancelled' });
      if (isUnsent) continue;
      onRequest();
      throw error;
    }
  }
}

function giveBack(permit: Permit, answer: SliceAnswer | CountAnswer): void {
  if (answer.kind === 'cancelled') permit.release({ kind: 'cancelled' });
  else if (answer.kind === 'failed') release(permit, answer.failure, answer.httpStatus);
  else permit.release({ kind: 'success' });
}

/** Tells the gate what must stop requests, before the body is read. */
function reportHeader(permit: Permit, { status, retryAfter, date }: AnswerHeader): void {
  if (status === 429) permit.report429({ retryAfter, date });
  if (status === 401 || status === 403) permit.release({ kind: 'auth_rejected', status });
}

/** Gives a permit back after an answer that is none. */
function release(permit: Permit, { kind, retryAfter, date }: SliceFailure, httpStatus: number | null): void {
  const headers = { retryAfter, date };
  if (kind === 'rate_limited') permit.release({ kind, headers });
  else if (kind === 'auth_rejected') permit.release({ kind, status: httpStatus ?? 401 });
  else {
    const penalty = kind === 'timeout' || kind === 'connection_failed' || httpStatus === 503;
    permit.release({ kind: 'failure', penalty, headers: retryAfter === null ? null : headers });
  }
}
