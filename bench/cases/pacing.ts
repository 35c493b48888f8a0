import { figure } from '../support/figures.ts';
import type { Figure } from '../support/figures.ts';
import type { Ground } from '../support/ground.ts';
import { runDays } from './day.ts';

/** The program's defaults: 5 requests a second at the start, one more after each success, 25 at most. */
const FIRST_RATE = 5;
const MOST_RATE = 25;
/** At least 90 % of what the pacing allows. */
const GOAL = 1 / 0.9;

/** Full-size days at the default pacing: the source is the bottleneck as long as building overlaps the next day's download. */
export async function benchPacing(ground: Ground): Promise<Figure[]> {
  const { requests, requestsS, workS, usage } = await runDays(ground, []);
  const days = ground.days.length;
  const beside = { what: 'what the pacing allows', value: allowedS(requests) / days };
  return [
    figure('pacing', `requests of a day, ${days} day(s)`, requestsS / days, 's', { beside, goal: GOAL }),
    figure('pacing', 'first request to last delivery, per day', workS / days, 's', { beside }),
    figure('pacing', 'CPU per day, without the Temporal server', usage.cpuS / days, 's'),
    figure('pacing', 'peak RSS of the worker process', usage.rootPeakMiB, 'MiB'),
  ];
}

/** Seconds from the first request to the last one when each leaves at its earliest. */
function allowedS(requests: number): number {
  let seconds = 0;
  for (let request = 1; request < requests; request += 1) seconds += 1 / Math.min(FIRST_RATE + request, MOST_RATE);
  return seconds;
}
