import type { Command } from 'commander';
import { runBackfill } from './support/backfill.ts';
import type { BackfillCommand } from './support/backfill.ts';
import type { CliContext } from './support/context.ts';
import { addDeliveryFlags, deliveryOf } from './support/delivery-flags.ts';
import type { DeliveryFlags } from './support/delivery-flags.ts';
import type { ExitCode } from './support/exit-codes.ts';
import * as flags from './support/flags.ts';
import { addZarrRangeFlags } from './support/zarr-flags.ts';
import type { ZarrRangeFlags } from './support/zarr-flags.ts';
import { addRangeCommandFlags, backfillCommand } from './support/range-command.ts';
import type { RangeCommandFlags } from './support/range-command.ts';

export type RunCommandFlags = RangeCommandFlags &
  flags.PacingFlags &
  flags.ProfileFlags &
  DeliveryFlags &
  ZarrRangeFlags & { readonly workspace: string };

/** `reachback run`: all four stages of every day of a range. */
export function addRunCommand(program: Command, context: CliContext, end: (code: ExitCode) => void): void {
  const command = program
    .command('run')
    .summary('download, count, build and deliver every day of a range')
    .description(
      'Takes every UTC day of a range through download, count, build and delivery. Days that are done are skipped, so the\n' +
        'same command again goes on where it was. ALL costs about 288 requests a day, one sensor about 4, and\n' +
        'one more each to compare the day with the number of records that the source counts.',
    );
  addFlagsOfRun(command);
  command.addHelpText(
    'after',
    `
Examples:
  reachback run --start-date 2025-09-01 --end-date 2025-09-30 --upload-to file:///srv/products
  reachback run --start-date 2025-09-01 --end-date 2025-09-30 --upload-to s3://my-bucket/reach --aws-region us-east-1
  reachback run --start-date 2025-09-01 --end-date 2025-09-30 --dry-run      what would be done, without a trace
  reachback run --start-date 2025-09-01 --end-date 2025-09-30 --retry-failed
  reachback run --start-date 2025-09-01 --end-date 2025-09-30 --refresh

Late data: a day is final once it was compared with the source later than 7 days after it (PROVISIONAL: 120). Until then
run asks for its number of records when the day is 1, 3, 7, 30 and 120 days old; --refresh asks at once, for final days
too. Another number: only the slices that differ are fetched, and the product gets its next patch version. A source that
cannot count is asked for the whole day again by --refresh alone; the same content changes nothing.

Exit codes: 0 all done, 1 some days failed, 2 usage or configuration, 3 the source stopped the run.`,
  );
  command.action(async (given: RunCommandFlags) => end(await runBackfill(context, runOf(context, command, given))));
}

/** The flags of `run`, which `plan` takes as well. */
export function addFlagsOfRun(command: Command): void {
  command
    .option('--workspace <dir>', 'folder for downloads, products and the ledger', './data')
    .option('--telemetry-file <path>', 'telemetry CSV (default: download_telemetry.csv beside the downloads)');
  addDeliveryFlags(command);
  addZarrRangeFlags(command);
  addRangeCommandFlags(command);
  command.option('--refresh', 'ask again for days that are done: late data is fetched, nothing else is touched');
  flags.addProfileFlag(command, 'istp');
  flags.addSlicesFlag(command);
  flags.addPacingFlags(command);
}

/** What the flags of `run` come down to. @throws PipelineError `config_invalid` naming the flag */
export function runOf(context: CliContext, command: Command, given: RunCommandFlags): BackfillCommand {
  const { profile } = given;
  const pacing = { flags: given, typed: flags.givenPacing(command) };
  const place = { dir: given.workspace };
  return backfillCommand(context, given, {
    mode: 'run',
    place,
    delivery: deliveryOf(given),
    profile,
    pacing,
    zarr: given,
  });
}
