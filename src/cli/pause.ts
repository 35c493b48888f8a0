import type { Command } from 'commander';
import type { CliContext } from './support/context.ts';
import { EXIT } from './support/exit-codes.ts';
import type { ExitCode } from './support/exit-codes.ts';
import { addSteerFlags, onRange } from './support/steer.ts';
import type { SteerFlags } from './support/steer.ts';

/** `reachback pause`: no new days start. */
export function addPauseCommand(program: Command, context: CliContext, end: (code: ExitCode) => void): void {
  addSteerFlags(
    program
      .command('pause')
      .summary('start no new days; running ones drain')
      .description('Start no new days; running ones drain. "resume" goes on.'),
  )
    .option('--reason <text>', 'shown to everyone who looks at the range')
    .action(async (range: string | undefined, given: SteerFlags & { reason?: string }) => {
      await onRange(context, given, range, async (session, handle) => {
        await session.client.pause(handle, given.reason);
        context.print(`${handle.workflowId}: pausing, running days drain; reachback resume goes on`);
      });
      end(EXIT.ok);
    });
}
