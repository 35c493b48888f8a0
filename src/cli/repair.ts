import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import { parseProductSlug } from '../core/product.ts';
import { backupFile } from '../storage/backup.ts';
import { manifestPath } from '../storage/manifest.ts';
import { openWorkspace } from '../storage/workspace.ts';
import { requireSource, runBackfill } from './support/backfill.ts';
import type { CliContext } from './support/context.ts';
import { NO_DELIVERY } from './support/delivery-flags.ts';
import { EXIT, isStop } from './support/exit-codes.ts';
import type { ExitCode } from './support/exit-codes.ts';
import * as flags from './support/flags.ts';
import { readLedger } from './support/read-ledger.ts';
import { planRepair } from './support/repair-plan.ts';
import { beside } from './support/beside.ts';
import type { RepairPlan, RepairRun } from './support/repair-plan.ts';
import { verifyFile } from './support/verification.ts';
import type { Finding } from './support/verification.ts';
import { addVerifyFlags, verificationText, verifyWorkspace, withDestinations } from './verify.ts';
import type { VerifyFlags } from './verify.ts';

type Flags = VerifyFlags & flags.PacingFlags & flags.OutputFlags & { readonly dryRun?: boolean };

/** `reachback repair`: makes again what `verify` finds broken, and nothing else. */
export function addRepairCommand(program: Command, context: CliContext, end: (code: ExitCode) => void): void {
  const command = program
    .command('repair')
    .summary('make again what is missing or damaged, and nothing else')
    .description(
      'Verify, then make again what is missing or other than it was, and nothing else: a broken product is built from its\n' +
        'download, a broken download is asked for again, a broken upload is delivered again. What is replaced is kept below\n' +
        '_backup. Ends with a second look: exit code 1 when something is still not as recorded.',
    )
    .option('--dry-run', 'say what would be done, and do nothing');
  addVerifyFlags(command);
  flags.addPacingFlags(command);
  command.option('-v, --verbose', 'more detail on stderr', (_value, former: number) => former + 1, 0);
  command.action(async (given: Flags) => end(await repair(context, given, flags.givenPacing(command))));
}

async function repair(context: CliContext, given: Flags, pacingGiven: readonly string[]): Promise<ExitCode> {
  const tell = (text: string): void => (given.json === true ? context.remark(text) : context.print(text));
  const found = await verifyWorkspace(context, given);
  const files = await readLedger(context, given.workspace, (ledger) => ledger.presentFiles());
  const plan = planRepair(found.findings, files);
  tell(verificationText(found));
  if (given.dryRun === true || found.findings.length === 0) {
    tell(planText(plan));
    if (given.json === true) context.print(JSON.stringify({ ...found, plan }));
    return found.findings.length === 0 ? EXIT.ok : EXIT.failed;
  }
  if (plan.runs.some(({ mode }) => mode !== 'process')) {
    await requireSource(context, { dir: given.workspace, cwd: context.cwd }, given.awsRegion ?? null);
  }
  const busy = await putAside(context, given, plan.aside);
  const free = found.findings.filter((finding) => !busy.has(dayOf(finding)));
  for (const run of planRepair(free, files).runs) {
    tell(`${run.first}..${run.last} ${run.product}: ${run.mode}`);
    const code = await runBackfill(context, { ...backfillOf(context, given, run), pacingGiven });
    // A day that cannot be made again is told at the end.
    if (isStop(code)) return code;
  }
  await deliverAllAgain(context, given, plan.uploads, tell);
  const after = await verifyWorkspace(context, given);
  tell(verificationText(after));
  if (given.json === true) context.print(JSON.stringify({ before: found, plan, after }));
  return after.findings.length === 0 ? EXIT.ok : EXIT.failed;
}

function planText({ aside, runs, uploads, unreadable }: RepairPlan): string {
  const lines = [
    ...aside.map(({ where }) => `would put aside ${where}`),
    ...runs.map(({ first, last, product, mode }) => `would do ${first}..${last} ${product} again: ${mode}`),
    ...uploads.map(({ where }) => `would deliver ${where} again`),
    ...unreadable.map(({ where }) => `cannot be looked at, left alone: ${where}`),
  ];
  return lines.length === 0 ? 'Nothing to repair.' : lines.join('\n');
}

