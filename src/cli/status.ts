import type { Command } from 'commander';
import type { RangeProgress } from '../core/backfill/range-progress.ts';
import { estimatedMinutesLeft } from '../core/report/range-details.ts';
import { isPipelineError } from '../core/errors.ts';
import type { GateReport } from '../gate/index.ts';
import { openLedgerIfAny } from '../ledger/index.ts';
import type { CheckCount, FailureRow, StateCount } from '../ledger/reports.ts';
import { dayOfMs } from '../core/time/day.ts';
import { readEmbeddedInfo } from '../storage/embedded-file.ts';
import { locateWorkspace } from '../storage/workspace.ts';
import type { LocatedWorkspace } from '../storage/workspace.ts';
import { createLogger } from './support/context.ts';
import type { CliContext } from './support/context.ts';
import { EXIT } from './support/exit-codes.ts';
import type { ExitCode } from './support/exit-codes.ts';
import { formatSeconds, formatTable } from './support/format.ts';
import { summarize, summaryLines } from './support/ledger-summary.ts';
import type { LedgerSummary } from './support/ledger-summary.ts';
import { gateLines, gateReportOf } from './support/gate-lines.ts';
import { openClientSession } from './support/session.ts';
import type { Session } from './support/session.ts';

interface Status {
  readonly workspace: string;
  readonly name: string | null;
  /** Web UI of the embedded server when one runs. */
  readonly uiUrl: string | null;
  readonly ranges: readonly { readonly workflowId: string; readonly progress: RangeProgress | null }[];
  readonly states: readonly StateCount[];
  readonly failures: readonly FailureRow[];
  /** Null where there is no ledger yet. */
  readonly summary: LedgerSummary | null;
  /** Downloaded days against the source's own count. */
  readonly checks: readonly CheckCount[];
  /** The gate that the workspace used last; null when it used none on this machine. */
  readonly gate: GateReport | null;
  /** Why the Temporal server could not be asked what runs; null when it was, or when there is none to ask. */
  readonly serverAway: string | null;
  /** Why the ledger, and the gate with it, could not be read; null when they were. */
  readonly away: string | null;
}

/** `reachback status`: what runs, what is done, what failed, and the next command. Writes nothing. */
export function addStatusCommand(program: Command, context: CliContext, end: (code: ExitCode) => void): void {
  program
    .command('status')
    .summary('what runs, what is done and what failed in a workspace')
    .description('What runs, what is done and what failed in a workspace. Reads only.')
    .option('--workspace <dir>', 'the workspace (or an --output-dir)', './data')
    .option('--json', 'print as JSON')
    .action(async (given: { workspace: string; json?: boolean }) => {
      const located = await locateWorkspace({ dir: given.workspace, cwd: context.cwd });
      const status = { ...(await readWhatIsKept(context, located)), ...(await readRanges(context, located)) };
      context.print(given.json === true ? JSON.stringify(status) : statusText(status));
      end(status.away === null && status.serverAway === null ? EXIT.ok : EXIT.failed);
    });
}

/** Ledger and gate. A database that is away keeps nobody from seeing what runs. */
async function readWhatIsKept(context: CliContext, located: LocatedWorkspace): Promise<Omit<Status, Ranges>> {
  try {
    const kept = await readLedger(context, located);
    return { ...kept, gate: await gateReportOf(context, located), away: null };
  } catch (error) {
    if (!isPipelineError(error, 'ledger_unavailable')) throw error;
    const { root: workspace, name } = located;
    const nothing = { states: [], failures: [], checks: [], summary: null, gate: null };
    return { workspace, name, ...nothing, away: error.message };
  }
}

async function readLedger(
  { environment }: CliContext,
  located: LocatedWorkspace,
): Promise<Omit<Status, Ranges | 'gate' | 'away'>> {
  const { root: workspace, name } = located;
  const ledger = await openLedgerIfAny(located, { url: environment.ledgerUrl });
  if (ledger === null) return { workspace, name, states: [], failures: [], checks: [], summary: null };
  try {
    const [states, failures, checks] = await Promise.all([
      ledger.stateCounts(),
      ledger.latestFailures(10),
      ledger.checkCounts(dayOfMs(Date.now())),
    ]);
    return { workspace, name, states, failures, checks, summary: await summarize(ledger, Date.now()) };
  } finally {
    await ledger.close();
  }
}

type Ranges = 'ranges' | 'uiUrl' | 'serverAway';

/** What is open on the server. One that is away keeps nobody from seeing what is done. */
async function readRanges(context: CliContext, located: LocatedWorkspace): Promise<Pick<Status, Ranges>> {
  const { name } = located;
  const none = { ranges: [], uiUrl: null, serverAway: null };
  const embedded = await readEmbeddedInfo(located);
  if (name === null || (!embedded && !context.environment.externalTemporal)) return none;
  const session = await openSession(context, located);
  if (typeof session === 'string') return { ...none, serverAway: session };
  try {
    const open = await session.client.openRanges(name);
    const ranges = await Promise.all(
      open.map(async ({ workflowId }) => ({
        workflowId,
        progress: await session.client.progress(session.client.range(workflowId)).catch(() => null),
      })),
    );
    return { ...none, ranges, uiUrl: session.uiUrl };
  } finally {
    await session.close();
  }
}

