/** The program `reachback`: puts the commands together and turns whatever ends them into an exit code. */
import { pathToFileURL } from 'node:url';
import { Command } from 'commander';
import type { Secret } from '../core/secret.ts';
import { VERSION } from '../core/version.ts';
import { armCrashPoint } from '../storage/crash-point.ts';
import { addAdoptCommand } from './adopt.ts';
import { addCancelCommand } from './cancel.ts';
import { addCdfCommand } from './cdf.ts';
import { addDemoCommand } from './demo.ts';
import { addDevCommand } from './dev.ts';
import { addDownloadCommand } from './download.ts';
import { addExplainCommand } from './explain.ts';
import { addFinishCommand } from './finish.ts';
import { addGapsCommand } from './gaps.ts';
import { addLedgerCommand } from './ledger.ts';
import { addPauseCommand } from './pause.ts';
import { addPlanCommand } from './plan.ts';
import { addProcessCommand } from './process.ts';
import { addRepairCommand } from './repair.ts';
import { addReprocessCommand } from './reprocess.ts';
import { addRestoreCommand } from './restore.ts';
import { addResumeCommand } from './resume.ts';
import { addRetryFailedCommand } from './retry-failed.ts';
import { addRunCommand } from './run.ts';
import { addScheduleCommand } from './schedule.ts';
import { addSelftestCommand } from './selftest.ts';
import { addSimulatorCommand } from './simulator.ts';
import { addStatusCommand } from './status.ts';
import { createContext } from './support/context.ts';
import type { CliContext } from './support/context.ts';
import { EXIT, exitCodeOf } from './support/exit-codes.ts';
import type { ExitCode } from './support/exit-codes.ts';
import { outliveTerminal } from './support/interrupts.ts';
import { missingNamespace } from './support/temporal.ts';
import { describeError } from './support/report-error.ts';
import { addTelemetryCommand } from './telemetry.ts';
import { addVerifyCommand } from './verify.ts';
import { addWatchCommand } from './watch.ts';
import { addWorkerCommand } from './worker.ts';
import { addZarrCommand } from './zarr.ts';

export const COMMANDS = [
  addRunCommand,
  addDownloadCommand,
  addProcessCommand,
  addPlanCommand,
  addStatusCommand,
  addExplainCommand,
  addGapsCommand,
  addVerifyCommand,
  addRepairCommand,
  addReprocessCommand,
  addRestoreCommand,
  addLedgerCommand,
  addTelemetryCommand,
  addAdoptCommand,
  addWatchCommand,
  addRetryFailedCommand,
  addPauseCommand,
  addResumeCommand,
  addFinishCommand,
  addCancelCommand,
  addDevCommand,
  addWorkerCommand,
  addScheduleCommand,
  addCdfCommand,
  addSelftestCommand,
  addZarrCommand,
  addSimulatorCommand,
  addDemoCommand,
];

/** @param args - the words behind the program's name */
export async function runCli(args: readonly string[]): Promise<ExitCode> {
  let code: ExitCode = EXIT.ok;
  let secrets: readonly Secret[] = [];
  try {
    const context = createContext();
    ({ secrets } = context);
    armCrashPoint(context.environment.crashPoint);
    const program = createProgram(context, (ended) => {
      code = ended;
    });
    if (args.length === 0) {
      program.outputHelp({ error: true });
      return EXIT.usage;
    }
    await program.parseAsync(args, { from: 'user' });
  } catch (caught) {
    const error = missingNamespace(caught) ?? caught;
    const text = describeError(error, secrets);
    if (text !== '') process.stderr.write(`${text}\n`);
    return exitCodeOf(error);
  }
  return code;
}

function createProgram(context: CliContext, end: (code: ExitCode) => void): Command {
  const program = new Command('reachback')
    .description(
      'Fetches an archive back in time: every UTC day downloaded, counted, built into a CDF and delivered, durably.',
    )
    .version(VERSION)
    .showHelpAfterError('(add --help for the flags and examples)')
    .exitOverride();
  program.enablePositionalOptions();
  for (const add of COMMANDS) add(program, context, end);
  for (const command of [...program.commands, ...program.commands.flatMap((group) => group.commands)]) {
    command.exitOverride().showHelpAfterError('(add --help for the flags and examples)');
  }
  program.addHelpText(
    'after',
    `
Start here:
  reachback demo                                     the whole thing against a bundled stand-in of the source
  reachback run --start-date 2025-09-01 --end-date 2025-09-03
  reachback status                                   what runs, what is done, what failed

Environment: BASICAUTH or SECRET_ARN_UDL (UDL token), UDL_BASE_URL, AWS_* (delivery to S3),
 TEMPORAL_ADDRESS (else an embedded server). See README.md.`,
  );
  return program;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  outliveTerminal();
  process.exitCode = await runCli(process.argv.slice(2));
}
