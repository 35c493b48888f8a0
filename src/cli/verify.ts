import type { Command } from 'commander';
import type { ProductSlug } from '../core/product.ts';
import type { Day } from '../core/time/day.ts';
import { parseDestination } from '../storage/destination.ts';
import type { Destination } from '../storage/destination.ts';
import { s3Settings } from './support/aws.ts';
import type { CliContext } from './support/context.ts';
import { addAwsRegionFlag } from './support/delivery-flags.ts';
import { EXIT } from './support/exit-codes.ts';
import type { ExitCode } from './support/exit-codes.ts';
import * as flags from './support/flags.ts';
import { formatBytes } from './support/format.ts';
import { product, readLedger } from './support/read-ledger.ts';
import { verify } from './support/verification.ts';
import type { Verification } from './support/verification.ts';

export interface VerifyFlags {
  readonly workspace: string;
  readonly product?: ProductSlug;
  readonly startDate?: Day;
  readonly endDate?: Day;
  readonly deep?: boolean;
  readonly awsRegion?: string;
  readonly json?: boolean;
}

/** `reachback verify`: every file and every upload against what the ledger knows of it. Writes nothing. */
export function addVerifyCommand(program: Command, context: CliContext, end: (code: ExitCode) => void): void {
  const command = program
    .command('verify')
    .summary('compare every file and upload with what is recorded')
    .description(
      'Compare every file of the workspace with its recorded size and hash, and look at every upload once (HEAD): is it there,\n' +
        'as large as it was, with the hash that the destination keeps. --deep reads the uploads too. Exit code 1 when\n' +
        'anything is missing or other than it was; "reachback repair" makes that again. Reads only.',
    );
  addVerifyFlags(command);
  command.action(async (given: VerifyFlags) => {
    const found = await verifyWorkspace(context, given);
    context.print(given.json === true ? JSON.stringify(found) : verificationText(found));
    end(found.findings.length === 0 ? EXIT.ok : EXIT.failed);
  });
}

export function addVerifyFlags(command: Command): void {
  command
    .option('--workspace <dir>', 'the workspace (or an --output-dir)', './data')
    .option('--product <slug>', 'one product, such as reach-all/quicklook (default: all)', product)
    .option('--start-date <day>', 'first UTC day (default: all)', flags.day)
    .option('--end-date <day>', 'last UTC day, included (default: all)', flags.day)
    .option('--deep', 'read every upload, whatever its destination says of it')
    .option('--json', 'print as JSON');
  addAwsRegionFlag(command);
}

export function verifyWorkspace(context: CliContext, given: VerifyFlags): Promise<Verification> {
  const { startDate: first = null, endDate: last = null, product: slug = null } = given;
  if (first !== null && last !== null) flags.checkRange({ startDate: first, endDate: last });
  return withDestinations(context, given.awsRegion ?? null, (destinationAt) =>
    readLedger(context, given.workspace, (ledger) =>
      verify(ledger, { scope: { product: slug, first, last }, deep: given.deep === true, destinationAt }),
    ),
  );
}

/** Destinations by their base, opened once each and closed at the end. */
export async function withDestinations<T>(
  { environment }: CliContext,
  awsRegion: string | null,
  work: (destinationAt: (base: string) => Destination) => Promise<T>,
): Promise<T> {
  const open = new Map<string, Destination>();
  try {
    return await work((base) => {
      const destination = open.get(base) ?? parseDestination(base, s3Settings(environment, awsRegion));
      open.set(base, destination);
      return destination;
    });
  } finally {
    for (const destination of open.values()) destination.close();
  }
}

export function verificationText({ files, uploads, bytesRead, findings }: Verification): string {
  const lines = findings.map(
    ({ product: slug, day, what, where, problem, detail }) => `${day} ${slug} ${what} ${problem}: ${where} (${detail})`,
  );
  const result = findings.length === 0 ? 'all as recorded' : `${findings.length} not as recorded`;
  lines.push(`${files} files (${formatBytes(bytesRead)} found good) and ${uploads} uploads: ${result}.`);
  if (findings.length > 0) lines.push('  → reachback repair   (makes again what is broken, and nothing else)');
  return lines.join('\n');
}
