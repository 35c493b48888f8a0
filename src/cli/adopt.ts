import type { Command } from 'commander';
import { locateWorkspace, openWorkspace } from '../storage/workspace.ts';
import type { CliContext } from './support/context.ts';
import { EXIT } from './support/exit-codes.ts';
import type { ExitCode } from './support/exit-codes.ts';
import { requireTelemetry, takeUp, takeUpText } from './support/take-up.ts';

const NEXT = `  → download and process with the same folders go on from here; --dry-run shows what they would do,
    --retry-failed tries again what had failed.`;

interface Flags {
  readonly products?: string;
  readonly telemetryFile?: string;
  readonly json?: boolean;
}

/** `reachback adopt DIR`: goes on where another program stopped. */
export function addAdoptCommand(program: Command, context: CliContext, end: (code: ExitCode) => void): void {
  program
    .command('adopt')
    .summary('take over the telemetry and files of another program')
    .description(
      'Takes over a folder of downloads that another program made: its telemetry CSV becomes the ledger, and every file that it\n' +
        'calls whole is read, compared (size, records) and marked as done, so that download and process ask for nothing again.\n' +
        'What is missing or differs is reported and done anew by the next run; no file is changed or removed. The CSV goes on\n' +
        'being written; one of 18 columns is upgraded, its original kept. May be repeated, and goes on after a kill.',
    )
    .argument('<dir>', 'the folder of the downloads, as --output-dir of download')
    .option('--products <dir>', 'where its products are, as --output-dir of process')
    .option('--telemetry-file <path>', 'telemetry CSV (default: download_telemetry.csv in the folder)')
    .option('--json', 'print as JSON')
    .action(async (dir: string, given: Flags) => {
      const { products, telemetryFile } = given;
      const request = { downloads: dir, products, telemetryFile, cwd: context.cwd };
      await requireTelemetry((await locateWorkspace(request)).telemetryFile);
      const result = await takeUp(context, await openWorkspace(request));
      context.print(given.json === true ? JSON.stringify(result) : `${takeUpText(result)}\n${NEXT}`);
      end(EXIT.ok);
    });
}
