import type { Command } from 'commander';
import type { Day } from '../core/time/day.ts';
import type { CliContext } from './support/context.ts';
import { PipelineError } from '../core/errors.ts';
import { EXIT } from './support/exit-codes.ts';
import type { ExitCode } from './support/exit-codes.ts';
import { explainText } from './support/explain-text.ts';
import * as flags from './support/flags.ts';
import { product, readLedger } from './support/read-ledger.ts';

interface Flags {
  readonly workspace: string;
  readonly product?: string;
  readonly slices?: boolean;
  readonly json?: boolean;
}

/** `reachback explain DAY`: how a day came to what it is, from the requests to the upload. Writes nothing. */
export function addExplainCommand(program: Command, context: CliContext, end: (code: ExitCode) => void): void {
  program
    .command('explain')
    .summary('how a day came to what it is, with every request that failed and every hash')
    .description(
      'How a day came to what it is: attempts, requests that failed or had to wait and what followed, slices, the downloaded\n' +
        'file, counts, products, uploads, with every hash. Reads only.',
    )
    .argument('<day>', 'a UTC day', flags.day)
    .option('--workspace <dir>', 'the workspace (or an --output-dir)', './data')
    .option('--product <slug>', 'one product, such as reach-all/quicklook (default: all that know the day)', product)
    .option('--slices', 'list all slices with their hashes (JSON always does)')
    .option('--json', 'print as JSON')
    .addHelpText('after', '\nExample:\n  reachback explain 2025-09-01 --slices')
    .action(async (day: Day, given: Flags) => {
      const histories = await readLedger(context, given.workspace, async (ledger, { root }) => {
        const found = await ledger.dayHistories(day, given.product ?? null);
        if (found.length > 0) return found;
        const known = given.product === undefined ? '' : ` of ${given.product}`;
        throw new PipelineError('config_invalid', `The ledger of ${root} knows nothing${known} about ${day}.`, {
          hint: '"reachback status" lists the products; "reachback gaps" the days that were never downloaded.',
        });
      });
      context.print(
        given.json === true
          ? JSON.stringify(histories)
          : histories.map((history) => explainText(history, given.slices === true)).join('\n\n'),
      );
      end(EXIT.ok);
    });
}
