/** Flags that say where products go. The destination itself is reached by the worker, with its own region and credentials. */
import { Option } from 'commander';
import type { Command } from 'commander';
import { KEEP_DOWNLOADS } from '../../core/backfill/keep-downloads.ts';
import type { KeepDownloads } from '../../core/backfill/keep-downloads.ts';
import type { RunOptions } from '../../core/backfill/types.ts';
import { PipelineError } from '../../core/errors.ts';
import { parseDestination } from '../../storage/destination.ts';

export interface DeliveryFlags {
  readonly uploadTo?: string;
  /** The reference's way to name a bucket (spec/cli.md §3). */
  readonly uploadToS3?: boolean;
  readonly s3Bucket?: string;
  readonly replace?: boolean;
  readonly backupPrefix?: string;
  readonly keepDownloads?: KeepDownloads;
}

export type DeliveryOptions = Pick<RunOptions, 'uploadTo' | 'replace' | 'backupPrefix' | 'keepDownloads'>;

export const NO_DELIVERY: DeliveryOptions = { uploadTo: null };

export function addDeliveryFlags(command: Command): Command {
  return command
    .option(
      '--upload-to <uri>',
      'deliver products to s3://bucket[/prefix] or file:///dir; without it nothing is delivered',
    )
    .option('--replace', 'replace delivered objects of other content; the former one is kept')
    .option(
      '--backup-prefix <prefix>',
      'where a bucket without versions keeps what is replaced, below the destination; without it _backup',
    )
    .addOption(
      new Option(
        '--keep-downloads <which>',
        'day files that stay: all; failed: those of days that were not delivered; none: those of days that were not built',
      )
        .choices(KEEP_DOWNLOADS)
        .default('all'),
    );
}

export function addReferenceDeliveryFlags(command: Command): Command {
  return command
    .option('--upload-to-s3', 'deliver to the bucket named by --s3-bucket')
    .option('--s3-bucket <name>', 'bucket for --upload-to-s3');
}

export function addAwsRegionFlag(command: Command): Command {
  return command.option(
    '--aws-region <region>',
    "region of the bucket and of the token's secret; without it AWS_REGION, or as AWS tools find it",
  );
}

/** @throws PipelineError `config_invalid` naming the flags that do not go together (CLI-7) */
export function deliveryOf(given: DeliveryFlags): DeliveryOptions {
  const uploadTo = destinationOf(given);
  const { replace, backupPrefix, keepDownloads = 'all' } = given;
  const meantForDeliveries = {
    '--replace': replace === true,
    '--backup-prefix': backupPrefix !== undefined,
    // Without one, the product here would be the only copy of the day.
    [`--keep-downloads ${keepDownloads}`]: keepDownloads !== 'all',
  };
  const [flag] = Object.entries(meantForDeliveries).find(([, isGiven]) => isGiven) ?? [];
  if (uploadTo === null && flag !== undefined) {
    throw new PipelineError('config_invalid', `${flag} needs a destination.`, { hint: 'Add --upload-to URI.' });
  }
  if (backupPrefix !== undefined && !backupPrefix.split('/').every((name) => /^(?!\.\.?$)[\w.-]+$/.test(name))) {
    throw new PipelineError(
      'config_invalid',
      `--backup-prefix is "${backupPrefix}": expected names of letters, digits and - _ . parted by single slashes.`,
      { hint: 'Such as --backup-prefix _backup.' },
    );
  }
  return {
    uploadTo,
    ...(replace === true && { replace }),
    ...(backupPrefix !== undefined && { backupPrefix }),
    ...(keepDownloads !== 'all' && { keepDownloads }),
  };
}

function destinationOf({ uploadTo, uploadToS3, s3Bucket }: DeliveryFlags): string | null {
  if (uploadToS3 !== true) {
    if (s3Bucket !== undefined) {
      throw new PipelineError('config_invalid', '--s3-bucket alone delivers nothing.', {
        hint: `Add --upload-to-s3, or write --upload-to s3://${s3Bucket}.`,
      });
    }
    return uploadTo === undefined ? null : parseDestination(uploadTo).base;
  }
  if (s3Bucket === undefined) {
    throw new PipelineError('config_invalid', '--upload-to-s3 needs a bucket.', {
      hint: 'Add --s3-bucket NAME, or deliver elsewhere with --upload-to.',
    });
  }
  if (uploadTo !== undefined) {
    throw new PipelineError('config_invalid', '--upload-to and --upload-to-s3 both name a destination.', {
      hint: 'Give one of them.',
    });
  }
  return parseDestination(`s3://${s3Bucket}`).base;
}
