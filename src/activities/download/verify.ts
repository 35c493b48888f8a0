/** A day's records against the source's own count: what follows when they differ, and when the source does not say. */
import { PipelineError } from '../../core/errors.ts';
import { backoffMs } from '../../core/rate/breaker.ts';
import type { SourceCheck } from '../../core/records/source-check.ts';
import { reconcile } from './reconcile.ts';
import type { KnownSlice, ReconcileHooks } from './reconcile.ts';
import { NoNumber, Unanswered, Uncountable } from './source-questions.ts';
import type { DownloadDependencies, DownloadRequest } from './types.ts';

/** Answers that the source may owe us for one day before the day goes on without; as many as a slice has. */
const MOST_UNANSWERED = 6;
/** Fewer of answers that are no number: a page may stand in for one that will come, or for all of them. */
const MOST_WITHOUT_NUMBER = 3;
/** So long a source that rejects the question is not asked: what it does not offer today may be there tomorrow. */
const REFUSAL_STAYS_MS = 24 * 3_600_000;

/** Days in a row whose difference no slice explained: of a source that counts so, days that were just fetched are compared only. */
const MOST_IN_VAIN = 3;

/** What this process knows of a source beside its data; a new process asks anew. */
interface Habits {
  /** Why it cannot count, and when it said so (POSIX milliseconds); null while that is not known. */
  uncountable: { readonly why: string; readonly saidMs: number } | null;
  /** A day has gone on without an answer since the last one that came: the next days do not insist. */
  silent: boolean;
  /** Days in a row that differed, and were searched for nothing. */
  inVain: number;
  /** Answers that it owes, by product and day. */
  readonly unanswered: Map<string, number>;
}

const habitsOf = new WeakMap<DownloadDependencies['source'], Habits>();

export interface Verified {
  readonly check: SourceCheck;
  /** How many times a slice was fetched again. */
  readonly fetched: number;
}

/**
 * Compares, and fetches what differs. A source that does not count leaves the day `uncounted`; one that goes on counting
 * otherwise leaves it `differs`.
 *
 * @param known - ascending, of the whole day
 * @param isFresh - whether it was fetched a moment ago: then a source that is known to count wrongly is not searched again
 * @throws PipelineError `source_unavailable` when the source owes an answer and may be asked again; what the gate throws
 */
export async function verify(
  deps: DownloadDependencies,
  { product, day }: Pick<DownloadRequest, 'product' | 'day'>,
  known: readonly KnownSlice[],
  { count, fetch }: ReconcileHooks,
  isFresh: boolean,
): Promise<Verified> {
  const habits = habitsAt(deps.source);
  const key = `${product} ${day}`;
  let counted: number | null = null;
  let latest = new Map(known.map((each) => [each.slice.startMs, each]));
  let fetched = 0;
  let found = false;
  const kept = (): number => [...latest.values()].reduce((sum, { records }) => sum + records, 0);
  const end = (state: SourceCheck['state'], reason: string | null): Verified => {
    habits.unanswered.delete(key);
    const at = new Date().toISOString();
    return { check: { state, kept: kept(), counted, reason, checkedAt: at, askedAt: at }, fetched };
  };
  if (habits.uncountable !== null && Date.now() - habits.uncountable.saidMs < REFUSAL_STAYS_MS) {
    return end('uncounted', habits.uncountable.why);
  }
  try {
    const result = await reconcile(
      known,
      {
        count: async (range) => {
          const records = await count(range);
          habits.silent = false;
          // Of the first question, which is about the whole day.
          counted ??= records - known.at(-1)!.outside;
          return records;
        },
        fetch: async (slice) => {
          const again = await fetch(slice);
          fetched += 1;
          found ||= again.records !== latest.get(slice.startMs)?.records;
          latest = latest.set(slice.startMs, again);
          return again;
        },
      },
      deps.gate.config.maxConcurrentRequests,
      !isFresh || habits.inVain < MOST_IN_VAIN,
    );
    ({ counted } = result);
    habits.inVain = result.counted === result.kept || found ? 0 : habits.inVain + 1;
    return result.counted === result.kept ? end('verified', null) : end('differs', difference(result));
  } catch (error) {
    if (error instanceof Uncountable) {
      if (counted !== null) return end('differs', `${difference({ counted, kept: kept() })}; ${error.message}`);
      habits.uncountable = { why: error.message, saidMs: Date.now() };
      return end('uncounted', error.message);
    }
    if (!(error instanceof Unanswered)) throw error;
    const unanswered = (habits.unanswered.get(key) ?? 0) + 1;
    habits.unanswered.set(key, unanswered);
    const most = error instanceof NoNumber ? MOST_WITHOUT_NUMBER : MOST_UNANSWERED;
    if (unanswered < most && !habits.silent) throw askAgain(deps, error.message, unanswered);
    habits.silent = true;
    if (counted === null) return end('uncounted', error.message);
    return end('differs', `${difference({ counted, kept: kept() })}; ${error.message}`);
  }
}

/** `the source counts 110 records of the day, 100 are kept: 10 are missing` */
function difference({ counted, kept }: { readonly counted: number; readonly kept: number }): string {
  const how = counted > kept ? `${counted - kept} are missing` : `${kept - counted} are more than it counts`;
  return `the source counts ${counted} records of the day, ${kept} are kept: ${how}`;
}

function askAgain({ gate }: DownloadDependencies, detail: string, unanswered: number): PipelineError {
  return new PipelineError('source_unavailable', `The day could not be compared with the source's count: ${detail}`, {
    retryAfterMs: Math.ceil(backoffMs(gate.config.passWaitMs, unanswered, Math.random())),
    hint: 'Nothing to do: the next pass asks for the count alone; the day goes on without it when the source stays silent.',
  });
}

function habitsAt(source: DownloadDependencies['source']): Habits {
  const known = habitsOf.get(source) ?? { uncountable: null, silent: false, inVain: 0, unanswered: new Map() };
  habitsOf.set(source, known);
  return known;
}
