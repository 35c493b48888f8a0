import { Option } from 'commander';
import type { Command } from 'commander';
import { decisionTable } from '../core/backfill/decision-table.ts';
import type { IntegrityReport } from '../ledger/reports.ts';
import { locateWorkspace, openWorkspace } from '../storage/workspace.ts';
import type { CliContext } from './support/context.ts';
import { EXIT } from './support/exit-codes.ts';
import type { ExitCode } from './support/exit-codes.ts';
import { formatCount, formatTable } from './support/format.ts';
import { readLedger } from './support/read-ledger.ts';
import { ledgerDamageIn } from './support/report-error.ts';
import { finalize, putLedgerAside, requireTelemetry, takeUp, takeUpText } from './support/take-up.ts';

interface Flags {
  readonly workspace: string;
  readonly json?: boolean;
}

/** `reachback ledger check|rebuild|decisions`: the database itself, and the rules by which days are decided. */
export function addLedgerCommand(program: Command, context: CliContext, end: (code: ExitCode) => void): void {
  const ledger = program
    .command('ledger')
    .summary('the database of a workspace, and the rules that use it')
    .description('The database of a workspace, and the rules that use it.');
  ledger
    .command('check')
    .description(
      "The database's own integrity check, then what it keeps twice against each other, then fresh counts of all rows. Safe\n" +
        'beside a run; reads only. Exit code 1 on damage.',
    )
    .option('--workspace <dir>', 'the workspace (or an --output-dir)', './data')
    .option('--json', 'print as JSON')
    .action(async (given: Flags) => {
      const report = await checked(context, given.workspace);
      context.print(given.json === true ? JSON.stringify(report) : reportText(report));
      end(report.problems.length === 0 ? EXIT.ok : EXIT.failed);
    });
  ledger
    .command('rebuild')
    .description(
      'Make the ledger anew from the telemetry CSV and the files, after its database was lost or put aside: every file that the\n' +
        'CSV names is read and compared with the manifest beside it. No request, no file is changed. May be repeated, and goes on\n' +
        'after a kill. What only the database knew is gone: slices, refused requests, comparisons of days without data.\n' +
        '--finalize-only reads no file: it makes the sums and latest states of days anew from the rows that are there.',
    )
    .option('--workspace <dir>', 'the workspace (or an --output-dir)', './data')
    .addOption(
      new Option('--reset', 'put the present database aside first (a SQLite file; it is kept beside)').conflicts(
        'finalizeOnly',
      ),
    )
    .option('--finalize-only', 'only the sums and latest states of days, from the rows of the database')
    .option('--json', 'print as JSON')
    .action(async (given: Flags & { readonly reset?: boolean; readonly finalizeOnly?: boolean }) => {
      const request = { dir: given.workspace, cwd: context.cwd };
      if (given.finalizeOnly === true) {
        await readLedger(context, given.workspace, () => Promise.resolve());
        const days = await finalize(context, await openWorkspace(request));
        context.print(given.json === true ? JSON.stringify({ days }) : `${formatCount(days)} days summed up.`);
        end(EXIT.ok);
        return;
      }
      await requireTelemetry((await locateWorkspace(request)).telemetryFile);
      const workspace = await openWorkspace(request);
      if (given.reset === true) await putLedgerAside(context, workspace);
      const result = await takeUp(context, workspace);
      context.print(given.json === true ? JSON.stringify(result) : takeUpText(result));
      end(EXIT.ok);
    });
  ledger
    .command('decisions')
    .description(
      'What is done with a day, by what is known of it: the tables that planning follows, from the code itself.',
    )
    .option('--json', 'print as JSON')
    .action((given: { json?: boolean }) => {
      const tables = decisionTable();
      context.print(
        given.json === true
          ? JSON.stringify(tables)
          : tables.map(({ title, columns, rows }) => `${title}\n\n${formatTable(columns, rows)}`).join('\n\n'),
      );
      end(EXIT.ok);
    });
}

/** A file that cannot even be read is a finding, not a failure of the check. */
async function checked(context: CliContext, workspace: string): Promise<IntegrityReport> {
  try {
    return await readLedger(context, workspace, (ledger) => ledger.checkIntegrity());
  } catch (error) {
    const damage = ledgerDamageIn(error);
    if (damage === null) throw error;
    return { problems: [`The database is damaged: ${damage}`], rows: {} };
  }
}

function reportText({ problems, rows }: IntegrityReport): string {
  const counts = Object.entries(rows).map(([table, count]) => [table, formatCount(count)]);
  if (problems.length === 0) return `${formatTable(['table', 'rows'], counts, [1])}\n\nThe ledger is whole.`;
  return [
    ...problems,
    '  → Stop what writes to it, keep a copy, and restore a backup. Without one, move the database away and run `reachback ledger rebuild`: it makes a new one from files, manifests and the telemetry CSV, and nothing is downloaded again that they know.',
    ...(counts.length === 0 ? [] : ['', formatTable(['table', 'rows'], counts, [1])]),
  ].join('\n');
}
