import { resolve } from 'node:path';
import type { Command } from 'commander';
import { requireFolder } from '../storage/folders.ts';
import { runBackfill } from './support/backfill.ts';
import type { CliContext } from './support/context.ts';
import { addDeliveryFlags, addReferenceDeliveryFlags, deliveryOf } from './support/delivery-flags.ts';
import type { DeliveryFlags } from './support/delivery-flags.ts';
import type { ExitCode } from './support/exit-codes.ts';
import * as flags from './support/flags.ts';
import { addZarrRangeFlags } from './support/zarr-flags.ts';
import type { ZarrRangeFlags } from './support/zarr-flags.ts';
import { addRangeCommandFlags, backfillCommand } from './support/range-command.ts';
import type { RangeCommandFlags } from './support/range-command.ts';

type Flags = RangeCommandFlags &
  flags.ProfileFlags &
  DeliveryFlags &
  ZarrRangeFlags & {
    readonly inputDir: string;
    readonly outputDir: string;
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
    .option('--telemetry-file <path>', 'telemetry CSV (default: <input-dir>/download_telemetry.csv)');
  addDeliveryFlags(command);
  addReferenceDeliveryFlags(command);
  addZarrRangeFlags(command);
  addRangeCommandFlags(command);
  flags.addProfileFlag(command, 'parity');
  command.addHelpText(
    'after',
    `
Example:
  reachback process --start-date 2025-09-01 --end-date 2025-09-03 --input-dir ./out --output-dir ./out_cdf`,
  );
  command.action(async (given: Flags) => {
    const delivery = deliveryOf(given);
    const place = { downloads: given.inputDir, products: given.outputDir };
    const { profile } = given;
    const own = { mode: 'process', place, delivery, profile, pacing: null, zarr: given } as const;
    const backfill = backfillCommand(context, given, own);
    await requireFolder(resolve(context.cwd, given.inputDir), 'input');
    end(await runBackfill(context, backfill));
  });
}
