import type { Command } from 'commander';
import { runBackfill } from './support/backfill.ts';
import type { CliContext } from './support/context.ts';
import type { ExitCode } from './support/exit-codes.ts';
import * as flags from './support/flags.ts';

type Flags = flags.RangeFlags &
  flags.RunFlags &
  flags.OutputFlags &
  flags.PacingFlags &
  flags.SliceFlags & {
    readonly outputDir: string;
    readonly telemetryFile?: string;
    readonly awsRegion?: string;
    readonly spaceCheck: boolean;
  };

/** `reachback download`: the first two stages, with the reference's flags (spec/cli.md §2). */
export function addDownloadCommand(program: Command, context: CliContext, end: (code: ExitCode) => void): void {
  const command = program
    .command('download')
    .summary('download and count every day of a range')
    .description(
      'Downloads every UTC day of a range into one file a day and counts it. ALL costs about 288 requests a day, one sensor\n' +
        'about 4. State is kept in <output-dir>/.reachback, or in the workspace that the folder lies in.',
    )
    .requiredOption('--output-dir <dir>', 'where the day files go; made if missing')
    .option('--telemetry-file <path>', 'telemetry CSV (default: <output-dir>/download_telemetry.csv)')
    .option('--aws-region <region>', 'region for looking the token up in AWS Secrets Manager')
    .option('--no-space-check', 'start although the estimate says that the disk is too small');
  flags.addRangeFlags(command);
  flags.addRunFlags(command);
  flags.addSlicesFlag(command);
  flags.addPacingFlags(command);
  flags.addOutputFlags(command);
  command.addHelpText(
    'after',
    `
Example:
  reachback download --start-date 2025-09-01 --end-date 2025-09-03 --sensor-id REACH-101 --output-dir ./out`,
  );
  command.action(async (given: Flags) => {
    const product = flags.productOf(given);
    flags.checkRange(given);
    end(
      await runBackfill(context, {
        product,
        first: given.startDate,
        last: given.endDate,
        options: {
          mode: 'download',
          retryFailed: given.retryFailed ?? false,
          uploadTo: null,
          profile: 'parity',
          sliceMode: given.slices,
          limitDays: given.limitDays ?? null,
        },
        concurrency: given.concurrency,
        workspace: { downloads: given.outputDir, telemetryFile: given.telemetryFile, cwd: context.cwd },
        pacing: flags.pacingOf(given, context.environment.passWaitMs),
        dryRun: given.dryRun ?? false,
        attach: given.attach ?? false,
        checkSpace: given.spaceCheck,
        output: given,
      }),
    );
  });
}
