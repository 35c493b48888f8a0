/** What a run says of itself before its days begin, and after the first of them (SAFE-14). */
import { isPipelineError } from '../../core/errors.ts';
import { isOutdatedLedger } from '../../ledger/index.ts';
import { freeBytes, requireFreeSpace } from '../../storage/disk-space.ts';
import { openWorkspace } from '../../storage/workspace.ts';
import type { LocatedWorkspace } from '../../storage/workspace.ts';
import type { BackfillCommand } from './backfill.ts';
import type { CliContext } from './context.ts';
import { LARGE_RANGE_DAYS, firstDayLine, lookAhead, outlookLines, watchFirstDay } from './estimate.ts';
import type { Outlook } from './estimate.ts';
import { asWriter } from './take-up.ts';

/** What a run is about to do. */
export interface Ahead extends Outlook {
  /** One day is done alone before the others, so that it can be said what those will take. */
  readonly measuresFirst: boolean;
}

/**
 * Tells requests, disk and time before anything is begun.
 *
 * @param asClient - the worker is elsewhere: what stands in the way of a plan is its to say
 * @returns null when nothing can be said here
 * @throws PipelineError `config_invalid` when the disk cannot hold it; what planning throws
 */
export async function beginAhead(
  context: CliContext,
  located: LocatedWorkspace,
  command: BackfillCommand,
  asClient: boolean,
): Promise<Ahead | null> {
  const look = (): Promise<Outlook> => lookAhead(context, located, command, () => undefined);
  const outlook = await look().catch(async (error: unknown) => {
    if (asClient && isPipelineError(error)) return null;
    if (!isOutdatedLedger(error)) throw error;
    // Looking upgrades nothing; this command is about to write anyway.
    await asWriter(context, await openWorkspace(command.workspace), () => Promise.resolve());
    return await look();
  });
  if (outlook === null) return null;
  const { nominal, workDays, fromHistory, work } = outlook;
  if (!asClient && command.checkSpace && nominal.bytes > 0) {
    const what = `${nominal.downloads} days to download and ${nominal.builds} to build, counted as full-size days of ${command.product.sensor}`;
    await requireFreeSpace(located.downloads, nominal.bytes, what);
  }
  const isLarge = work.downloads >= LARGE_RANGE_DAYS || work.builds >= LARGE_RANGE_DAYS;
  const measuresFirst = workDays > 1 && (command.measureFirst === true || (isLarge && fromHistory === null));
  const ahead = { ...outlook, measuresFirst };
  if (workDays > 0) await tell(context, located, command, ahead);
  return ahead;
}

async function tell(
  context: CliContext,
  located: LocatedWorkspace,
  { output }: BackfillCommand,
  { measuresFirst, ...outlook }: Ahead,
): Promise<void> {
  const { workDays, nominal, fromHistory } = outlook;
  const free = await freeBytes(located.downloads);
  if (output.json === true) {
    const facts = { workDays, ...nominal, fromHistory, freeBytes: free, measuresFirst };
    context.print(JSON.stringify({ type: 'estimate', by: 'plan', ...facts }));
    return;
  }
  const [room = '', time = ''] = outlookLines(outlook, free);
  context.remark(`${workDays} days with work: ${room}`);
  if (fromHistory !== null) context.remark(time);
  if (measuresFirst) context.remark('One day is done alone first; what the others take is told then.');
}

/** @returns to be given every view of the range */
export function firstDayTeller(
  context: CliContext,
  json: boolean,
  ahead: Ahead,
  dayLines: Parameters<typeof watchFirstDay>[1],
): (progress: Parameters<ReturnType<typeof watchFirstDay>>[0]) => Promise<void> {
  const see = watchFirstDay(ahead, dayLines, (first) => {
    if (json) context.print(JSON.stringify({ type: 'estimate', by: 'first day', ...first }));
    else context.remark(firstDayLine(first));
  });
  // An estimate that cannot be made is none; the run goes on.
  return (progress) => see(progress).catch(() => undefined);
}
