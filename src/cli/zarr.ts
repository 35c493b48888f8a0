import type { Command } from 'commander';
import { openZarrStore } from '../activities/zarr/index.ts';
import { PipelineError } from '../core/errors.ts';
import { openLedgerIfAny } from '../ledger/index.ts';
import { describeStore, verifyStore } from '../products/reach-zarr/index.ts';
import { locateWorkspace } from '../storage/workspace.ts';
import { s3Settings } from './support/aws.ts';
import type { CliContext } from './support/context.ts';
import { addAwsRegionFlag } from './support/delivery-flags.ts';
import { EXIT } from './support/exit-codes.ts';
import type { ExitCode } from './support/exit-codes.ts';
import * as flags from './support/flags.ts';
import { formatBytes, formatCount } from './support/format.ts';
import { addZarrLayoutFlags, zarrStoreUri } from './support/zarr-flags.ts';
import type { ZarrLayoutFlags } from './support/zarr-flags.ts';
import { openingLine, runZarr } from './support/zarr-sync.ts';

type End = (code: ExitCode) => void;
type SyncFlags = Omit<flags.RangeFlags, 'startDate' | 'endDate'> &
  ZarrLayoutFlags &
  flags.OutputFlags & { readonly workspace: string; readonly awsRegion?: string };
interface LookFlags {
  readonly workspace: string;
  readonly awsRegion?: string;
  readonly json?: boolean;
}

/** `reachback zarr sync|verify|rebuild|info`: years of products in one Zarr store. */
export function addZarrCommand(program: Command, context: CliContext, end: End): void {
  const zarr = program
    .command('zarr')
    .summary('a Zarr store of all products, for xarray and zarr-python')
    .description('Keep a Zarr store of all products, for xarray and zarr-python.');
  addWriting(
    zarr,
    'sync',
    'Write the products that the store lacks, and no others; make it when there is none.',
    context,
    end,
  );
  addWriting(
    zarr,
    'rebuild',
    'Make the store anew beside the present one, check it, and put it in its place.',
    context,
    end,
  );
  addVerify(zarr, context, end);
  addInfo(zarr, context, end);
  zarr.addHelpText(
    'after',
    `
Examples:
  reachback zarr sync /srv/reach.zarr --workspace ./data
  reachback zarr sync s3://my-bucket/reach.zarr --origin 2025-01-01
  reachback zarr verify /srv/reach.zarr        every object against the ledger's hashes; exit code 1 when one differs
  reachback run … --zarr /srv/reach.zarr       the same sync at the end of a range`,
  );
}

function addWriting(zarr: Command, name: 'sync' | 'rebuild', description: string, context: CliContext, end: End): void {
  const command = zarr.command(name).description(description).argument('<store>', 'a folder, or s3://bucket/prefix');
  command.option('--workspace <dir>', 'the workspace that has the products', './data');
  flags.addProductFlags(command);
  addZarrLayoutFlags(command);
  addAwsRegionFlag(command);
  flags.addOutputFlags(command);
  command.action(async (store: string, given: SyncFlags) => {
    const { workspace, origin = null, exactTimes = null, awsRegion = null } = given;
    const target = { store: zarrStoreUri(store, context.cwd), origin, exactTimes };
    const product = flags.productOf(given);
    end(await runZarr(context, { workspace, product, target, rebuild: name === 'rebuild', awsRegion, output: given }));
  });
}

function addVerify(zarr: Command, context: CliContext, end: End): void {
  const command = zarr
    .command('verify')
    .description(
      'Read every object and hold it against the hashes of the ledger; look for missing and extra ones. Reads only.',
    )
    .argument('<store>', 'a folder, or s3://bucket/prefix')
    .option('--workspace <dir>', 'the workspace whose ledger knows the store', './data')
    .option('--json', 'print as JSON');
  addAwsRegionFlag(command).action(async (text: string, given: LookFlags) => {
    const uri = zarrStoreUri(text, context.cwd);
    const located = await locateWorkspace({ dir: given.workspace, cwd: context.cwd });
    const ledger = await openLedgerIfAny(located, { url: context.environment.ledgerUrl });
    const days = (await ledger?.zarrDays(uri)) ?? [];
    await ledger?.close();
    if (days.length === 0) {
      throw new PipelineError('config_invalid', `The ledger of ${located.root} knows nothing of ${uri}.`, {
        hint: 'Name the workspace that the store was synced from with --workspace, and the store as it was named then.',
      });
    }
    const findings = await verifyStore(
      openZarrStore(uri, s3Settings(context.environment, given.awsRegion ?? null)),
      days,
    );
    if (given.json === true) context.print(JSON.stringify({ store: uri, days: days.length, findings }));
    else {
      for (const { kind, where, message } of findings) context.print(`${kind}: ${where}: ${message}`);
      const verdict = findings.length === 0 ? 'all as it was written' : `${findings.length} findings`;
      context.print(`${uri}: ${formatCount(days.length)} days, ${verdict}`);
    }
    end(findings.length === 0 ? EXIT.ok : EXIT.failed);
  });
}

function addInfo(zarr: Command, context: CliContext, end: End): void {
  const command = zarr
    .command('info')
    .description('What a store holds: product, origin, days, size. Reads only.')
    .argument('<store>', 'a folder, or s3://bucket/prefix')
    .option('--json', 'print as JSON');
  addAwsRegionFlag(command).action(async (text: string, given: Pick<LookFlags, 'awsRegion' | 'json'>) => {
    const uri = zarrStoreUri(text, context.cwd);
    const info = await describeStore(openZarrStore(uri, s3Settings(context.environment, given.awsRegion ?? null)));
    if (!info) {
      throw new PipelineError('config_invalid', `There is no Zarr store at ${uri}.`, {
        hint: 'Check the place, or make the store with "reachback zarr sync".',
      });
    }
    const { settings, days, updating, objects, sizeBytes } = info;
    if (given.json === true) context.print(JSON.stringify({ store: uri, ...info }));
    else {
      context.print(
        [
          uri,
          `  product    ${settings.product}`,
          `  time axis  from ${settings.origin}, every 5 s${settings.exactTimes ? ', exact times beside it' : ''}`,
          `  days       ${days.length === 0 ? 'none' : `${formatCount(days.length)}, ${days[0]} to ${days.at(-1)}`}`,
          `  size       ${formatBytes(sizeBytes)} in ${formatCount(objects)} objects`,
          ...(updating.length > 0 ? [`  updating   ${updating.join(', ')}`] : []),
          `  ${openingLine(uri)}`,
        ].join('\n'),
      );
    }
    end(EXIT.ok);
  });
}
