import { InvalidArgumentError } from 'commander';
import type { Command } from 'commander';
import { checkIncrement } from '../core/backfill/schedule.ts';
import type { Increment } from '../core/backfill/schedule.ts';
import { PipelineError } from '../core/errors.ts';
import { productSlug } from '../core/product.ts';
import { ScheduleClient, timingText } from '../schedules.ts';
import type { ScheduleLine, Timing } from '../schedules.ts';
import { readEmbeddedInfo } from '../storage/embedded-file.ts';
import { locateWorkspace } from '../storage/workspace.ts';
import { MAX_DAYS_PER_RUN } from './support/backfill.ts';
import { createLogger } from './support/context.ts';
import type { CliContext } from './support/context.ts';
import { addDeliveryFlags, deliveryOf } from './support/delivery-flags.ts';
import type { DeliveryFlags } from './support/delivery-flags.ts';
import { EXIT } from './support/exit-codes.ts';
import type { ExitCode } from './support/exit-codes.ts';
import * as flags from './support/flags.ts';
import { formatTable } from './support/format.ts';
import { openClientSession } from './support/session.ts';
import type { Session } from './support/session.ts';

type CreateFlags = Omit<flags.RangeFlags, 'startDate' | 'endDate'> &
  flags.ProfileFlags &
  flags.SliceFlags &
  DeliveryFlags & {
    readonly workspace: string;
    readonly name?: string;
    readonly at?: { readonly hour: number; readonly minute: number };
    readonly every?: number;
    readonly trailingDays?: number;
    readonly delay?: number;
    readonly window?: number;
    readonly refresh?: boolean;
    readonly concurrency: number;
  };

interface PlaceFlags {
  readonly workspace: string;
}

const EXAMPLES = `
Examples:
  reachback schedule create --trailing-days 7 --at 03:17 --upload-to s3://my-bucket/reach
  reachback schedule create --name recent --delay 7200 --window 86400 --every 3600
  reachback schedule trigger reach-all-quicklook-daily

A run that is due while the former one is still open waits (one at most) and then covers its own days and those since.
Missed runs are made up for when the server was away for up to 31 days. Failed days do not hold a run open: the next run
tries them again while they are in its range. A run that the source stopped stays open until "reachback resume".`;

/** `reachback schedule …`: a daily increment, or a near-real-time window (UDL-16), kept by the Temporal server. */
export function addScheduleCommand(program: Command, context: CliContext, end: (code: ExitCode) => void): void {
  const group = program
    .command('schedule')
    .summary('runs that the server starts by itself')
    .description(
      'Runs that the Temporal server starts by itself. Needs a server that stays up: your own, or "reachback dev".',
    )
    .addHelpText('after', EXAMPLES);
  addCreate(group, context, end);
  const place = (command: Command): Command =>
    command.option('--workspace <dir>', 'the workspace of the schedule', './data');

  place(group.command('list').description('Schedules of the workspace: next run, latest runs, pauses.'))
    .option('--json', 'print as JSON')
    .action(async (given: PlaceFlags & { json?: boolean }) => {
      const lines = await onSchedules(context, given, (schedules) => schedules.list());
      context.print(given.json === true ? JSON.stringify(lines) : listText(lines));
      end(EXIT.ok);
    });
  place(group.command('pause').description('No further runs start; the open one goes on.').argument('<name>'))
    .option('--reason <text>', 'shown by list')
    .action(async (name: string, given: PlaceFlags & { reason?: string }) => {
      await onSchedules(context, given, (schedules) => schedules.pause(name, given.reason));
      context.print(`${name}: paused; reachback schedule resume ${name} goes on`);
      end(EXIT.ok);
    });
  const simple = [
    ['resume', 'Runs start again.', 'runs start again'],
    ['trigger', 'One run now, whatever the time; after the open one when there is one.', 'one run is started'],
    ['delete', 'Remove the schedule; its open run goes on.', 'removed'],
  ] as const;
  for (const [verb, description, done] of simple) {
    place(group.command(verb).description(description).argument('<name>')).action(
      async (name: string, given: PlaceFlags) => {
        await onSchedules(context, given, (schedules) => schedules[verb](name));
        context.print(`${name}: ${done}`);
        end(EXIT.ok);
      },
    );
  }
}

