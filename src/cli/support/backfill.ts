/** The course of `run`, `download` and `process`: check, plan or start, follow, settle what failed, sum up, exit code. */
import { randomUUID } from 'node:crypto';
import { rangeWorkflowId } from '../../core/backfill/ids.ts';
import type { RangeResult } from '../../core/backfill/range-progress.ts';
import type { RangeInput, RangePause } from '../../core/backfill/range-state.ts';
import type { RunOptions } from '../../core/backfill/types.ts';
import type { Product } from '../../core/product.ts';
import { productSlug } from '../../core/product.ts';
import { PipelineError } from '../../core/errors.ts';
import type { RateConfig } from '../../core/rate/config.ts';
import type { Day } from '../../core/time/day.ts';
import { parseDestination } from '../../storage/destination.ts';
import { readEmbeddedInfo } from '../../storage/embedded-file.ts';
import { locateWorkspace, openWorkspace } from '../../storage/workspace.ts';
import type { LocatedWorkspace, WorkspaceRequest } from '../../storage/workspace.ts';
import { s3Settings } from './aws.ts';
import { createLogger } from './context.ts';
import type { CliContext } from './context.ts';
import { dryRun } from './dry-run.ts';
import { engageRange, holdOtherRanges } from './engage.ts';
import type { Engagement } from './engage.ts';
import { EXIT } from './exit-codes.ts';
import type { ExitCode } from './exit-codes.ts';
import type { OutputFlags } from './flags.ts';
import { gateReportOf, receiptLine, receiptOf } from './gate-lines.ts';
import type { RunReceipt } from '../../gate/index.ts';
import { beginAhead, firstDayTeller } from './ahead.ts';
import type { Ahead } from './ahead.ts';
import { followRange } from './follow.ts';
import type { FollowEnd } from './follow.ts';
import { listenForInterrupts } from './interrupts.ts';
import type { Interrupts } from './interrupts.ts';
import { listenForKey } from './keys.ts';
import { createLiveView } from './live-view.ts';
import { dayLinesOf } from './read-ledger.ts';
import { openClientSession, openOwnSession, requireWorkers } from './session.ts';
import type { Session } from './session.ts';
import { askAboutFailedDays } from './ask.ts';
import { findToken, requireToken } from './token.ts';
import { countersLine, dayTable, differenceLines, failureLines } from './summary.ts';
import { zarrLines } from './zarr-sync.ts';

/** Days started before the history is cut: long ranges stay readable in the web UI and far from the server's limits. */
export const MAX_DAYS_PER_RUN = 250;

export interface BackfillCommand {
  readonly product: Product;
  readonly first: Day;
  readonly last: Day;
  readonly options: RunOptions;
  readonly concurrency: number;
  readonly workspace: WorkspaceRequest;
  /** Of `--aws-region`; null for the environment's. */
  readonly awsRegion: string | null;
  readonly pacing: RateConfig;
  /** Pacing flags that were typed, for a remark where they cannot take effect. */
  readonly pacingGiven: readonly string[];
  readonly dryRun: boolean;
  readonly attach: boolean;
  readonly checkSpace: boolean;
  /** One day alone first, whatever is known of such days. */
  readonly measureFirst?: boolean;
  readonly output: OutputFlags;
  readonly ports?: { readonly port?: number; readonly uiPort?: number };
  /** Called when all is settled, before server and worker stop (the demo offers to stay). */
  readonly beforeClose?: (session: Session) => Promise<void>;
}

const FOLLOW = 'the range goes on. The same command with --attach follows it again.';
const STOPPING =
  'Stopping in good order; finished slices are kept and the same command goes on where it was. Again to stop at once.';

export async function runBackfill(context: CliContext, command: BackfillCommand): Promise<ExitCode> {
  const { options, output } = command;
  if (command.dryRun) return await dryRun(context, command);

  const log = createLogger(output.verbose, output.json === true, context.remark);
  const located = await locateWorkspace(command.workspace);
  const asClient = await isClientOf(context, located);
  const token =
    asClient || options.mode === 'process' || options.offline === true
      ? null
      : requireToken(await findToken(context, command.awsRegion));
  tellUnusedRegion(context, command, asClient);
  if (!asClient) await checkDestination(context, command);
  const ahead = await beginAhead(context, located, command, asClient);
  let goesOn = false;
  const interrupts = listenForInterrupts(() =>
    context.remark(asClient ? `Leaving; ${goesOn ? FOLLOW : 'nothing has begun.'}` : STOPPING),
  );
  let session: Session | null = null;
  try {
    if (asClient) {
      if (located.name === null) throw noWorkspace(located);
      if (command.pacingGiven.length > 0) context.remark(pacingIsTheWorkers(command.pacingGiven));
      session = await openClientSession(context.environment, located, log);
      await requireWorkers(session, { ...located, name: located.name }, interrupts.signal);
      const code = interrupts.code();
      if (code !== null) return code;
      goesOn = true;
    } else {
      const workspace = await openWorkspace(command.workspace);
      session = await openOwnSession(
        workspace,
        {
          environment: context.environment,
          token,
          pacing: command.pacing,
          awsRegion: command.awsRegion,
          product: productSlug(command.product),
        },
        context.commandLine,
        log,
        command.ports,
      );
    }
    return await overSession(context, command, session, interrupts, ahead);
  } finally {
    await session?.close();
    interrupts.dispose();
  }
}

