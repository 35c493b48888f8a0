import type { Command } from 'commander';
import type { CliContext } from './support/context.ts';
import { EXIT } from './support/exit-codes.ts';
import type { ExitCode } from './support/exit-codes.ts';
import { addSteerFlags, onRange } from './support/steer.ts';
import type { SteerFlags } from './support/steer.ts';

/** `reachback cancel`: ends a range at once. */
export function addCancelCommand(program: Command, context: CliContext, end: (code: ExitCode) => void): void {
  addSteerFlags(
    program
      .command('cancel')
      .summary('stop the range and its running days now')
      .description('Stop the range and its running days now. Finished slices are kept for the next run.'),
  ).action(async (range: string | undefined, given: SteerFlags) => {
    await onRange(context, given, range, async (_session, handle) => {
      await handle.cancel();
      context.print(`${handle.workflowId}: cancelling; the same run command goes on from what is finished`);
    });
    end(EXIT.ok);
  });
}