function addCreate(group: Command, context: CliContext, end: (code: ExitCode) => void): void {
  const command = group
    .command('create')
    .description('Make a schedule: the last days every day, or a window behind now (UDL-16).')
    .option('--workspace <dir>', 'the workspace that does the work', './data')
    .option(
      '--name <name>',
      'letters, digits and hyphens; default: product and kind, as in reach-all-quicklook-daily',
      name,
    )
    .option(
      '--trailing-days <n>',
      'each run looks at this many whole days before it (default 7)',
      flags.positiveInteger,
    )
    .option('--delay <seconds>', 'with --window: how long the source needs for a day', seconds)
    .option('--window <seconds>', 'each run looks at the days that ended in this time', seconds)
    .option('--at <hh:mm>', 'every day at this UTC time (default 03:17)', timeOfDay)
    .option('--every <seconds>', 'instead of --at: every so many seconds, 60 or more', seconds)
    .option('--refresh', 'each run asks again for days that are done, not only at the ages of 1, 3, 7, 30 and 120 days')
    .option('--concurrency <days>', 'days under way at once', flags.daysAtOnce, 2);
  addDeliveryFlags(command);
  flags.addProductFlags(command);
  flags.addProfileFlag(command, 'istp');
  flags.addSlicesFlag(command);
  command.addHelpText('after', EXAMPLES);
  command.action(async (given: CreateFlags) => {
    const increment = incrementOf(given);
    const timing = timingOf(given);
    const product = productSlug(flags.productOf(given));
    const scheduleName =
      given.name ?? `${product.replaceAll('/', '-')}-${increment.kind === 'window' ? 'window' : 'daily'}`;
    const delivery = deliveryOf(given);
    await onSchedules(context, given, async (schedules, { searchAttributes }, workspace) => {
      await schedules.create({
        name: scheduleName,
        timing,
        input: {
          workspace,
          product,
          increment,
          // The next run is the retry of what failed in this one.
          options: {
            mode: 'run',
            retryFailed: true,
            ...(given.refresh === true && { refresh: true }),
            ...delivery,
            profile: given.profile,
            sliceMode: given.slices,
            limitDays: null,
          },
          concurrency: given.concurrency,
          maxDaysPerRun: MAX_DAYS_PER_RUN,
          searchAttributes,
        },
      });
    });
    context.print(`${scheduleName}: ${timingText(timing)}; try it with: reachback schedule trigger ${scheduleName}`);
    end(EXIT.ok);
  });
}

/** @throws PipelineError `config_invalid` when flags of both kinds are given, or a value is out of bounds */
export function incrementOf(given: Pick<CreateFlags, 'trailingDays' | 'delay' | 'window'>): Increment {
  const { trailingDays, delay, window } = given;
  if (delay === undefined && window === undefined) return checkIncrement({ kind: 'trailing', days: trailingDays ?? 7 });
  if (trailingDays !== undefined) {
    throw new PipelineError('config_invalid', '--trailing-days and --delay/--window both say which days are meant.', {
      hint: 'Give one of the two.',
    });
  }
  return checkIncrement({ kind: 'window', delaySeconds: delay ?? 0, windowSeconds: window ?? 86_400 });
}

