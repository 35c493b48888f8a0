/** What a command would do and cost, before and while it does it (SAFE-14). Reads only. */
import { randomUUID } from 'node:crypto';
import pino from 'pino';
import { previewDays } from '../../activities/plan/plan-days.ts';
import type { PlanPreview } from '../../activities/plan/plan-days.ts';
import type { RangeProgress } from '../../core/backfill/range-progress.ts';
import type { RunOptions, Stage } from '../../core/backfill/types.ts';
import { expectedRecords, productSlug } from '../../core/product.ts';
import type { Product } from '../../core/product.ts';
import { estimateWork } from '../../core/report/work-estimate.ts';
import type { PlannedWork, WorkEstimate } from '../../core/report/work-estimate.ts';
import { dayOfMs } from '../../core/time/day.ts';
import type { Day } from '../../core/time/day.ts';
import { openLedgerIfAny } from '../../ledger/index.ts';
import type { DayLine } from '../../ledger/reports.ts';
import type { LocatedWorkspace } from '../../storage/workspace.ts';
import { createLogger } from './context.ts';
import type { CliContext } from './context.ts';
import { formatBytes, formatCount, formatSeconds } from './format.ts';

/** Bytes of CSV or JSON per nominal record, and of a product per nominal record (a full day: 573 MB and 42 MB). */
const ARTIFACT_BYTES_PER_RECORD = 540;
const PRODUCT_BYTES_PER_RECORD = 40;

/** Days that an estimate is learnt from. */
const HISTORY_DAYS = 60;

/** From so many days on, a run of what nobody has done here before does one of them alone first. */
export const LARGE_RANGE_DAYS = 10;

export interface PlannedCommand {
  readonly product: Product;
  readonly first: Day;
  readonly last: Day;
  readonly options: RunOptions;
  readonly concurrency: number;
  readonly output: { readonly verbose: number };
}

/** By the nominal size of days, whatever was done before. */
export interface NominalCost {
  readonly requests: number;
  /** Counted as full-size days: what a run asks to be free. */
  readonly bytes: number;
  readonly downloads: number;
  readonly builds: number;
}

export interface Outlook {
  readonly plan: PlanPreview;
  /** Days that have work. */
  readonly workDays: number;
  readonly nominal: NominalCost;
  readonly work: PlannedWork;
  /** By the latest days of the product; null when not every stage of the plan was done here before. */
  readonly fromHistory: WorkEstimate | null;
}

/** @param write - gets the log of planning, with -v */
export async function lookAhead(
  { environment }: Pick<CliContext, 'environment'>,
  located: LocatedWorkspace,
  command: PlannedCommand,
  write: (line: string) => void,
): Promise<Outlook> {
  const ledger = await openLedgerIfAny(located, { url: environment.ledgerUrl });
  try {
    const { product, first, last, options, concurrency } = command;
    const { verbose } = command.output;
    const log = verbose > 0 ? createLogger(verbose, false, write) : pino({ enabled: false });
    const request = { runId: randomUUID(), product: productSlug(product), first, last, options };
    const today = (): string => dayOfMs(Date.now());
    const plan = await previewDays({ ledger, folders: located, today, log }, request);
    const lines = (await ledger?.dayLines({ product: request.product })) ?? [];
    const known = lines.filter((line) => line.downloadSeconds !== null || line.buildSeconds !== null);
    const history = known.slice(-HISTORY_DAYS);
    const nominal = nominalCost(command, plan);
    const work = workOf(plan, concurrency);
    const workDays = plan.days.filter(({ skip }) => skip === null).length;
    return { plan, workDays, nominal, work, fromHistory: estimateWork(work, history) };
  } finally {
    await ledger?.close();
  }
}

/** Days that are only looked at again cost a request each, and are none: what may follow from it nobody knows before. */
function workOf({ days }: PlanPreview, concurrency: number): PlannedWork {
  const needed = days.map(({ stages, recheck }) => recheck?.anyway ?? stages);
  const count = (stage: Stage): number => needed.filter((stages) => stages.includes(stage)).length;
  return { downloads: count('download'), builds: count('build'), uploads: count('upload'), concurrency };
}

