import { InvalidArgumentError } from 'commander';
import type { Command } from 'commander';
import { expectedRecords, parseProductSlug } from '../core/product.ts';
import type { ProductSlug } from '../core/product.ts';
import { GAP_CAUSES, gapsOf } from '../core/report/gaps.ts';
import type { Gap, GapCause } from '../core/report/gaps.ts';
import { sliceLengthMs } from '../core/slices.ts';
import { DAY_MS, dayOfMs } from '../core/time/day.ts';
import type { Day } from '../core/time/day.ts';
import type { LedgerReports } from '../ledger/reports.ts';
import type { CliContext } from './support/context.ts';
import { EXIT } from './support/exit-codes.ts';
import type { ExitCode } from './support/exit-codes.ts';
import * as flags from './support/flags.ts';
import { formatCount, formatSeconds, formatTable } from './support/format.ts';
import { product, readLedger } from './support/read-ledger.ts';

interface Flags {
  readonly workspace: string;
  readonly product?: ProductSlug;
  readonly startDate?: Day;
  readonly endDate?: Day;
  readonly shortBelow: number;
  readonly json?: boolean;
}

interface ProductGaps {
  readonly product: ProductSlug;
  readonly first: Day;
  readonly last: Day;
  readonly gaps: readonly Gap[];
}

const CAUSE_TEXT: Record<GapCause, string> = {
  absent: 'absent at the source',
  too_recent: 'no data yet: asked for too early',
  not_yet: 'not downloaded yet',
  failed: 'failed',
  short: 'short',
};

/** `reachback gaps`: intervals without data, or with little, and their cause. Writes nothing. */
export function addGapsCommand(program: Command, context: CliContext, end: (code: ExitCode) => void): void {
  program
    .command('gaps')
    .summary('intervals without data, and why')
    .description(
      'Intervals without data and their cause: absent at the source, no data yet, not downloaded yet, failed, short (fewer\n' +
        'records than a share of the nominal number). From what the ledger knows; reads only.',
    )
    .option('--workspace <dir>', 'the workspace (or an --output-dir)', './data')
    .option('--product <slug>', 'one product, such as reach-all/quicklook (default: all)', product)
    .option('--start-date <day>', 'first UTC day (default: the first that is known)', flags.day)
    .option('--end-date <day>', 'last UTC day, included (default: the last that is known)', flags.day)
    .option('--short-below <percent>', 'share of the nominal records below which an interval is short', percent, 50)
    .option('--json', 'print as JSON')
    .action(async (given: Flags) => {
      const { startDate, endDate } = given;
      if (startDate !== undefined && endDate !== undefined) flags.checkRange({ startDate, endDate });
      const today = dayOfMs(Date.now());
      const found = await readLedger(context, given.workspace, (ledger) => gapsIn(ledger, given, today));
      context.print(given.json === true ? JSON.stringify(found.map(readable)) : gapsText(found));
      end(EXIT.ok);
    });
}

async function gapsIn(ledger: LedgerReports, given: Flags, today: Day): Promise<ProductGaps[]> {
  const products = given.product === undefined ? await ledger.products() : [given.product];
  const shortBelow = given.shortBelow / 100;
  const found: ProductGaps[] = [];
  for (const each of products) {
    const known = await ledger.knownRange(each);
    const first = given.startDate ?? known?.first;
    const last = given.endDate ?? known?.last;
    if (first === undefined || last === undefined || first > last) continue;
    const { sensor, descriptor } = parseProductSlug(each);
    const expectedPerDay = expectedRecords(parseProductSlug(each));
    const perSlice = (expectedPerDay * sliceLengthMs(sensor)) / DAY_MS;
    const days = await ledger.gapDays({ product: each, first, last, fewerThan: Math.ceil(shortBelow * perSlice) });
    found.push({ product: each, first, last, gaps: gapsOf(days, { today, descriptor, expectedPerDay, shortBelow }) });
  }
  return found;
}

function readable({ gaps, ...of }: ProductGaps) {
  const iso = (ms: number): string => new Date(ms).toISOString();
  return {
    ...of,
    gaps: gaps.map(({ startMs, endMs, cause, records }) => ({ start: iso(startMs), end: iso(endMs), cause, records })),
  };
}

function gapsText(products: readonly ProductGaps[]): string {
  if (products.length === 0) return 'The ledger knows no day in this range.';
  return products
    .map(({ product: slug, first, last, gaps }) => {
      const title = `${slug} ${first}..${last}`;
      if (gaps.length === 0) return `${title}: no gaps`;
      const rows = gaps.map(({ startMs, endMs, cause, records }) => [
        instant(startMs),
        instant(endMs),
        formatSeconds((endMs - startMs) / 1000),
        CAUSE_TEXT[cause],
        cause === 'short' ? formatCount(records) : '',
      ]);
      const sums = GAP_CAUSES.flatMap((cause) => {
        const ofCause = gaps.filter((gap) => gap.cause === cause);
        const hours = ofCause.reduce((sum, { startMs, endMs }) => sum + endMs - startMs, 0) / 3_600_000;
        return ofCause.length === 0 ? [] : [`${CAUSE_TEXT[cause]} ${hours.toFixed(1)} h`];
      });
      return `${title}: ${sums.join(', ')}\n${formatTable(['from', 'to', 'length', 'cause', 'records'], rows, [2, 4])}`;
    })
    .join('\n\n');
}

function instant(ms: number): string {
  return new Date(ms).toISOString().slice(0, 19).replace('T', ' ');
}

function percent(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0 && value <= 100)) throw new InvalidArgumentError('expected 0 to 100.');
  return value;
}