/** Whether the worker is another process's, on a server of the operator or of the workspace. */
async function isClientOf({ environment }: CliContext, located: LocatedWorkspace): Promise<boolean> {
  return environment.externalTemporal || (await readEmbeddedInfo(located))?.shared === true;
}

/** @throws PipelineError `config_invalid` when what `runBackfill` would ask the source for cannot be asked for */
export async function requireSource(
  context: CliContext,
  request: WorkspaceRequest,
  awsRegion: string | null,
): Promise<void> {
  if (await isClientOf(context, await locateWorkspace(request))) return;
  requireToken(await findToken(context, awsRegion));
}

/** Before anything is downloaded: a destination that does not work is told now. With a worker elsewhere, the plan does it. */
async function checkDestination({ environment }: CliContext, { options, awsRegion }: BackfillCommand): Promise<void> {
  if (options.uploadTo === null) return;
  const destination = parseDestination(options.uploadTo, s3Settings(environment, awsRegion));
  try {
    await destination.check();
  } finally {
    destination.close();
  }
}

function tellUnusedRegion(context: CliContext, { awsRegion, options }: BackfillCommand, asClient: boolean): void {
  if (awsRegion === null) return;
  if (asClient) {
    context.remark(
      '--aws-region has no effect here: the region is the worker\'s. Give it to "reachback worker", or set AWS_REGION there.',
    );
    return;
  }
  const { token, secretArn } = context.environment;
  const looksUp = token === null && secretArn !== null && options.mode !== 'process' && options.offline !== true;
  if (looksUp || options.uploadTo?.startsWith('s3://') === true) return;
  context.remark(
    '--aws-region has no effect here: nothing goes to S3, and no token is looked up in AWS Secrets Manager.',
  );
}

async function overSession(
  context: CliContext,
  command: BackfillCommand,
  session: Session,
  interrupts: Interrupts,
  ahead: Ahead | null,
): Promise<ExitCode> {
  const { output } = command;
  const located = await locateWorkspace(command.workspace);
  const workspace = located.name ?? '';
  if (!session.searchAttributes) {
    context.remark(
      'This server lacks the search attributes Reachback…; the run works without them (docs: README, "Servers").',
    );
  }
  const input = { ...rangeInput(command, workspace, session), ...(ahead?.measuresFirst && { measureFirst: true }) };
  if (session.owned) {
    const mine = rangeWorkflowId(workspace, input.product, input.first, input.last);
    for (const id of await holdOtherRanges(session, workspace, mine)) {
      context.remark(`Unfinished from before: ${id}. It starts no new day; repeat its command to go on with it.`);
    }
  }
  const engagement = await engageRange(session, input, command.attach);
  if (output.json !== true) announce(context, session, engagement);
  const end = await followToEnd(context, command, { session, located, engagement, interrupts, ahead });
  if (end === 'waits') return EXIT.failed;
  const code = await conclude(context, command, located, session, engagement, end);
  return interrupts.code() ?? code;
}

interface Followed {
  readonly session: Session;
  readonly located: LocatedWorkspace;
  readonly engagement: Engagement;
  readonly interrupts: Interrupts;
  readonly ahead: Ahead | null;
}

/** Shows the range until it is over, asking what to do when nothing but failed days is left. */
async function followToEnd(context: CliContext, command: BackfillCommand, followed: Followed) {
  const { session, located, interrupts, ahead } = followed;
  const { handle } = followed.engagement;
  const { client } = session;
  const json = command.output.json === true;
  const onTerminal = context.interactive && !json;
  const dayLines = dayLinesOf(context, located, productSlug(command.product), command.options.uploadTo);
  const seeFirstDay = ahead?.measuresFirst === true ? firstDayTeller(context, json, ahead, dayLines) : null;
  const view = createLiveView(json ? 'json' : context.draws ? 'bars' : 'lines', context.remark, {
    dayLines,
    hint: session.owned ? '  Ctrl-C stops in good order' : '  q leaves; the range goes on',
  });
  for (;;) {
    const key = onTerminal && !session.owned ? listenForKey('q') : null;
    const leave = key ? AbortSignal.any([interrupts.signal, key.signal]) : interrupts.signal;
    let end: FollowEnd;
    try {
      const show: typeof view.show = (seen) => {
        void seeFirstDay?.(seen.progress);
        view.show(seen);
      };
      end = await followRange(session, located.name ?? '', handle, show, leave, true, view.away);
    } finally {
      key?.dispose();
      view.end();
    }
    if (key?.signal.aborted === true) context.remark(`Leaving; ${FOLLOW}`);
    if (end.end !== 'only_failed') return end;
    const choice = onTerminal ? await askAboutFailedDays(end.progress, session) : 'finish';
    if (choice === 'leave' || (choice === 'finish' && !session.owned && !context.interactive)) {
      context.remark(
        `${end.progress.failedDays} failed days wait for 24 hours: reachback retry-failed, or reachback finish.`,
      );
      return 'waits';
    }
    await (choice === 'retry' ? client.retryFailedDays(handle) : client.finish(handle));
  }
}

