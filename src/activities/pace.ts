import type { Stage } from '../core/backfill/types.ts';
import { createSlowDownWatch } from '../core/report/slow-down.ts';
import type { SlowDownWatch } from '../core/report/slow-down.ts';
import type { ActivityDependencies } from './dependencies.ts';
import type { DayAttempt, StageResult } from './types.ts';

/** Runs whose pace is remembered; older ones are forgotten. */
const MOST_RUNS = 32;

/** Takes the time that a stage of a day took. */
export type TellOfPace = (stage: Stage, attempt: DayAttempt, result: StageResult) => void;

/** Warns once when the days of a run become much slower than its first ones, stage by stage. */
export function createTellOfPace({ log }: Pick<ActivityDependencies, 'log'>): TellOfPace {
  const watches = new Map<string, SlowDownWatch>();
  return (stage, { input }, { seconds, outcome }) => {
    // Days that were only looked at say nothing of the pace.
    if (outcome === 'unchanged' || outcome === 'no_data') return;
    const key = `${input.runId} ${stage}`;
    const watch = watches.get(key) ?? createSlowDownWatch();
    watches.delete(key);
    watches.set(key, watch);
    for (const oldest of watches.keys()) {
      if (watches.size <= MOST_RUNS) break;
      watches.delete(oldest);
    }
    const slow = watch.add(seconds);
    if (slow === null) return;
    const [first, latest] = [slow.firstSeconds.toFixed(1), slow.latestSeconds.toFixed(1)];
    log.warn(
      { stage, day: input.day, ...slow },
      `the latest days take ${latest} s for their ${stage}, the first ones took ${first} s: more than twice as long`,
    );
  };
}
