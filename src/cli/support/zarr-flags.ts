/** Flags that name a Zarr store. */
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Command } from 'commander';
import { PipelineError } from '../../core/errors.ts';
import type { Day } from '../../core/time/day.ts';
import { DEFAULT_ZARR_ORIGIN } from '../../core/zarr.ts';
import type { ZarrTarget } from '../../core/zarr.ts';
import { parseS3Address } from '../../storage/s3/address.ts';
import { day } from './flags.ts';

export interface ZarrLayoutFlags {
  readonly origin?: Day;
  readonly exactTimes?: boolean;
}

/** For commands that do more than write a store. */
export interface ZarrRangeFlags {
  readonly zarr?: string;
  readonly zarrOrigin?: Day;
}

export function addZarrRangeFlags(command: Command): Command {
  return command
    .option('--zarr <store>', 'bring a Zarr store up to date at the end: a folder, or s3://bucket/prefix')
    .option('--zarr-origin <date>', `first day of a new store's time axis (default: ${DEFAULT_ZARR_ORIGIN})`, day);
}

export function addZarrLayoutFlags(command: Command): Command {
  return command
    .option(
      '--origin <date>',
      `first day of the time axis (default: the store's; of a new one ${DEFAULT_ZARR_ORIGIN})`,
      day,
    )
    .option('--exact-times', 'admit times off the grid of 5 s and keep how far beside it');
}

/** @throws PipelineError `config_invalid` when an origin is given without a store */
export function zarrTargetOf({ zarr, zarrOrigin }: ZarrRangeFlags, cwd: string): { zarr?: ZarrTarget } {
  if (zarr !== undefined)
    return { zarr: { store: zarrStoreUri(zarr, cwd), origin: zarrOrigin ?? null, exactTimes: null } };
  if (zarrOrigin === undefined) return {};
  throw new PipelineError('config_invalid', '--zarr-origin alone makes no store.', { hint: 'Add --zarr STORE.' });
}

/**
 * A store as an operator types it, as a URI.
 *
 * @param text - a folder, relative to `cwd`; `file:///dir`; `s3://bucket/prefix`
 * @throws PipelineError `config_invalid`
 */
export function zarrStoreUri(text: string, cwd: string): string {
  if (text.startsWith('s3://')) {
    const { bucket, prefix } = parseS3Address(text, 'use the Zarr store');
    if (prefix !== '') return `s3://${bucket}/${prefix}`;
    throw new PipelineError('config_invalid', `${text} is a whole bucket: a Zarr store needs a prefix of its own.`, {
      hint: 'Such as s3://my-bucket/reach.zarr.',
    });
  }
  if (text.startsWith('file:')) return new URL(text).href.replace(/\/$/, '');
  if (/^\w+:\/\//.test(text)) {
    throw new PipelineError('config_invalid', `"${text}" is no place for a Zarr store.`, {
      hint: 'Name a folder, or s3://bucket/prefix.',
    });
  }
  return pathToFileURL(resolve(cwd, text)).href.replace(/\/$/, '');
}