/** @returns why there is none, when the server does not answer */
async function openSession(context: CliContext, located: LocatedWorkspace): Promise<Session | string> {
  try {
    return await openClientSession(context.environment, located, createLogger(0, false, context.remark));
  } catch (error) {
    if (!isPipelineError(error, 'config_invalid')) throw error;
    return error.message;
  }
}

export function statusText(status: Status): string {
  const lines = [`Workspace ${status.workspace}${status.name === null ? ' (none yet)' : ` (${status.name})`}`];
  if (status.uiUrl) lines.push(`Web UI ${status.uiUrl}`);
  lines.push('', ...rangeLines(status), '');
  if (status.gate) lines.push(...gateLines(status.gate, status.name), '');
  if (status.away !== null) return [...lines, ...awayLines(status.away)].join('\n');
  if (status.states.length === 0)
    lines.push('The ledger holds no day yet. Start with: reachback run --start-date … --end-date …');
  else {
    const rows = status.states.map(({ product, phase, destination, status: state, days }) => [
      product,
      phase,
      state,
      String(days),
      destination ?? '',
    ]);
    lines.push(formatTable(['product', 'phase', 'state', 'days', 'destination'], rows, [3]));
  }
  if (status.checks.length > 0) {
    const rows = status.checks.map(({ product, state, days, notFinal }) => [
      product,
      state,
      String(days),
      String(notFinal),
    ]);
    lines.push('', formatTable(['product', "against the source's count", 'days', 'not final'], rows, [2, 3]));
  }
  if (status.summary) lines.push(...summaryLines(status.summary));
  if (status.failures.length > 0) {
    lines.push('', 'Latest failures:');
    for (const { day, product, phase, kind, message } of status.failures) {
      lines.push(`  ${day} ${product} ${phase}: ${message} (${kind})`);
    }
    lines.push(
      status.ranges.length > 0
        ? '  → reachback retry-failed   (while their range is open)'
        : '  → repeat the run command with --retry-failed',
    );
  }
  return lines.join('\n');
}

/** What it means that the database does not answer. */
function awayLines(why: string): string[] {
  return [
    why,
    '  No request leaves while it is away, and nothing is lost: days under way go on by themselves when it answers again.',
    '  → check that the database of REACHBACK_LEDGER_URL runs and can be reached',
  ];
}

function timeLeft(progress: RangeProgress): string {
  const minutes = estimatedMinutesLeft(progress);
  return minutes === null ? '' : `, about ${formatSeconds(minutes * 60)} left`;
}

function rangeLines(status: Status): string[] {
  if (status.serverAway !== null) {
    return [
      `What runs is not known: ${status.serverAway}`,
      '  Nothing is lost: workers wait for it, and what was under way goes on when it is back.',
      '  → start it, or check TEMPORAL_ADDRESS',
    ];
  }
  if (status.ranges.length === 0) return ['Nothing runs.'];
  return status.ranges.flatMap(({ workflowId, progress }) => {
    const place = `--workspace ${status.workspace}`;
    if (!progress) {
      return [
        `${workflowId}: open, but no worker answers`,
        `  → reachback worker ${place}   (or repeat its run command)`,
      ];
    }
    const counts = `${progress.settledDays}/${progress.totalDays} days settled, ${progress.failedDays} failed${timeLeft(progress)}`;
    const { words, verbs } = waitsFor(progress);
    return [
      `${workflowId}: ${progress.state}${words === '' ? '' : ` (${words})`}, ${counts}`,
      ...(progress.elsewhere.length > 0
        ? [
            `  ${progress.elsewhere.length} days wait for another range that does them: ${progress.elsewhere.slice(0, 5).join(', ')}`,
          ]
        : []),
      ...verbs.map((verb) => `  → reachback ${verb} '${workflowId}' ${place}`),
    ];
  });
}

/** Whom or what a range waits for, and the commands that fit. */
function waitsFor(progress: RangeProgress): { words: string; verbs: readonly string[] } {
  const { pause, cooldown, state, failedDays } = progress;
  if (pause?.by === 'operator') return { words: pause.reason, verbs: ['resume'] };
  if (pause) return { words: `the ${pause.by} stopped it: ${pause.reason}`, verbs: ['resume', 'finish'] };
  if (state === 'NeedsAttention') {
    const days = failedDays === 1 ? 'its failed day' : 'its failed days';
    return { words: `waits for you to decide on ${days}`, verbs: ['retry-failed', 'finish'] };
  }
  if (cooldown) return { words: `until ${cooldown.until.slice(0, 19)}Z: ${cooldown.why}`, verbs: ['watch'] };
  return { words: '', verbs: ['watch'] };
}
