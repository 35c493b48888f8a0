/** Planning a range of days: which have work, which do not, and why. Plain code; `planRange` is its activity. */
import { limitDays } from '../../core/backfill/decide.ts';
import type { PlanRequest, PlanResult, SkipCounts } from '../../core/backfill/types.ts';
import type { Day } from '../../core/time/day.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import { releaseDownload } from '../release-download.ts';
import { refuseOwnedPaths } from './path-ownership.ts';
import { surveyDays } from './survey.ts';
import type { PlanLog, SurveyDependencies, SurveyedDay } from './survey.ts';

export interface PlanDependencies extends SurveyDependencies {
  readonly ledger: Ledger;
}

/** A plan in which nothing is left out, in the order in which days are done: what a dry run prints (TEL-27). */
export interface PlanPreview {
  readonly days: readonly SurveyedDay[];
  /** Whether `limitDays` cut the plan short. */
  readonly limited: boolean;
}

/**
 * Finds the days of the request that have work. Heals and notes what it meets: files without a record, changed times, days
 * without input (TEL-19), day files that `--keep-downloads` lets go. Idempotent.
 *
 * @throws PipelineError `path_owned` when a day's file belongs to another product; no day is begun then
 */
export async function planDays(deps: PlanDependencies, request: PlanRequest): Promise<PlanResult> {
  const { days, limited } = await plan(deps, request, false);
  for (const { day, process, skip, reason, path } of days) {
    if (process === 'skip_no_input') await deps.ledger.recordNoInput(request.runId, request.product, day);
    if (skip !== null) logSkip(deps.log, { day, skip, reason, ...(path !== null && { path }) });
  }
  if (request.options.keepDownloads !== undefined) await releaseDone(deps, request, days);
  return {
    days: days
      .filter(({ skip }) => skip === null)
      .map(({ day, stages, reason, recheck }) => ({ day, stages, reason, ...(recheck && { recheck }) })),
    skipped: countSkips(days),
    limited,
  };
}

/**
 * The same plan without any effect: no row, no file, no adoption; works without a ledger.
 *
 * @throws PipelineError `path_owned` as `planDays`
 */
export function previewDays(deps: SurveyDependencies, request: PlanRequest): Promise<PlanPreview> {
  return plan(deps, request, true);
}

async function plan(deps: SurveyDependencies, request: PlanRequest, dryRun: boolean): Promise<PlanPreview> {
  const { product, first, last, options } = request;
  const ascending = await surveyDays(deps, request, dryRun);
  const surveyed = options.newestFirst === true ? ascending.toReversed() : ascending;
  const { kept, limited } = limitDays(surveyed, options.limitDays);
  const others = (await deps.ledger?.artifactsOfOthers(product, first, last)) ?? [];
  refuseOwnedPaths(product, deps.folders, kept, others);
  return { days: kept, limited };
}

/** Days that were done under other options give their files back as well. */
async function releaseDone(
  deps: PlanDependencies,
  { product, first, last, options }: PlanRequest,
  days: readonly SurveyedDay[],
): Promise<void> {
  const done = new Set(days.filter(({ skip }) => skip === 'existing').map(({ day }) => day));
  if (done.size === 0) return;
  for (const facts of await deps.ledger.dayFacts(product, first, last, options.uploadTo)) {
    if (done.has(facts.day)) await releaseDownload(deps, facts, options);
  }
}

function logSkip(log: PlanLog, facts: { day: Day; skip: keyof SkipCounts; reason: string; path?: string }): void {
  log.info(facts, `day skipped: ${facts.reason}`);
}

function countSkips(days: readonly SurveyedDay[]): SkipCounts {
  const count = (reason: keyof SkipCounts): number => days.filter(({ skip }) => skip === reason).length;
  return { existing: count('existing'), noData: count('noData'), failed: count('failed'), noInput: count('noInput') };
}
