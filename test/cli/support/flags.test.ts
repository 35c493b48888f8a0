import { Command, CommanderError } from 'commander';
import { describe, expect, test } from 'vitest';
import * as flags from '../../../src/cli/support/flags.ts';
import { PipelineError } from '../../../src/core/errors.ts';

type Given = flags.RangeFlags &
  flags.RunFlags &
  flags.OutputFlags &
  flags.PacingFlags &
  flags.ProfileFlags &
  flags.SliceFlags;

const WAITS = { passWaitMs: 1, waitInsideMs: 2 };
const RANGE = ['--start-date', '2025-09-01', '--end-date', '2025-09-03'];

function parse(args: readonly string[], dated = true): Given {
  const command = new Command('run').exitOverride().configureOutput({ writeErr: () => undefined });
  flags.addRangeFlags(command);
  flags.addRunFlags(command);
  flags.addProfileFlag(command, 'istp');
  flags.addSlicesFlag(command);
  flags.addPacingFlags(command);
  flags.addOutputFlags(command);
  return command.parse([...(dated ? RANGE : []), ...args], { from: 'user' }).opts<Given>();
}

function errorOf(run: () => unknown): Error {
  try {
    run();
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
}

test('CLI §2, §3: defaults', () => {
  expect(parse([])).toEqual({
    startDate: '2025-09-01',
    endDate: '2025-09-03',
    sensorId: 'ALL',
    descriptor: 'QUICKLOOK',
    outputFormat: 'csv',
    concurrency: 2,
    profile: 'istp',
    slices: 'half-open',
    verbose: 0,
    maxConcurrentRequests: 4,
    additiveIncrease: 1,
    multiplicativeDecrease: 0.5,
    minRate: 0.5,
    maxRate: 25,
  });
});

test('everything that can be given', () => {
  const args =
    '--sensor-id 101 --descriptor preliminary --output-format json --retry-failed --limit-days 7 --dry-run --concurrency 32 ' +
    '--attach --profile parity --slices compat --max-concurrent-requests 8 --initial-rate 2.5 --additive-increase 0 ' +
    '--multiplicative-decrease 0.25 --min-rate .5 --max-rate 1e2 --json -v';
  const given = parse(args.split(' '));
  expect(given).toMatchObject({
    retryFailed: true,
    limitDays: 7,
    dryRun: true,
    concurrency: 32,
    attach: true,
    profile: 'parity',
    slices: 'compat',
    json: true,
    verbose: 1,
  });
  expect(flags.productOf(given)).toEqual({ sensor: 'REACH-101', descriptor: 'PROVISIONAL', format: 'json' });
  expect(flags.pacingOf(given, { passWaitMs: 17, waitInsideMs: 18 })).toEqual({
    maxConcurrentRequests: 8,
    initialRate: 2.5,
    additiveIncrease: 0,
    multiplicativeDecrease: 0.25,
    minRate: 0.5,
    maxRate: 100,
    passWaitMs: 17,
    waitInsideMs: 18,
    startFrom: 'given',
  });
});

test('UDL-18: without --initial-rate the learnt rate counts; flags that were typed are known by name', () => {
  expect(flags.pacingOf(parse([]), WAITS)).toMatchObject({ startFrom: 'learnt', initialRate: 5 });
  expect(flags.pacingOf(parse(['--initial-rate', '5']), WAITS)).toMatchObject({ startFrom: 'given', initialRate: 5 });
  const command = flags.addPacingFlags(new Command());
  command.parse(['--max-rate', '25', '--min-rate', '1'], { from: 'user' });
  expect(flags.givenPacing(command)).toEqual(['--min-rate', '--max-rate']);
});

test('-vv counts twice', () => {
  expect([parse([]).verbose, parse(['-vv']).verbose, parse(['-v', '--verbose', '-v']).verbose]).toEqual([0, 2, 3]);
});

describe('a bad value is refused, naming flag, value and what is expected', () => {
  test.for<[flag: string, value: string, expected: string]>([
    ['--start-date', '2025-02-29', 'YYYY-MM-DD'],
    ['--end-date', '2025-9-1', 'YYYY-MM-DD'],
    ['--limit-days', '0', '1 or more'],
    ['--limit-days', '-1', '1 or more'],
    ['--limit-days', '1.5', '1 or more'],
    ['--limit-days', '1e3', '1 or more'],
    ['--limit-days', '', '1 or more'],
    ['--concurrency', '33', 'at most 32'],
    ['--concurrency', 'two', '1 or more'],
    ['--max-concurrent-requests', '0', '1 or more'],
    ['--initial-rate', '0', 'above 0'],
    ['--initial-rate', '-5', 'above 0'],
    ['--min-rate', 'NaN', 'above 0'],
    ['--max-rate', 'Infinity', 'above 0'],
    ['--max-rate', ' ', 'above 0'],
    ['--additive-increase', '-1', 'number'],
    ['--output-format', 'xml', 'csv, json'],
    ['--profile', 'published', 'parity, istp'],
    ['--slices', 'closed', 'half-open, compat'],
  ])('%s "%s"', ([flag, value, expected]) => {
    const error = errorOf(() => parse([flag, value]));
    expect(error).toBeInstanceOf(CommanderError);
    expect(error.message).toContain(flag);
    expect(error.message).toContain(`'${value}'`);
    expect(error.message).toContain(expected);
  });

  test.for(['--start-date', '--end-date'])('%s must be given', (flag) => {
    const other = flag === '--start-date' ? '--end-date' : '--start-date';
    expect(errorOf(() => parse([other, '2025-09-01'], false)).message).toContain(flag);
  });

  test.for(['0', '65536', '-1', '80.5', 'http'])('a port "%s"', (text) => {
    expect(() => flags.portNumber(text)).toThrow(/expected a/);
  });

  test('ports from 1 to 65535 are taken', () => {
    expect([flags.portNumber('1'), flags.portNumber('65535')]).toEqual([1, 65_535]);
  });

  test.for<[args: string, says: readonly string[]]>([
    ['--min-rate 30 --max-rate 20', ['--min-rate 30', '--max-rate 20']],
    ['--multiplicative-decrease 1', ['--multiplicative-decrease', '1', 'below 1']],
    ['--multiplicative-decrease 1.5', ['--multiplicative-decrease', '1.5', 'below 1']],
    ['--max-concurrent-requests 1000', ['--max-concurrent-requests', '1000', '1 to 64']],
  ])('UDL-D5: %s', ([args, says]) => {
    const error = errorOf(() => flags.pacingOf(parse(args.split(' ')), WAITS));
    expect(error).toBeInstanceOf(PipelineError);
    for (const words of says) expect(error.message).toContain(words);
  });

  test('UDL-D5: an initial rate outside the bounds is moved onto them', () => {
    expect(flags.pacingOf(parse(['--initial-rate', '99']), WAITS).initialRate).toBe(25);
    expect(flags.pacingOf(parse(['--initial-rate', '0.1']), WAITS).initialRate).toBe(0.5);
  });
});

describe('what flags mean together', () => {
  test('CLI-4: an inverted range names both dates', () => {
    const given = parse(['--start-date', '2025-09-04']);
    const error = errorOf(() => flags.checkRange(given));
    expect(error).toMatchObject({ kind: 'config_invalid' });
    expect(error.message).toMatch(/--start-date 2025-09-04, --end-date 2025-09-03/);
  });

  test('a range of more than a hundred years is a mistyped date', () => {
    const error = errorOf(() => flags.checkRange(parse(['--start-date', '0025-09-01'])));
    expect(error).toMatchObject({ kind: 'config_invalid' });
    expect(error.message).toMatch(/^0025-09-01\.\.2025-09-03 are \d+ days/);
    expect(() => flags.checkRange(parse(['--start-date', '1925-09-04']))).not.toThrow();
  });

  test('CLI-4: one day is a range', () => {
    expect(() => flags.checkRange(parse(['--end-date', '2025-09-01']))).not.toThrow();
  });

  test('UDL-D8: an unknown sensor only with the flag that admits it', () => {
    expect(errorOf(() => flags.productOf(parse(['--sensor-id', 'REACH-999']))).message).toContain('"REACH-999"');
    const given = parse(['--sensor-id', 'REACH-999', '--allow-unknown-sensor']);
    expect(flags.productOf(given).sensor).toBe('REACH-999');
  });
});
