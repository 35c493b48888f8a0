import { dirname, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { restoreProduct } from '../activities/restore-product.ts';
import type { Restored } from '../activities/restore-product.ts';
import { PipelineError } from '../core/errors.ts';
import type { ProductSlug } from '../core/product.ts';
import type { Day } from '../core/time/day.ts';
import type { LedgerReports, ReportScope, SupersededFile } from '../ledger/reports.ts';
import { findFormerCopies } from '../storage/former-copies.ts';
import { locateWorkspace, openWorkspace } from '../storage/workspace.ts';
import type { CliContext } from './support/context.ts';
import { beside, isServed } from './support/beside.ts';
import { EXIT } from './support/exit-codes.ts';
import type { ExitCode } from './support/exit-codes.ts';
import * as flags from './support/flags.ts';
import { formatBytes, formatTable } from './support/format.ts';
import { product, readLedger } from './support/read-ledger.ts';
import { asWriter } from './support/take-up.ts';

interface Flags {
  readonly workspace: string;
  readonly product?: ProductSlug;
  readonly version?: string;
  readonly sha256?: string;
  readonly list?: boolean;
  readonly json?: boolean;
}

/** A file that was replaced, with the places where its content may still be. */
interface Former extends SupersededFile {
  readonly copies: readonly string[];
}

/** `reachback restore DAY`: a former product back in its place; `--list`: what there is to bring back. */
export function addRestoreCommand(program: Command, context: CliContext, end: (code: ExitCode) => void): void {
  program
    .command('restore')
    .summary('bring a former product of a day back; --list shows what was replaced')
    .description(
      'Bring a former product of a day back, byte for byte, from the backups (or from a folder it was delivered to; buckets\n' +
        'are not looked into: where one has the last copy, the refusal says where to fetch it to); the\n' +
        'present one goes to the backups. It stays until the download of the day changes. The next run with --upload-to\n' +
        'delivers it, the next zarr sync takes it up. --list shows all files that were replaced, and where they are kept; reads only.',
    )
    .argument('[day]', 'a UTC day', flags.day)
    .option('--workspace <dir>', 'the workspace (or an --output-dir)', './data')
    .option('--product <slug>', 'one product, such as reach-all/quicklook (default: the only one there is)', product)
    .option('--version <v>', 'the former version, such as 1.0.0 (default: the one replaced last)')
    .option('--sha256 <hex>', 'the former content, by the beginning of its hash, where versions do not tell')
    .option('--list', 'list what was replaced, of one day or of all')
    .option('--json', 'print as JSON')
    .addHelpText(
      'after',
      `
Examples:
  reachback restore --list
  reachback restore 2025-09-01                    the product before the last change
  reachback restore 2025-09-01 --version 1.0.0`,
    )
    .action(async (day: Day | undefined, given: Flags) => {
      if (given.list === true) await list(context, day ?? null, given);
      else await restore(context, day, given);
      end(EXIT.ok);
    });
}

async function list(context: CliContext, day: Day | null, given: Flags): Promise<void> {
  const scope = { product: given.product ?? null, first: day, last: day };
  const formers = await readLedger(context, given.workspace, (ledger) => formersOf(ledger, scope));
  context.print(given.json === true ? JSON.stringify(formers) : listText(formers));
}

async function formersOf(ledger: LedgerReports, scope: ReportScope): Promise<Former[]> {
  const files = await ledger.supersededFiles(scope);
  const destinations = (await ledger.deliveries(scope)).map(({ destination }) => destination);
  const folders = [...new Set(destinations)]
    .filter((base) => base.startsWith('file:'))
    .map((base) => fileURLToPath(base));
  const homes = (kind: SupersededFile['kind']): string[] => [
    ...new Set(files.filter((file) => file.kind === kind).map(homeOf)),
  ];
  const copies = {
    product: await findFormerCopies([...homes('product'), ...folders]),
    download: await findFormerCopies(homes('download')),
  };
  return Promise.all(
    files.map(async (file) => {
      const inside = relative(homeOf(file), file.path);
      return { ...file, copies: await copies[file.kind].of(inside, file.sizeBytes) };
    }),
  );
}

/** The folder whose `_backup` keeps the file's former contents: of a product, six parts above it (S3-1). */
function homeOf({ kind, path }: Pick<SupersededFile, 'kind' | 'path'>): string {
  return kind === 'product' ? resolve(path, '../../../../../..') : dirname(path);
}

function listText(formers: readonly Former[]): string {
  if (formers.length === 0) return 'Nothing was replaced.';
  const rows = formers.map(
    ({ day, product: slug, kind, version, profile, supersededAt, sizeBytes, sha256, copies }) => [
      day,
      slug,
      kind,
      [version && `v${version}`, profile].filter(Boolean).join(' '),
      `${supersededAt.slice(0, 16)}Z`,
      formatBytes(sizeBytes),
      sha256.slice(0, 12),
      copies[0] ?? 'not kept',
    ],
  );
  return formatTable(['day', 'product', 'kind', 'version', 'replaced', 'size', 'SHA-256', 'kept at'], rows, [5]);
}

async function restore(context: CliContext, day: Day | undefined, given: Flags): Promise<void> {
  if (day === undefined) {
    throw new PipelineError('config_invalid', 'restore needs a day.', {
      hint: '"reachback restore --list" shows the days whose product was replaced.',
    });
  }
  const scope = { product: given.product ?? null, first: day, last: day };
  // Before anything is locked or written: a mistyped folder, day or version is told as such.
  const former = await readLedger(context, given.workspace, async (ledger) =>
    choose(await formersOf(ledger, scope), day, given),
  );
  let restored: Restored | null = null;
  await whileNobodyWorksAt(context, given, former, async () => {
    restored = await restoreOne(context, given, former);
  });
  context.print(given.json === true ? JSON.stringify({ ...former, restored }) : restoredText(former, restored));
}

/** @returns null when it is the present product already */
async function restoreOne(context: CliContext, given: Flags, former: Former): Promise<Restored | null> {
  const { product: slug, day, sha256, copies } = former;
  const workspace = await openWorkspace({ dir: given.workspace, cwd: context.cwd });
  return asWriter(context, workspace, async (ledger) => {
    const [facts] = await ledger.dayFacts(slug, day, day, null);
    if (facts?.download?.status === 'DOWNLOAD_PENDING') {
      throw new PipelineError(
        'config_invalid',
        `The download of ${day} was interrupted: its product is about to change.`,
        {
          hint: 'Repeat the run command first, then restore.',
        },
      );
    }
    if (facts?.productFile?.sha256 === sha256) return null;
    return restoreProduct(ledger, homeOf(former), former, copies);
  });
}

/** The ledger's writer is one per workspace, by its lock; hosts that this machine's locks do not reach are held off by the engine. */
async function whileNobodyWorksAt(
  context: CliContext,
  given: Flags,
  { product: slug, day }: Former,
  work: () => Promise<void>,
): Promise<void> {
  const located = await locateWorkspace({ dir: given.workspace, cwd: context.cwd });
  if (!(await isServed(context, located))) return work();
  await beside(context, given, async (alone) => {
    if (await alone(slug, day, work)) return;
    throw new PipelineError('config_invalid', `${day} ${slug} is being worked at.`, {
      hint: 'When that has ended, repeat the command. Nothing was changed.',
    });
  });
}

/** @throws PipelineError `config_invalid` when there is none, or more than one that could be meant */
export function choose(files: readonly Former[], day: Day, given: Pick<Flags, 'version' | 'sha256'>): Former {
  const products = files
    .filter(({ kind }) => kind === 'product')
    .toSorted((a, b) => (a.supersededAt < b.supersededAt ? -1 : 1));
  const { version, sha256 = '' } = given;
  const fitting = products.filter(
    (file) => (version === undefined || file.version === version) && file.sha256.startsWith(sha256.toLowerCase()),
  );
  const slugs = [...new Set(fitting.map((file) => file.product))];
  if (slugs.length > 1) {
    throw new PipelineError('config_invalid', `${day} has former products of ${slugs.join(' and ')}.`, {
      hint: `Name one: --product ${slugs[0]}`,
    });
  }
  const chosen = fitting.at(-1);
  const contents = new Set(fitting.map((file) => file.sha256));
  if (version !== undefined && contents.size > 1) {
    throw new PipelineError('config_invalid', `${day} has had ${contents.size} products of version ${version}.`, {
      hint: `Name one: ${[...contents].map((hash) => `--sha256 ${hash.slice(0, 12)}`).join(' or ')}`,
    });
  }
  if (chosen !== undefined) return chosen;
  const known = products.map((file) => `v${file.version ?? '?'} ${file.sha256.slice(0, 12)}`).join(', ');
  throw new PipelineError(
    'config_invalid',
    products.length === 0
      ? `No product of ${day} was ever replaced.`
      : `${day} has no former product${version === undefined ? '' : ` v${version}`}${sha256 === '' ? '' : ` with SHA-256 ${sha256}…`}; there is ${known}.`,
    { hint: '"reachback restore --list" shows what can be brought back.' },
  );
}

function restoredText({ day, product: slug, version }: Former, restored: Restored | null): string {
  if (restored === null) return `${day} ${slug} v${version ?? '?'} is the present product already.`;
  return [
    `${day} ${slug} v${version ?? '?'} is back: ${restored.path}`,
    ...restored.kept.map((path) => `kept: ${path}`),
    '  → run … --upload-to URI delivers it (add --replace where another one has its name); zarr sync takes it up.',
    '  → It stays until the download of the day changes.',
  ].join('\n');
}
