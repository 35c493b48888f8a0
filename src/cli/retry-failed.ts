import type { Command } from 'commander';
import type { Day } from '../core/time/day.ts';
import type { CliContext } from './support/context.ts';
import { EXIT } from './support/exit-codes.ts';
import type { ExitCode } from './support/exit-codes.ts';
import { day } from './support/flags.ts';
import { addSteerFlags, onRange } from './support/steer.ts';
import type { SteerFlags } from './support/steer.ts';

/** `reachback retry-failed`: failed days of an open range again. */
export function addRetryFailedCommand(program: Command, context: CliContext, end: (code: ExitCode) => void): void {
  const collect = (text: string, days: Day[]): Day[] => [...days, day(text)];
  addSteerFlags(
    program
      .command('retry-failed')
      .summary('try the failed days of an open range again')
      .description(
        'Try failed days of an open range again; what they had finished is kept. (For a range that has ended: run … --retry-failed.)',
      ),
  )
    .option('--day <date>', 'only this day; may be repeated', collect, [])
    .action(async (range: string | undefined, given: SteerFlags & { day: Day[] }) => {
      await onRange(context, given, range, async (session, handle) => {
        await session.client.retryFailedDays(handle, given.day);
        const which = given.day.length > 0 ? given.day.join(', ') : 'all failed days';
        context.print(`${handle.workflowId}: retrying ${which}; see reachback watch`);
      });
      end(EXIT.ok);
    });
}