/**
 * Puts aside what still is other than recorded, a day at a time, while nobody works at that day.
 *
 * @returns the days that were left alone, as `dayOf` names them
 */
async function putAside(context: CliContext, given: Flags, files: readonly Finding[]): Promise<Set<string>> {
  const busy = new Set<string>();
  if (files.length === 0) return busy;
  const workspace = await openWorkspace({ dir: given.workspace, cwd: context.cwd });
  await beside(context, given, async (alone) => {
    for (const found of files) {
      const { product, day, where } = found;
      const root = where.startsWith(`${workspace.products}/`) ? workspace.backups : join(dirname(where), '_backup');
      if (await alone(product, day, () => putOneAside(context, given, found, root))) continue;
      if (!busy.has(dayOf(found))) context.remark(leftAlone(found));
      busy.add(dayOf(found));
    }
  });
  return busy;
}

async function putOneAside(
  context: CliContext,
  given: Flags,
  { product, day, where }: Finding,
  root: string,
): Promise<void> {
  // Its day may have been made again since it was looked at.
  const scope = { product, first: day, last: day };
  const known = await readLedger(context, given.workspace, (ledger) => ledger.presentFiles(scope));
  const file = known.find(({ path }) => path === where);
  const still = file && (await verifyFile(file));
  if (!still || still.problem === 'missing') return;
  const backup = await backupFile(where, root);
  await rm(where);
  await rm(manifestPath(where), { force: true });
  context.remark(`put aside: ${backup}`);
}

async function deliverAllAgain(
  context: CliContext,
  given: Flags,
  uploads: readonly Finding[],
  tell: (text: string) => void,
): Promise<void> {
  if (uploads.length === 0) return;
  await beside(context, given, async (alone) => {
    for (const upload of uploads) {
      const { product, day } = upload;
      const isDone = await alone(product, day, async () => tell(await deliverAgain(context, given, upload)));
      if (!isDone) tell(leftAlone(upload));
    }
  });
}

function dayOf({ product, day }: Finding): string {
  return `${product} ${day}`;
}

function leftAlone({ product, day }: Finding): string {
  return `${day} ${product} is being worked at: left alone. When that has ended: reachback repair`;
}

function backfillOf(context: CliContext, given: Flags, { product, first, last, mode, profile }: RepairRun) {
  return {
    product: parseProductSlug(product),
    first,
    last,
    options: {
      mode,
      retryFailed: true,
      ...NO_DELIVERY,
      profile,
      sliceMode: 'half-open' as const,
      limitDays: null,
    },
    concurrency: 2,
    workspace: { dir: given.workspace, cwd: context.cwd },
    awsRegion: given.awsRegion ?? null,
    pacing: flags.pacingOf(given, context.environment),
    dryRun: false,
    attach: false,
    checkSpace: true,
    output: { ...(given.json === true && { json: true }), verbose: given.verbose },
  };
}

/** From the product that is here, when it is the one that was delivered. @returns what was done */
async function deliverAgain(context: CliContext, given: Flags, { product, day, where }: Finding): Promise<string> {
  const { file, delivery } = await readLedger(context, given.workspace, async (ledger) => {
    const scope = { product, first: day, last: day };
    const files = await ledger.presentFiles(scope);
    const deliveries = await ledger.deliveries(scope);
    return {
      file: files.find(({ kind }) => kind === 'product'),
      delivery: deliveries.find(({ destination, key }) => `${destination}/${key}` === where),
    };
  });
  if (file === undefined || delivery === undefined || file.sha256 !== delivery.sha256) {
    return `${where}: the product that was delivered is not here any more; deliver the present one with run --upload-to ${delivery?.destination ?? 'URI'} --replace`;
  }
  const { sizeBytes, sha256, key, destination } = delivery;
  const order = { sourcePath: file.path, sizeBytes, sha256, key, owner: product, replace: true };
  return withDestinations(context, given.awsRegion ?? null, async (destinationAt) => {
    const { status, backupPath } = await destinationAt(destination).deliver(order);
    return `${where}: ${status}${backupPath === undefined ? '' : `, the former one is ${backupPath}`}`;
  });
}
