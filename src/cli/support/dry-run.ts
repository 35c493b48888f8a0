/** Looking before running: the plan without a trace, and whether the disk has room for it. */
import { randomUUID } from 'node:crypto';
import pino from 'pino';
import { previewDays } from '../../activities/plan/plan-days.ts';
import type { PlanPreview } from '../../activities/plan/plan-days.ts';
import { expectedRecords, productSlug } from '../../core/product.ts';
import { estimateWork } from '../../core/report/work-estimate.ts';
import type { WorkEstimate } from '../../core/report/work-estimate.ts';
import { dayOfMs } from '../../core/time/day.ts';
import { openLedgerIfAny } from '../../ledger/index.ts';
import type { DayLine } from '../../ledger/reports.ts';
import { freeBytes, requireFreeSpace } from '../../storage/disk-space.ts';
import { locateWorkspace } from '../../storage/workspace.ts';
import type { LocatedWorkspace } from '../../storage/workspace.ts';
import type { BackfillCommand } from './backfill.ts';
import { createLogger } from './context.ts';
import type { CliContext } from './context.ts';
import { EXIT } from './exit-codes.ts';
import type { ExitCode } from './exit-codes.ts';
import { formatBytes, formatCount, formatSeconds } from './format.ts';

/** Bytes of CSV or JSON per nominal record, and of a product per nominal record (a full day: 573 MB and 42 MB). */
const ARTIFACT_BYTES_PER_RECORD = 540;
const PRODUCT_BYTES_PER_RECORD = 40;

/** Days that an estimate is learnt from. */
const HISTORY_DAYS = 60;

type Planned = Pick<BackfillCommand, 'product' | 'first' | 'last' | 'options' | 'concurrency' | 'output'>;

interface Estimate {
  readonly requests: number;
  /** Counted as full-size days: what a run asks to be free. */
  readonly bytes: number;
  readonly downloads: number;
  readonly builds: number;
}

/**
 * Prints the plan; no network, no token, no row, no file (CLI-13, TEL-27).
 *
 * @param mark - begins every line for people
 */
export async function dryRun(context: CliContext, command: BackfillCommand, mark = '[dry-run] '): Promise<ExitCode> {
  const located = await locateWorkspace(command.workspace);
  const { plan, history } = await preview(context.environment, located, command, {
    write: context.remark,
    learns: true,
  });
  const estimate = estimateOf(command, plan);
  const uploads = plan.days.filter(({ stages }) => stages.includes('upload')).length;
  const fromHistory = estimateWork({ ...estimate, uploads, concurrency: command.concurrency }, history);
  const free = await freeBytes(located.downloads);
  if (command.output.json === true) {
    context.print(JSON.stringify({ type: 'plan', ...plan, estimate, fromHistory, freeBytes: free }));
    return EXIT.ok;
  }
  for (const { day, download, process, priorStatus, reason, path } of plan.days) {
    const actions = [download, process].filter((action) => action !== null).join('+');
    const where = path === null ? '' : ` ${path}`;
    context.print(`${mark}${day} action=${actions} prior_status=${priorStatus ?? 'none'} (${reason})${where}`);
  }
  const skipped = (reason: string): number => plan.days.filter(({ skip }) => skip === reason).length;
  const work = plan.days.filter(({ skip }) => skip === null).length;
  context.print(
    `${mark}planned=${plan.days.length} with_work=${work} skipped_existing=${skipped('existing')} ` +
      `skipped_no_data=${skipped('noData')} skipped_failed=${skipped('failed')} skipped_no_input=${skipped('noInput')}`,
  );
  for (const line of estimateLines(estimate, fromHistory, free, work)) context.print(`${mark}${line}`);
  return EXIT.ok;
}

function estimateLines(
  { requests, bytes }: Estimate,
  fromHistory: WorkEstimate | null,
  free: number,
  work: number,
): string[] {
  if (work === 0) return [`nothing to do; ${formatBytes(free)} free`];
  const room = `about ${formatCount(requests)} requests; ${formatBytes(bytes)} of disk if all days have full size, ${formatBytes(free)} free`;
  if (fromHistory === null) {
    return [
      room,
      'no estimate of the time: not every stage was done here before; --limit-days 1 of run measures one day',
    ];
  }
  const { knownDays, seconds, bytes: likely } = fromHistory;
  return [
    room,
    `by the latest ${knownDays} days of this product: ${formatSeconds(seconds.median)} and ${formatBytes(likely.median)}; ` +
      `nine of ten such days stay within ${formatSeconds(seconds.upper)} and ${formatBytes(likely.upper)}`,
  ];
}

/**
 * Refuses a run that the disk cannot hold.
 *
 * @throws PipelineError `config_invalid` with what is needed and what is free
 */
export async function requireRoom(
  { environment }: CliContext,
  located: LocatedWorkspace,
  command: BackfillCommand,
): Promise<void> {
  const { plan } = await preview(environment, located, command, { write: () => undefined, learns: false });
  const { bytes, downloads, builds } = estimateOf(command, plan);
  if (bytes === 0) return;
  await requireFreeSpace(
    located.downloads,
    bytes,
    `${downloads} days to download and ${builds} to build, counted as full-size days of ${command.product.sensor}`,
  );
}

async function preview(
  { ledgerUrl }: Pick<CliContext['environment'], 'ledgerUrl'>,
  located: LocatedWorkspace,
  command: Planned,
  { write, learns }: { readonly write: (line: string) => void; readonly learns: boolean },
): Promise<{ plan: PlanPreview; history: DayLine[] }> {
  const ledger = await openLedgerIfAny(located, { url: ledgerUrl });
  try {
    const { verbose } = command.output;
    const log = verbose > 0 ? createLogger(verbose, false, write) : pino({ enabled: false });
    const { product, first, last, options } = command;
    const request = { runId: randomUUID(), product: productSlug(product), first, last, options };
    const today = (): string => dayOfMs(Date.now());
    const plan = await previewDays({ ledger, folders: located, today, log }, request);
    if (!learns) return { plan, history: [] };
    const lines = (await ledger?.dayLines({ product: request.product })) ?? [];
    return { plan, history: lines.filter((line) => line.downloadSeconds !== null).slice(-HISTORY_DAYS) };
  } finally {
    await ledger?.close();
  }
}

function estimateOf(command: Planned, plan: PlanPreview): Estimate {
  const records = expectedRecords(command.product);
  const downloads = plan.days.filter(({ stages }) => stages.includes('download')).length;
  const builds = plan.days.filter(({ stages }) => stages.includes('build')).length;
  // Slices of days under way stand beside the artifact until it is whole.
  const underWay = Math.min(downloads, command.concurrency);
  const kept = command.options.keepDownloads === undefined ? downloads : underWay;
  const bytes = records * ((kept + underWay) * ARTIFACT_BYTES_PER_RECORD + builds * PRODUCT_BYTES_PER_RECORD);
  // Each day is compared with the source's own count; one that is only looked at again costs nothing else.
  const again = plan.days.filter(({ download }) => download === 'recheck').length;
  const requests = downloads + (downloads - again) * (command.product.sensor === 'ALL' ? 288 : 4);
  return { requests, bytes, downloads, builds };
}
