/** Looking before running: the plan without a trace. */
import type { DayDecision } from '../../core/backfill/decide.ts';
import { freeBytes } from '../../storage/disk-space.ts';
import { locateWorkspace } from '../../storage/workspace.ts';
import type { BackfillCommand } from './backfill.ts';
import type { CliContext } from './context.ts';
import { lookAhead, outlookLines } from './estimate.ts';
import { EXIT } from './exit-codes.ts';
import type { ExitCode } from './exit-codes.ts';

/** What is done with the day. What ends it (no data, a failure) stands alone: what the other phase would do then is not done. */
export function actionsOf({ skip, download, process }: DayDecision): readonly string[] {
  const actions = [download, process].filter((action) => action !== null);
  if (skip !== 'noData' && skip !== 'failed') return actions;
  return actions.filter((action) => action === 'skip_terminal' || action === 'skip_failed').slice(0, 1);
}

/**
 * Prints the plan; no network, no token, no row, no file (CLI-13, TEL-27).
 *
 * @param mark - begins every line for people
 */
export async function dryRun(context: CliContext, command: BackfillCommand, mark = '[dry-run] '): Promise<ExitCode> {
  const located = await locateWorkspace(command.workspace);
  const outlook = await lookAhead(context, located, command, context.remark);
  const { plan, nominal: estimate, fromHistory, workDays } = outlook;
  const free = await freeBytes(located.downloads);
  if (command.output.json === true) {
    context.print(JSON.stringify({ type: 'plan', ...plan, estimate, fromHistory, freeBytes: free }));
    return EXIT.ok;
  }
  for (const surveyed of plan.days) {
    const { day, priorStatus, reason, path } = surveyed;
    const actions = actionsOf(surveyed).join('+');
    const where = path === null ? '' : ` ${path}`;
    context.print(`${mark}${day} action=${actions} prior_status=${priorStatus ?? 'none'} (${reason})${where}`);
  }
  const skipped = (reason: string): number => plan.days.filter(({ skip }) => skip === reason).length;
  context.print(
    `${mark}planned=${plan.days.length} with_work=${workDays} skipped_existing=${skipped('existing')} ` +
      `skipped_no_data=${skipped('noData')} skipped_failed=${skipped('failed')} skipped_no_input=${skipped('noInput')}`,
  );
  for (const line of outlookLines(outlook, free)) context.print(`${mark}${line}`);
  return EXIT.ok;
}
