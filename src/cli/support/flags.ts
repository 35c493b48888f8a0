/**
 * Flags that commands share: their names and defaults are the contract of spec/cli.md, and every bad value ends with
 * exit code 2 naming flag, value and what is expected.
 */
import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';
import type { Environment } from '../../config.ts';
import { PROFILES, SLICE_MODES } from '../../core/backfill/types.ts';
import type { Profile, SliceMode } from '../../core/backfill/types.ts';
import { MAX_CONCURRENCY } from '../../core/backfill/concurrency.ts';
import { PipelineError } from '../../core/errors.ts';
import { ARTIFACT_FORMATS, parseDescriptor, parseSensor } from '../../core/product.ts';
import type { ArtifactFormat, Product } from '../../core/product.ts';
import { countDays, isDay } from '../../core/time/day.ts';
import type { Day } from '../../core/time/day.ts';
import { checkRateConfig } from '../../core/rate/config.ts';
import type { RateConfig } from '../../core/rate/config.ts';

const DEFAULT_RATE = checkRateConfig();

/** A hundred years: longer ranges are mistyped dates. */
const LONGEST_RANGE_DAYS = 36_525;

/** Flags that say which days of which product. */
export interface RangeFlags {
  readonly startDate: Day;
  readonly endDate: Day;
  readonly sensorId: string;
  readonly allowUnknownSensor?: boolean;
  readonly descriptor: string;
  readonly outputFormat: ArtifactFormat;
}

export interface RunFlags {
  readonly retryFailed?: boolean;
  /** `run` only. */
  readonly refresh?: boolean;
  readonly limitDays?: number;
  readonly newestFirst?: boolean;
  readonly measureFirst?: boolean;
  /** `download` only. */
  readonly fetchReleased?: boolean;
  readonly dryRun?: boolean;
  readonly concurrency: number;
  readonly attach?: boolean;
}

export interface OutputFlags {
  readonly json?: boolean;
  readonly verbose: number;
}

export interface PacingFlags {
  readonly maxConcurrentRequests: number;
  /** Absent: the rate learnt by earlier runs, else the default. */
  readonly initialRate?: number;
  readonly additiveIncrease: number;
  readonly multiplicativeDecrease: number;
  readonly minRate: number;
  readonly maxRate: number;
}

export interface ProfileFlags {
  readonly profile: Profile;
}

export interface SliceFlags {
  readonly slices: SliceMode;
}

export function day(text: string): Day {
  if (!isDay(text)) throw new InvalidArgumentError(`expected a calendar date as YYYY-MM-DD, such as 2025-09-01.`);
  return text;
}

export function positiveInteger(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1) throw new InvalidArgumentError('expected a whole number of 1 or more.');
  return value;
}

export function daysAtOnce(text: string): number {
  const value = positiveInteger(text);
  if (value > MAX_CONCURRENCY) throw new InvalidArgumentError(`expected at most ${MAX_CONCURRENCY} days at once.`);
  return value;
}

function positiveNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value <= 0)
    throw new InvalidArgumentError('expected a number above 0.');
  return value;
}

function notNegative(text: string): number {
  return Number(text) === 0 && text.trim() !== '' ? 0 : positiveNumber(text);
}

export function portNumber(text: string): number {
  const value = positiveInteger(text);
  if (value > 65_535) throw new InvalidArgumentError('expected a port from 1 to 65535.');
  return value;
}

/** `9464` or `127.0.0.1:9464`. */
export function listenAddress(text: string): string {
  const [, host = '127.0.0.1', port = ''] = /^(?:(.+):)?(\d{1,5})$/.exec(text) ?? [];
  if (port === '' || Number(port) > 65_535) throw new InvalidArgumentError('expected a port, or host:port.');
  return `${host}:${port}`;
}

export interface WatchFlags {
  readonly metrics?: string;
  readonly logFormat: 'text' | 'json';
}

/** How a process that stays up is watched by other programs. */
export function addWatchFlags(command: Command): Command {
  return command
    .option(
      '--metrics <port>',
      'serve metrics for Prometheus on this port of 127.0.0.1, or on host:port',
      listenAddress,
    )
    .addOption(new Option('--log-format <format>', 'of the log on stderr').choices(['text', 'json']).default('text'));
}

export function addRangeFlags(command: Command): Command {
  return addProductFlags(
    command
      .requiredOption('--start-date <date>', 'first day, UTC, as YYYY-MM-DD', day)
      .requiredOption('--end-date <date>', 'last day, included', day),
  );
}

export function addProductFlags(command: Command): Command {
  return command
    .option('--sensor-id <id>', 'ALL, or one sensor such as REACH-101 (101 and reach-101 are read the same)', 'ALL')
    .addOption(new Option('--allow-unknown-sensor', 'admit a REACH-<number> that is not in the constellation table'))
    .option('--descriptor <name>', 'QUICKLOOK or PROVISIONAL (PRELIMINARY is the same)', 'QUICKLOOK')
    .addOption(
      new Option('--output-format <format>', 'format of the downloaded day').choices(ARTIFACT_FORMATS).default('csv'),
    );
}

