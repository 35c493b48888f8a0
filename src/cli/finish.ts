import type { Command } from 'commander';
import type { CliContext } from './support/context.ts';
import { EXIT } from './support/exit-codes.ts';
import type { ExitCode } from './support/exit-codes.ts';
import { addSteerFlags, onRange } from './support/steer.ts';
import type { SteerFlags } from './support/steer.ts';

/** `reachback finish`: ends a range in good order. */
export function addFinishCommand(program: Command, context: CliContext, end: (code: ExitCode) => void): void {
  addSteerFlags(
    program
      .command('finish')
      .summary('let running days drain, then end the range with what it has')
      .description('Let running days drain, then end the range with what it has.'),
  ).action(async (range: string | undefined, given: SteerFlags) => {
    await onRange(context, given, range, async (session, handle) => {
      await session.client.finish(handle);
      context.print(`${handle.workflowId}: finishing; running days drain`);
    });
    end(EXIT.ok);
  });
}
