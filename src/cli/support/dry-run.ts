/** Looking before running: the plan without a trace, and whether the disk has room for it. */
import { existsSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import pino from 'pino';
import { planDays } from '../../activities/plan/plan-days.ts';
import { expectedRecords, productSlug } from '../../core/product.ts';
import type { PlanResult } from '../../core/backfill/types.ts';
import { countDays, dayOfMs } from '../../core/time/day.ts';
import { openLedgerForReading } from '../../ledger/index.ts';
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
/** Slices of days under way stand beside the artifact until it is whole. */
const SLICES_SHARE = 1;

type Planned = Pick<BackfillCommand, 'product' | 'first' | 'last' | 'options' | 'concurrency'>;

/** The plan of a command, made without writing anything: no ledger is created, no file adopted, no row written. */
export async function planWithoutTrace(
  located: LocatedWorkspace,
  command: Planned,
  verbose: number,
  write: (line: string) => void,
): Promise<PlanResult> {
  const ledger = existsSync(located.ledgerPath) ? await openLedgerForReading(located) : null;
  try {
    const request = {
      runId: randomUUID(),
      product: productSlug(command.product),
      first: command.first,
      last: command.last,
      options: command.options,
    };
    const log = verbose > 0 ? createLogger(verbose, false, write) : pino({ enabled: false });
    return await planDays({ ledger, folders: located, today: () => dayOfMs(Date.now()), log, dryRun: true }, request);
  } finally {
    await ledger?.close();
  }
}

/** Prints the plan; no network, no token, no row, no file (CLI-13, TEL-27). */
export async function dryRun(context: CliContext, command: BackfillCommand): Promise<ExitCode> {
  const located = await locateWorkspace(command.workspace);
  const plan = await planWithoutTrace(located, command, command.output.verbose, context.remark);
  if (command.output.json === true) {
    context.print(JSON.stringify({ type: 'plan', ...plan, estimate: estimate(command, plan) }));
    return EXIT.ok;
  }
  for (const { day, stages, reason } of plan.days)
    context.print(`[dry-run] ${day} action=${stages.join('+')} (${reason})`);
  const { existing, noData, failed, noInput } = plan.skipped;
  const { requests, bytes } = estimate(command, plan);
  context.print(
    `[dry-run] days=${countDays(command.first, command.last)} with_work=${plan.days.length} skipped_existing=${existing} ` +
      `skipped_no_data=${noData} skipped_failed=${failed} skipped_no_input=${noInput}`,
  );
  context.print(`[dry-run] about ${requests} requests and ${formatBytes(bytes)} of disk`);
  return EXIT.ok;
}

/**
 * Refuses a run that the disk cannot hold.
 *
 * @throws PipelineError `config_invalid` with what is needed and what is free
 */
export async function requireRoom(located: LocatedWorkspace, command: BackfillCommand): Promise<void> {
  const plan = await planWithoutTrace(located, command, 0, () => undefined);
  const { bytes, downloads, builds } = estimate(command, plan);
  if (bytes === 0) return;
  await requireFreeSpace(
    located.downloads,
    bytes,
    `${downloads} days to download and ${builds} to build, counted as full-size days of ${command.product.sensor}`,
  );
}

function estimate(
  command: Planned,
  plan: PlanResult,
): { requests: number; bytes: number; downloads: number; builds: number } {
  const { sensor } = command.product;
  const records = expectedRecords(command.product);
  const downloads = plan.days.filter((day) => day.stages.includes('download')).length;
  const builds = plan.days.filter((day) => day.stages.includes('build')).length;
  const slices = Math.min(downloads, command.concurrency) * SLICES_SHARE;
  const bytes = records * ((downloads + slices) * ARTIFACT_BYTES_PER_RECORD + builds * PRODUCT_BYTES_PER_RECORD);
  return { requests: downloads * (sensor === 'ALL' ? 288 : 4), bytes, downloads, builds };
}