export function addRunFlags(command: Command): Command {
  return command
    .option('--retry-failed', 'try days again whose last attempt failed')
    .option(
      '--limit-days <n>',
      'give work to at most this many days, the first ones that have some; days without work are not counted',
      positiveInteger,
    )
    .option('--newest-first', 'begin with the last day of the range and go back in time')
    .option(
      '--measure-first',
      'do one day alone, then tell what the rest will take; by itself before 10 or more days of what was never done here',
    )
    .option('--dry-run', 'print the plan; no network, no token, nothing written')
    .option('--concurrency <days>', 'days under way at once', daysAtOnce, 2)
    .option('--attach', 'when the same range is running already, follow it instead of ending with code 2');
}

export function addOutputFlags(command: Command): Command {
  return command
    .option('--json', 'print the result as JSON')
    .option('-v, --verbose', 'more detail on stderr; twice for debugging', (_value, former: number) => former + 1, 0);
}

export function addPacingFlags(command: Command): Command {
  return command
    .option(
      '--max-concurrent-requests <n>',
      'requests under way at once, over all days',
      positiveInteger,
      DEFAULT_RATE.maxConcurrentRequests,
    )
    .option(
      '--initial-rate <r>',
      `requests per second to begin with (default: learnt or ${DEFAULT_RATE.initialRate})`,
      positiveNumber,
    )
    .option(
      '--additive-increase <r>',
      'added to the rate after each success',
      notNegative,
      DEFAULT_RATE.additiveIncrease,
    )
    .option(
      '--multiplicative-decrease <f>',
      'the rate is multiplied by this after a penalty',
      positiveNumber,
      DEFAULT_RATE.multiplicativeDecrease,
    )
    .option('--min-rate <r>', 'the rate never falls below this', positiveNumber, DEFAULT_RATE.minRate)
    .option('--max-rate <r>', 'the rate never rises above this', positiveNumber, DEFAULT_RATE.maxRate);
}

/** @param standard - the profile without the flag: corrected for `run`, as published for the reference's `process` */
export function addProfileFlag(command: Command, standard: Profile): Command {
  return command.addOption(
    new Option(
      '--profile <name>',
      'istp: metadata corrected, compressed, with a checksum; parity: laid out as the published product',
    )
      .choices(PROFILES)
      .default(standard),
  );
}

export function addSlicesFlag(command: Command): Command {
  return command.addOption(
    new Option(
      '--slices <mode>',
      'how slices are asked for: half-open loses no sub-second record, compat leaves out the second after a boundary as the reference does',
    )
      .choices(SLICE_MODES)
      .default('half-open'),
  );
}

/** The product that the flags name. @throws PipelineError `config_invalid` */
export function productOf(flags: Omit<RangeFlags, 'startDate' | 'endDate'>): Product {
  return {
    sensor: parseSensor(flags.sensorId, flags.allowUnknownSensor),
    descriptor: parseDescriptor(flags.descriptor),
    format: flags.outputFormat,
  };
}

/** @throws PipelineError `config_invalid` naming both dates when the range is inverted (CLI-4) */
export function checkRange({ startDate, endDate }: Pick<RangeFlags, 'startDate' | 'endDate'>): void {
  if (endDate >= startDate) {
    const days = countDays(startDate, endDate);
    if (days <= LONGEST_RANGE_DAYS) return;
    throw new PipelineError(
      'config_invalid',
      `${startDate}..${endDate} are ${days} days: expected at most ${LONGEST_RANGE_DAYS}.`,
      {
        hint: 'Give a shorter range; several ranges may run one after another.',
      },
    );
  }
  throw new PipelineError(
    'config_invalid',
    `The range ends before it starts: --start-date ${startDate}, --end-date ${endDate}.`,
    {
      hint: 'Both days are included; give the earlier one as --start-date.',
    },
  );
}

const PACING_FLAGS: Readonly<Record<keyof PacingFlags, string>> = {
  maxConcurrentRequests: '--max-concurrent-requests',
  initialRate: '--initial-rate',
  additiveIncrease: '--additive-increase',
  multiplicativeDecrease: '--multiplicative-decrease',
  minRate: '--min-rate',
  maxRate: '--max-rate',
};

/** The pacing flags that were typed, which a client cannot pass on to a worker that runs already. */
export function givenPacing(command: Command): string[] {
  return Object.entries(PACING_FLAGS)
    .filter(([name]) => command.getOptionValueSource(name) === 'cli')
    .map(([, flag]) => flag);
}

/** The checked pacing of a worker. @throws PipelineError `config_invalid` naming the flag */
export function pacingOf(
  flags: PacingFlags,
  { passWaitMs, waitInsideMs }: Pick<Environment, 'passWaitMs' | 'waitInsideMs'>,
): RateConfig {
  const { maxConcurrentRequests, initialRate, additiveIncrease, multiplicativeDecrease, minRate, maxRate } = flags;
  return checkRateConfig({
    maxConcurrentRequests,
    initialRate,
    additiveIncrease,
    multiplicativeDecrease,
    minRate,
    maxRate,
    passWaitMs,
    waitInsideMs,
  });
}
