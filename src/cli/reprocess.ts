import type { Command } from 'commander';
import { allKeptBodies, surveyKeptDay } from '../activities/download/index.ts';
import type { KeptDay } from '../activities/download/index.ts';
import type { Profile, SliceMode } from '../core/backfill/types.ts';
import { parseProductSlug } from '../core/product.ts';
import type { ProductSlug } from '../core/product.ts';
import { checkRateConfig } from '../core/rate/config.ts';
import { addDays } from '../core/time/day.ts';
import type { Day } from '../core/time/day.ts';
import { locateWorkspace } from '../storage/workspace.ts';
import { runBackfill } from './support/backfill.ts';
import type { CliContext } from './support/context.ts';
import { addAwsRegionFlag, addDeliveryFlags, deliveryOf } from './support/delivery-flags.ts';
import type { DeliveryFlags } from './support/delivery-flags.ts';
import { EXIT } from './support/exit-codes.ts';
import type { ExitCode } from './support/exit-codes.ts';
import * as flags from './support/flags.ts';
import { formatBytes } from './support/format.ts';
import { product } from './support/read-ledger.ts';

type Flags = flags.ProfileFlags &
  flags.OutputFlags &
  DeliveryFlags & {
    readonly workspace: string;
    readonly product?: ProductSlug;
    readonly startDate?: Day;
    readonly endDate?: Day;
    readonly awsRegion?: string;
    readonly dryRun?: boolean;
  };

/** `reachback reprocess`: days from answers that an earlier version could not read (TRACK-10). */
export function addReprocessCommand(program: Command, context: CliContext, end: (code: ExitCode) => void): void {
  const command = program
    .command('reprocess')
    .summary('read answers again that could not be read, without asking the source')
    .description(
      'Answers of the source that came whole and could not be read are kept beside the finished slices of their day. This\n' +
        'reads them with what this version can; a day that is complete then goes through count, build and delivery, without a\n' +
        'request, a token or the source. A day that stays incomplete stays as it is. Exit code 1 when one does.',
    )
    .option('--workspace <dir>', 'the workspace (or an --output-dir)', './data')
    .option('--product <slug>', 'one product, such as reach-all/quicklook (default: all)', product)
    .option('--start-date <day>', 'first UTC day (default: all)', flags.day)
    .option('--end-date <day>', 'last UTC day, included (default: all)', flags.day)
    .option('--dry-run', 'say what is kept and what of it can be read, and do nothing');
  addDeliveryFlags(command);
  addAwsRegionFlag(command);
  flags.addProfileFlag(command, 'istp');
  flags.addOutputFlags(command);
  command.action(async (given: Flags) => end(await reprocess(context, given)));
}

async function reprocess(context: CliContext, given: Flags): Promise<ExitCode> {
  const delivery = deliveryOf(given);
  const days = await survey(context, given);
  const tell = given.json === true ? context.remark : context.print;
  for (const line of surveyLines(days)) tell(line);
  if (given.json === true) context.print(JSON.stringify({ type: 'kept', days: days.map(asJson) }));
  const complete = days.filter(({ missing }) => missing === 0);
  let worst: ExitCode = complete.length < days.length ? EXIT.failed : EXIT.ok;
  if (given.dryRun === true) return worst;
  for (const { product: slug, first, last, sliceMode } of rangesOf(complete)) {
    const { profile, json, verbose } = given;
    const code = await runBackfill(context, {
      product: parseProductSlug(slug),
      first,
      last,
      options: {
        mode: 'run',
        retryFailed: true,
        offline: true,
        ...delivery,
        profile: profile satisfies Profile,
        sliceMode,
        limitDays: null,
      },
      concurrency: 2,
      workspace: { dir: given.workspace, cwd: context.cwd },
      awsRegion: given.awsRegion ?? null,
      pacing: checkRateConfig(),
      pacingGiven: [],
      dryRun: false,
      attach: false,
      checkSpace: true,
      output: { ...(json === true && { json }), verbose },
    });
    if (code !== EXIT.ok && code !== EXIT.failed) return code;
    if (code === EXIT.failed) worst = code;
  }
  return worst;
}

/** Days with answers that are kept, of those asked for. */
async function survey(context: CliContext, given: Flags): Promise<KeptDay[]> {
  const { startDate, endDate, product: wanted } = given;
  if (startDate !== undefined && endDate !== undefined) flags.checkRange({ startDate, endDate });
  const located = await locateWorkspace({ dir: given.workspace, cwd: context.cwd });
  const kept = (await allKeptBodies(located.slices)).filter(
    ({ header: { product: slug, day } }) =>
      (wanted === undefined || slug === wanted) &&
      (startDate === undefined || day >= startDate) &&
      (endDate === undefined || day <= endDate),
  );
  const byDay = Map.groupBy(kept, ({ header }) => `${header.product} ${header.day}`);
  const days: KeptDay[] = [];
  for (const bodies of byDay.values()) days.push(await surveyKeptDay(located, bodies));
  return days.toSorted((a, b) => (`${a.product} ${a.day}` < `${b.product} ${b.day}` ? -1 : 1));
}

function surveyLines(days: readonly KeptDay[]): string[] {
  if (days.length === 0) return ['No answer is kept that could not be read.'];
  return days.flatMap(({ product: slug, day, bodies, missing }) => {
    const readable = bodies.filter(({ problem }) => problem === null).length;
    const rest = missing === 0 ? 'the day is complete with them' : `${missing} slices are still missing`;
    return [
      `${day} ${slug}: ${bodies.length} kept answers, ${readable} can be read now; ${rest}`,
      ...bodies
        .filter(({ problem }) => problem !== null)
        .map(({ body, problem }) => `  ${body.path} (${formatBytes(body.header.bytes)}): ${problem}`),
    ];
  });
}

function asJson({ product: slug, day, bodies, missing }: KeptDay) {
  return {
    product: slug,
    day,
    missing,
    answers: bodies.map(({ body: { path, header }, problem }) => ({ path, problem, ...header })),
  };
}

interface KeptRange {
  readonly product: ProductSlug;
  readonly first: Day;
  readonly last: Day;
  readonly sliceMode: SliceMode;
}

/** Days that follow each other are one range; no other day may come between. */
function rangesOf(days: readonly KeptDay[]): KeptRange[] {
  const ranges: KeptRange[] = [];
  for (const { product: slug, day, bodies } of days) {
    const { sliceMode } = bodies[0]!.body.header;
    const last = ranges.at(-1);
    const follows = last?.product === slug && last.sliceMode === sliceMode && addDays(last.last, 1) === day;
    if (last && follows) ranges[ranges.length - 1] = { ...last, last: day };
    else ranges.push({ product: slug, first: day, last: day, sliceMode });
  }
  return ranges;
}