async function conclude(
  context: CliContext,
  command: BackfillCommand,
  located: LocatedWorkspace,
  session: Session,
  engagement: Engagement,
  end: FollowEnd,
): Promise<ExitCode> {
  if (end.end === 'left') return EXIT.ok;
  if (end.end === 'stopped') {
    const { pause } = end.progress;
    const code = exitCodeOfPause(pause);
    const receipt = await receiptOfRun(context, located, end.progress.runId);
    if (command.output.json === true)
      context.print(JSON.stringify({ type: 'stopped', exitCode: code, ...end.progress, receipt }));
    context.remark(stopMessage(pause, engagement));
    if (receipt) context.remark(receiptLine(receipt));
    return code;
  }
  if (end.end !== 'finished') throw new PipelineError('invariant_broken', `A range cannot conclude as ${end.end}.`);
  const { result } = end;
  const linesOf = dayLinesOf(context, located, productSlug(command.product), command.options.uploadTo);
  const days = await linesOf(command.first, command.last);
  const exitCode = exitCodeOfResult(result);
  const receipt = await receiptOfRun(context, located, result.runId);
  if (command.output.json === true) {
    context.print(JSON.stringify({ type: 'result', exitCode, ...result, days, receipt }));
  } else {
    const table = dayTable(days);
    if (table !== '') context.print(`\n${table}\n`);
    for (const line of [...differenceLines(days), ...failureLines(result)]) context.print(line);
    context.print(countersLine(result));
    if (receipt) context.print(receiptLine(receipt));
    if (result.zarr) for (const line of zarrLines(result.zarr)) context.print(line);
    if (exitCode === EXIT.ok && isIdle(result)) context.print('Everything was done already; no request was sent.');
  }
  await command.beforeClose?.(session);
  return exitCode;
}

/** A database that is away is no reason to hold back a result. */
async function receiptOfRun(context: CliContext, located: LocatedWorkspace, runId: string): Promise<RunReceipt | null> {
  return receiptOf(await gateReportOf(context, located).catch(() => null), runId);
}

function exitCodeOfPause(pause: RangePause | null): ExitCode {
  if (pause?.by === 'source') return EXIT.sourceAborted;
  return pause?.kind === 'gate_held' ? EXIT.usage : EXIT.failed;
}

function exitCodeOfResult(result: RangeResult): ExitCode {
  if (result.stopped?.by === 'source') return EXIT.sourceAborted;
  const zarrFailed = result.zarr !== undefined && (result.zarr.failure !== undefined || result.zarr.refusedDays > 0);
  return result.failedDays > 0 || result.totals.skipped.failed > 0 || zarrFailed ? EXIT.failed : EXIT.ok;
}

/** Whether the run found everything done. */
function isIdle({ totals, notAttempted }: RangeResult): boolean {
  const { existing, ...others } = totals.skipped;
  const onlyExisting = existing > 0 && others.noInput === 0 && others.failed === 0;
  return onlyExisting && totals.done === 0 && totals.noData === 0 && totals.requests === 0 && notAttempted === 0;
}

function rangeInput(command: BackfillCommand, workspace: string, session: Session): RangeInput {
  return {
    workspace,
    runId: randomUUID(),
    product: productSlug(command.product),
    first: command.first,
    last: command.last,
    options: command.options,
    concurrency: command.concurrency,
    maxDaysPerRun: MAX_DAYS_PER_RUN,
    searchAttributes: session.searchAttributes,
  };
}

function announce(context: CliContext, session: Session, { handle, runId, how }: Engagement): void {
  const verb = { started: 'Started', continued: 'Going on with', resumed: 'Resumed', attached: 'Following' }[how];
  context.remark(`${verb} ${handle.workflowId} (run ${runId})`);
  if (session.uiUrl) {
    context.remark(`Web UI: ${session.uiUrl}/namespaces/default/workflows/${encodeURIComponent(handle.workflowId)}`);
  }
}

function stopMessage(pause: RangePause | null, { handle }: Engagement): string {
  return [
    `The range ${handle.workflowId} is paused: ${(pause?.reason ?? 'no reason given').replace(/\.$/, '')}.`,
    ...(pause?.hint === undefined ? [] : [`  → ${pause.hint}`]),
    '  → What is left was not attempted. The same command goes on from here once the cause is gone.',
  ].join('\n');
}

function pacingIsTheWorkers(given: readonly string[]): string {
  return `${given.join(', ')} ${given.length === 1 ? 'has' : 'have'} no effect here: the pace is set where the worker is started (reachback worker or dev, same flags).`;
}

function noWorkspace({ root }: LocatedWorkspace): PipelineError {
  return new PipelineError('config_invalid', `There is no workspace at ${root} yet.`, {
    hint: `With a Temporal server of your own the worker makes it: reachback worker --workspace ${root}`,
  });
}
