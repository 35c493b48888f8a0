import type { Command } from 'commander';
import type { CliContext } from './support/context.ts';
import { EXIT } from './support/exit-codes.ts';
import type { ExitCode } from './support/exit-codes.ts';
import { addSteerFlags, onRange } from './support/steer.ts';
import type { SteerFlags } from './support/steer.ts';

/** `reachback resume`: ends a pause. */
export function addResumeCommand(program: Command, context: CliContext, end: (code: ExitCode) => void): void {
  addSteerFlags(
    program
      .command('resume')
      .summary("end a pause, yours or the source's")
      .description("End a pause, yours or the source's; after an incident one request probes the source."),
  ).action(async (range: string | undefined, given: SteerFlags) => {
    await onRange(context, given, range, async (session, handle) => {
      await session.client.resume(handle);
      context.print(`${handle.workflowId}: resumed; see reachback watch`);
    });
    end(EXIT.ok);
  });
}
