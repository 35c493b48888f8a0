/** What `run`, `download` and `process` have in common: the same flags, mapped to a backfill in one place. */
import type { Command } from 'commander';
import type { Profile, RunMode } from '../../core/backfill/types.ts';
import { checkRateConfig } from '../../core/rate/config.ts';
import type { WorkspacePlace } from '../../storage/workspace.ts';
import type { BackfillCommand } from './backfill.ts';
import type { CliContext } from './context.ts';
import { addAwsRegionFlag } from './delivery-flags.ts';
import type { DeliveryOptions } from './delivery-flags.ts';
import * as flags from './flags.ts';
import { zarrTargetOf } from './zarr-flags.ts';
import type { ZarrRangeFlags } from './zarr-flags.ts';

export type RangeCommandFlags = flags.RangeFlags &
  flags.RunFlags &
  flags.OutputFlags &
  Partial<flags.SliceFlags> & {
    readonly telemetryFile?: string;
    readonly awsRegion?: string;
    readonly spaceCheck: boolean;
  };

/** What the commands do not share. */
export interface OwnPart {
  readonly mode: RunMode;
  readonly place: WorkspacePlace;
  readonly delivery: DeliveryOptions;
  readonly profile: Profile;
  readonly zarr?: ZarrRangeFlags;
  /** Null for a command that sends no requests. */
  readonly pacing: {
    readonly flags: flags.PacingFlags;
    /** See `givenPacing`. */ readonly typed: readonly string[];
  } | null;
}

export function addRangeCommandFlags(command: Command): Command {
  addAwsRegionFlag(command);
  command.option('--no-space-check', 'start although the estimate says that the disk is too small');
  flags.addRangeFlags(command);
  flags.addRunFlags(command);
  return flags.addOutputFlags(command);
}

/** @throws PipelineError `config_invalid` naming the flag */
export function backfillCommand(context: CliContext, given: RangeCommandFlags, own: OwnPart): BackfillCommand {
  const { environment } = context;
  const product = flags.productOf(given);
  flags.checkRange(given);
  return {
    product,
    first: given.startDate,
    last: given.endDate,
    options: {
      mode: own.mode,
      retryFailed: given.retryFailed ?? false,
      ...(given.refresh === true && { refresh: true }),
      ...own.delivery,
      profile: own.profile,
      sliceMode: given.slices ?? 'half-open',
      limitDays: given.limitDays ?? null,
      ...(given.fetchReleased === true && { fetchReleased: true }),
      ...(given.newestFirst === true && { newestFirst: true }),
      ...zarrTargetOf(own.zarr ?? {}, context.cwd),
    },
    concurrency: given.concurrency,
    workspace: { ...own.place, telemetryFile: given.telemetryFile, cwd: context.cwd },
    awsRegion: given.awsRegion ?? null,
    pacing: own.pacing === null ? checkRateConfig() : flags.pacingOf(own.pacing.flags, environment),
    pacingGiven: own.pacing?.typed ?? [],
    dryRun: given.dryRun ?? false,
    attach: given.attach ?? false,
    checkSpace: given.spaceCheck,
    measureFirst: given.measureFirst ?? false,
    output: given,
  };
}
