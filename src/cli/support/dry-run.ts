/** Looking before running: the plan without a trace, and whether the disk has room for it. */
import { randomUUID } from 'node:crypto';
import pino from 'pino';
import { previewDays } from '../../activities/plan/plan-days.ts';
import type { PlanPreview } from '../../activities/plan/plan-days.ts';
import { expectedRecords, productSlug } from '../../core/product.ts';
import { dayOfMs } from '../../core/time/day.ts';
import { openLedgerIfAny } from '../../ledger/index.ts';
import { requireFreeSpace } from '../../storage/disk-space.ts';
import { locateWorkspace } from '../../storage/workspace.ts';
import type { LocatedWorkspace } from '../../storage/workspace.ts';
import type { BackfillCommand } from './backfill.ts';
import { createLogger } from './context.ts';
import type { CliContext } from './context.ts';
import { EXIT } from './exit-codes.ts';
import type { ExitCode } from './exit-codes.ts';
import { formatBytes } from './format.ts';

/** Bytes of CSV or JSON per nominal record, and of a product per nominal record (a full day: 573 MB and 42 MB). */
const ARTIFACT_BYTES_PER_RECORD = 540;
const PRODUCT_BYTES_PER_RECORD = 40;

type Planned = Pick<BackfillCommand, 'product' | 'first' | 'last' | 'options' | 'concurrency' | 'output'>;

interface Estimate {
  readonly requests: number;
  readonly bytes: number;
  readonly downloads: number;
  readonly builds: number;
}

/** Prints the plan; no network, no token, no row, no file (CLI-13, TEL-27). */
export async function dryRun(context: CliContext, command: BackfillCommand): Promise<ExitCode> {
  const located = await locateWorkspace(command.workspace);
  const plan = await preview(context.environment, located, command, context.remark);
  const estimate = estimateOf(command, plan);
  if (command.output.json === true) {
    context.print(JSON.stringify({ type: 'plan', ...plan, estimate }));
    return EXIT.ok;
  }
  for (const { day, download, process, priorStatus, reason, path } of plan.days) {
    const actions = [download, process].filter((action) => action !== null).join('+');
    const where = path === null ? '' : ` ${path}`;
    context.print(`[dry-run] ${day} action=${actions} prior_status=${priorStatus ?? 'none'} (${reason})${where}`);
  }
  const skipped = (reason: string): number => plan.days.filter(({ skip }) => skip === reason).length;
  const work = plan.days.filter(({ skip }) => skip === null).length;
  context.print(
    `[dry-run] planned=${plan.days.length} with_work=${work} skipped_existing=${skipped('existing')} ` +
      `skipped_no_data=${skipped('noData')} skipped_failed=${skipped('failed')} skipped_no_input=${skipped('noInput')}`,
  );
  context.print(`[dry-run] about ${estimate.requests} requests and ${formatBytes(estimate.bytes)} of disk`);
  return EXIT.ok;
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
  const { bytes, downloads, builds } = estimateOf(
    command,
    await preview(environment, located, command, () => undefined),
  );
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
  write: (line: string) => void,
): Promise<PlanPreview> {
  const ledger = await openLedgerIfAny(located, { url: ledgerUrl });
  try {
    const { verbose } = command.output;
    const log = verbose > 0 ? createLogger(verbose, false, write) : pino({ enabled: false });
    const { product, first, last, options } = command;
    const request = { runId: randomUUID(), product: productSlug(product), first, last, options };
    return await previewDays({ ledger, folders: located, today: () => dayOfMs(Date.now()), log }, request);
  } finally {
    await ledger?.close();
  }
}

function estimateOf(command: Planned, plan: PlanPreview): Estimate {
  const records = expectedRecords(command.product);
  const downloads = plan.days.filter(({ stages }) => stages.includes('download')).length;
  const builds = plan.days.filter(({ stages }) => stages.includes('build')).length;
  // Slices of days under way stand beside the artifact until it is whole.
  const slices = Math.min(downloads, command.concurrency);
  const bytes = records * ((downloads + slices) * ARTIFACT_BYTES_PER_RECORD + builds * PRODUCT_BYTES_PER_RECORD);
  return { requests: downloads * (command.product.sensor === 'ALL' ? 288 : 4), bytes, downloads, builds };
}
