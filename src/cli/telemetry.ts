import { resolve } from 'node:path';
import type { Command } from 'commander';
import { openLedgerIfAny } from '../ledger/index.ts';
import { exportTelemetry } from '../ledger/telemetry-export.ts';
import { PipelineError } from '../core/errors.ts';
import { locateWorkspace, openWorkspace } from '../storage/workspace.ts';
import type { CliContext } from './support/context.ts';
import { EXIT } from './support/exit-codes.ts';
import type { ExitCode } from './support/exit-codes.ts';
import { asWriter, importRows, requireTelemetry, telemetryLines } from './support/take-up.ts';

interface Flags {
  readonly workspace: string;
  readonly json?: boolean;
}

/** `reachback telemetry export|import`: the ledger's attempts as the CSV that operators know, and back. */
export function addTelemetryCommand(program: Command, context: CliContext, end: (code: ExitCode) => void): void {
  const telemetry = program
    .command('telemetry')
    .description('The telemetry CSV: written anew from the ledger, or read into it.');
  telemetry
    .command('export')
    .description(
      'Write every attempt of the ledger as a telemetry CSV of 24 columns. Reads the ledger only, also beside a run.',
    )
    .argument('<file>', 'the CSV to write; it must not exist')
    .option('--workspace <dir>', 'the workspace (or an --output-dir)', './data')
    .action(async (file: string, given: Flags) => {
      const located = await locateWorkspace({ dir: given.workspace, cwd: context.cwd });
      const ledger = await openLedgerIfAny(located, { url: context.environment.ledgerUrl });
      if (ledger === null) {
        throw new PipelineError('config_invalid', `There is no ledger for the workspace ${located.root} yet.`, {
          hint: 'Name the folder of a run with --workspace.',
        });
      }
      try {
        const path = resolve(context.cwd, file);
        context.print(`${await exportTelemetry(ledger, path)} rows written to ${path}`);
      } finally {
        await ledger.close();
      }
      end(EXIT.ok);
    });
  telemetry
    .command('import')
    .description(
      'Read the rows of a telemetry CSV into the ledger; rows that are there stay as they are. Days count as done by their\n' +
        'files, which "reachback adopt" and "reachback ledger rebuild" look at as well. May be repeated, and goes on after a kill.',
    )
    .argument('<file>', 'a telemetry CSV of 24 or 18 columns')
    .option('--workspace <dir>', 'the workspace (or an --output-dir)', './data')
    .option('--json', 'print as JSON')
    .action(async (file: string, given: Flags) => {
      await requireTelemetry(resolve(context.cwd, file));
      const workspace = await openWorkspace({ dir: given.workspace, cwd: context.cwd });
      const result = await asWriter(context, workspace, (ledger) =>
        importRows(context, ledger, resolve(context.cwd, file)),
      );
      context.print(given.json === true ? JSON.stringify(result) : telemetryLines(result).join('\n'));
      end(EXIT.ok);
    });
}
