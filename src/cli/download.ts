import type { Command } from 'commander';
import { runBackfill } from './support/backfill.ts';
import type { CliContext } from './support/context.ts';
import { NO_DELIVERY } from './support/delivery-flags.ts';
import type { ExitCode } from './support/exit-codes.ts';
import * as flags from './support/flags.ts';
import { addRangeCommandFlags, backfillCommand } from './support/range-command.ts';
import type { RangeCommandFlags } from './support/range-command.ts';

type Flags = RangeCommandFlags & flags.PacingFlags & { readonly outputDir: string };

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
    .option('--telemetry-file <path>', 'telemetry CSV (default: <output-dir>/download_telemetry.csv)');
  addRangeCommandFlags(command);
  command.option('--fetch-released', 'fetch day files again that run --keep-downloads has removed');
  flags.addSlicesFlag(command);
  flags.addPacingFlags(command);
  command.addHelpText(
    'after',
    `
Example:
  reachback download --start-date 2025-09-01 --end-date 2025-09-03 --sensor-id REACH-101 --output-dir ./out`,
  );
  command.action(async (given: Flags) => {
    const pacing = { flags: given, typed: flags.givenPacing(command) };
    const own = {
      mode: 'download',
      place: { downloads: given.outputDir },
      delivery: NO_DELIVERY,
      profile: 'parity',
    } as const;
    end(await runBackfill(context, backfillCommand(context, given, { ...own, pacing })));
  });
}