/** @throws PipelineError `config_invalid` when both kinds are given, or the interval is too short */
export function timingOf({ at, every }: Pick<CreateFlags, 'at' | 'every'>): Timing {
  if (every === undefined) return { kind: 'daily', ...(at ?? { hour: 3, minute: 17 }) };
  if (at !== undefined) {
    throw new PipelineError('config_invalid', '--at and --every both say when.', { hint: 'Give one of the two.' });
  }
  if (every < 60) {
    throw new PipelineError('config_invalid', `--every is ${every}: expected 60 seconds or more.`, {
      hint: 'Such as --every 3600.',
    });
  }
  return { kind: 'every', seconds: every };
}

function name(text: string): string {
  if (!/^[\dA-Za-z][\w-]{0,80}$/.test(text)) throw new InvalidArgumentError('expected letters, digits and hyphens.');
  return text;
}

function seconds(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('expected a whole number of seconds.');
  return Number(text);
}

function timeOfDay(text: string): { hour: number; minute: number } {
  const [, hour, minute] = /^([01]\d|2[0-3]):([0-5]\d)$/.exec(text) ?? [];
  if (hour === undefined) throw new InvalidArgumentError('expected a UTC time as hh:mm, such as 03:17.');
  return { hour: Number(hour), minute: Number(minute) };
}

async function onSchedules<T>(
  context: CliContext,
  given: PlaceFlags,
  act: (schedules: ScheduleClient, session: Session, workspace: string) => Promise<T>,
): Promise<T> {
  const located = await locateWorkspace({ dir: given.workspace, cwd: context.cwd });
  const embedded = context.environment.externalTemporal ? null : await readEmbeddedInfo(located);
  if (!context.environment.externalTemporal && embedded?.shared !== true) {
    const runs = embedded
      ? 'The server of this workspace ends with its run'
      : 'No Temporal server stays up for this workspace';
    throw new PipelineError('config_invalid', `${runs}: a schedule needs one that does.`, {
      hint: `Keep one up with "reachback dev --workspace ${located.root}", or set TEMPORAL_ADDRESS to a server of your own.`,
    });
  }
  if (located.name === null) {
    throw new PipelineError('config_invalid', `There is no workspace at ${located.root} yet.`, {
      hint: `The worker makes it: reachback worker --workspace ${located.root}`,
    });
  }
  const session = await openClientSession(context.environment, located, createLogger(0, false, context.remark));
  try {
    return await act(new ScheduleClient(session.client.temporal, located.name), session, located.name);
  } finally {
    await session.close();
  }
}

export function listText(lines: readonly ScheduleLine[]): string {
  if (lines.length === 0) return 'No schedule. Make one with: reachback schedule create';
  const rows = lines.map((line) => [
    line.name,
    line.product,
    line.timing,
    line.days,
    line.paused
      ? `paused${line.note ? ` (${line.note.replaceAll(/\s+/g, ' ')})` : ''}`
      : (line.nextRun?.slice(0, 16).concat('Z') ?? 'none'),
    latestText(line),
    String(line.runs),
  ]);
  const table = formatTable(['name', 'product', 'when', 'days', 'next run', 'latest', 'runs'], rows, [6]);
  const failed = lines.flatMap(({ name: of, latest }) => {
    if (latest?.ended === 'badly') return [`${of}: its latest run did nothing: ${latest.why}`];
    return latest && latest.failedDays > 0
      ? [`${of}: ${latest.failedDays} days failed in its latest run: reachback status. The next run tries them again.`]
      : [];
  });
  const remarks = lines
    .filter(({ missed }) => missed > 0)
    .map(
      ({ name: of, missed }) =>
        `${of}: ${missed} runs were missed for longer than can be made up for. Fetch their days with "reachback run".`,
    );
  return [table, ...failed, ...remarks].join('\n');
}

function latestText({ running, recent, latest }: ScheduleLine): string {
  if (running.length > 0) return 'running';
  const time = recent.at(-1)?.scheduledFor.slice(0, 16).concat('Z');
  if (time === undefined) return 'never';
  return latest?.ended === 'badly' || (latest?.failedDays ?? 0) > 0 ? `${time} failed` : time;
}
