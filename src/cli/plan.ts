import type { Command } from 'commander';
import { addFlagsOfRun, runOf } from './run.ts';
import type { RunCommandFlags } from './run.ts';
import type { CliContext } from './support/context.ts';
import { dryRun } from './support/dry-run.ts';
import type { ExitCode } from './support/exit-codes.ts';

/** `reachback plan`: what `run` with the same flags would do, and what that would cost. */
export function addPlanCommand(program: Command, context: CliContext, end: (code: ExitCode) => void): void {
  const command = program
    .command('plan')
    .summary('every day of a range with what run would do, why, and what it would cost')
    .description(
      'Lists every day with what run with the same flags would do and why; then the requests, the disk that full-size days\n' +
        'would take beside what is free, and the time and bytes that the latest days of the product suggest: by their median,\n' +
        'and so that nine of ten of them stay within. No network, no token, nothing written.',
    );
  addFlagsOfRun(command);
  command.action(async (given: RunCommandFlags) => end(await dryRun(context, runOf(context, command, given), '')));
}
