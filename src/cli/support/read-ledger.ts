/** A command that looks into the ledger: found, opened without ever writing to it, closed again. */
import { InvalidArgumentError } from 'commander';
import { PipelineError } from '../../core/errors.ts';
import type { Day } from '../../core/time/day.ts';
import { parseProductSlug } from '../../core/product.ts';
import type { ProductSlug } from '../../core/product.ts';
import { openLedgerIfAny } from '../../ledger/index.ts';
import type { DayLine, LedgerReports } from '../../ledger/reports.ts';
import { locateWorkspace } from '../../storage/workspace.ts';
import type { LocatedWorkspace } from '../../storage/workspace.ts';
import type { CliContext } from './context.ts';

/** @throws PipelineError `config_invalid` where there is no ledger, or one of another version; `ledger_unavailable` */
export async function readLedger<T>(
  context: CliContext,
  dir: string,
  read: (ledger: LedgerReports, located: LocatedWorkspace) => Promise<T>,
): Promise<T> {
  const located = await locateWorkspace({ dir, cwd: context.cwd });
  const ledger = await openLedgerIfAny(located, { url: context.environment.ledgerUrl });
  if (ledger === null) {
    throw new PipelineError('config_invalid', `There is no ledger for the workspace ${located.root} yet.`, {
      hint: 'Name the folder of a run with --workspace, or start a run there first.',
    });
  }
  try {
    return await read(ledger, located);
  } finally {
    await ledger.close();
  }
}

/** Value of a `--product` flag. */
export function product(text: string): ProductSlug {
  try {
    parseProductSlug(text);
    return text;
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}

/** Reads days of a workspace as they stand in a range: of its product, towards its destination; none where there is no ledger yet. */
export function dayLinesOf(
  { environment }: CliContext,
  located: LocatedWorkspace,
  product: ProductSlug,
  destination: string | null,
): (first: Day, last: Day) => Promise<DayLine[]> {
  return async (first, last) => {
    const ledger = await openLedgerIfAny(located, { url: environment.ledgerUrl });
    if (ledger === null) return [];
    try {
      return await ledger.dayLines({ first, last, product, destination });
    } finally {
      await ledger.close();
    }
  };
}