function nominalCost({ product, options, concurrency }: PlannedCommand, plan: PlanPreview): NominalCost {
  const records = expectedRecords(product);
  const downloads = plan.days.filter(({ stages }) => stages.includes('download')).length;
  const builds = plan.days.filter(({ stages }) => stages.includes('build')).length;
  // Slices of days under way stand beside the artifact until it is whole.
  const underWay = Math.min(downloads, concurrency);
  const kept = options.keepDownloads === undefined ? downloads : underWay;
  const bytes = records * ((kept + underWay) * ARTIFACT_BYTES_PER_RECORD + builds * PRODUCT_BYTES_PER_RECORD);
  // Each day is compared with the source's own count; one that is only looked at again costs nothing else.
  const again = plan.days.filter(({ download }) => download === 'recheck').length;
  const requests = downloads + (downloads - again) * (product.sensor === 'ALL' ? 288 : 4);
  return { requests, bytes, downloads, builds };
}

/** @param free - bytes of the disk that are free */
export function outlookLines({ workDays, nominal, work, fromHistory }: Outlook, free: number): string[] {
  if (workDays === 0) return [`nothing to do; ${formatBytes(free)} free`];
  const room = `about ${formatCount(nominal.requests)} requests; ${formatBytes(nominal.bytes)} of disk if all days have full size, ${formatBytes(free)} free`;
  if (fromHistory !== null) return [room, historyLine(fromHistory)];
  if (work.downloads + work.builds + work.uploads === 0) return [room];
  const how =
    workDays >= LARGE_RANGE_DAYS
      ? 'run does one day alone first and then tells'
      : '--measure-first of run does one day alone and then tells';
  return [room, `no estimate of the time: not every stage was done here before; ${how}`];
}

function historyLine({ knownDays, seconds, bytes }: WorkEstimate): string {
  return (
    `by the latest ${knownDays} days of this product: ${formatSeconds(seconds.median)} and ${formatBytes(bytes.median)}; ` +
    `nine of ten such days stay within ${formatSeconds(seconds.upper)} and ${formatBytes(bytes.upper)}`
  );
}

/** What the first day of a run, done alone, says of those that are left. */
export interface FirstDayEstimate {
  readonly day: Day;
  readonly daysLeft: number;
  readonly estimate: WorkEstimate;
}

/**
 * Watches for the first day that is done: it was the only one under way until then, as long as none failed.
 *
 * @param dayLines - days as the ledger has them
 * @param tell - told at most once
 * @returns hands on what is seen of the range
 */
export function watchFirstDay(
  { plan, work, workDays }: Outlook,
  dayLines: (first: Day, last: Day) => Promise<readonly DayLine[]>,
  tell: (first: FirstDayEstimate) => void,
): (progress: Pick<RangeProgress, 'first' | 'last' | 'failedDays' | 'totals'>) => Promise<void> {
  let isOver = false;
  return async ({ first, last, failedDays, totals }) => {
    if (isOver || totals.done + failedDays === 0) return;
    isOver = true;
    if (failedDays > 0) return;
    const lines = new Map((await dayLines(first, last)).map((line) => [line.day, line]));
    // They are done in the order of the plan, and days without data measure nothing.
    const line = plan.days
      .filter(({ skip }) => skip === null)
      .map(({ day }) => lines.get(day))
      .find((each) => each !== undefined && each.download !== 'SKIPPED_NO_DATA');
    const left = (days: number): number => Math.max(0, days - 1);
    const others = { downloads: left(work.downloads), builds: left(work.builds), uploads: left(work.uploads) };
    const estimate = line && estimateWork({ ...work, ...others, knownAlone: true }, [line]);
    if (line && estimate) tell({ day: line.day, daysLeft: left(workDays), estimate });
  };
}

export function firstDayLine({ day, daysLeft, estimate }: FirstDayEstimate): string {
  const { seconds, bytes } = estimate;
  return `By ${day}, which was done alone: the other ${daysLeft} days take about ${formatSeconds(seconds.median)} and ${formatBytes(bytes.median)} of disk.`;
}
