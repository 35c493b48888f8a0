import { resolve } from 'node:path';
import type { Command } from 'commander';
import { PipelineError } from '../core/errors.ts';
import { requireFolder } from '../storage/folders.ts';
import { runBackfill } from './support/backfill.ts';
import type { CliContext } from './support/context.ts';
import type { ExitCode } from './support/exit-codes.ts';
import * as flags from './support/flags.ts';
import { addRangeCommandFlags, backfillCommand } from './support/range-command.ts';
import type { RangeCommandFlags } from './support/range-command.ts';

type Flags = RangeCommandFlags &
  flags.ProfileFlags & {
    readonly inputDir: string;
    readonly outputDir: string;
    readonly uploadToS3?: boolean;
    readonly s3Bucket?: string;
    readonly uploadTo?: string;
    readonly awsRegion?: string;
  };

/** `reachback process`: the last two stages, with the reference's flags (spec/cli.md §3). */
export function addProcessCommand(program: Command, context: CliContext, end: (code: ExitCode) => void): void {
  const command = program
    .command('process')
    .summary('build and deliver the CDF of every downloaded day of a range')
    .description(
      'Builds one CDF from each day file in --input-dir and delivers it. Nothing of the input is filtered by day; days\n' +
        'without a file are reported and looked at again next time.',
    )
    .requiredOption('--input-dir <dir>', 'holds the day files, named as "download" names them')
    .requiredOption('--output-dir <dir>', 'where CDFs go, as <level>/<descriptor>/<year>/<month>/<day>/<name>')
    .option('--telemetry-file <path>', 'telemetry CSV (default: <input-dir>/download_telemetry.csv)')
    .option('--upload-to <uri>', 'deliver products to file:///dir')
    .option('--upload-to-s3', 'deliver to the bucket named by --s3-bucket')
    .option('--s3-bucket <name>', 'bucket for --upload-to-s3')
    .option('--aws-region <region>', 'region of the bucket');
  addRangeCommandFlags(command);
  flags.addProfileFlag(command, 'parity');
  command.addHelpText(
    'after',
    `
Example:
  reachback process --start-date 2025-09-01 --end-date 2025-09-03 --input-dir ./out --output-dir ./out_cdf`,
  );
  command.action(async (given: Flags) => {
    const uploadTo = destinationOf(given);
    const place = { downloads: given.inputDir, products: given.outputDir };
    const { profile } = given;
    const backfill = backfillCommand(context, given, { mode: 'process', place, uploadTo, profile, pacing: null });
    await requireFolder(resolve(context.cwd, given.inputDir), 'input');
    end(await runBackfill(context, backfill));
  });
}

/** The reference's upload flags as a destination (CLI-7). */
function destinationOf(given: Flags): string | null {
  if (given.uploadToS3 === true && given.s3Bucket === undefined) {
    throw new PipelineError('config_invalid', '--upload-to-s3 needs a bucket.', {
      hint: 'Add --s3-bucket NAME, or deliver elsewhere with --upload-to.',
    });
  }
  if (given.uploadTo !== undefined && given.uploadToS3 === true) {
    throw new PipelineError('config_invalid', '--upload-to and --upload-to-s3 both name a destination.', {
      hint: 'Give one of them.',
    });
  }
  return given.uploadTo ?? (given.uploadToS3 === true ? `s3://${given.s3Bucket}` : null);
}
