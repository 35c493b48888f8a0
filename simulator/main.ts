/**
 * Runs a simulator as a process of its own: prints `{"url":…}` when ready and ends when its standard input closes or on
 * SIGTERM or SIGINT, so that it never outlives what started it (unless told so by `--keep-running`).
 */
import { readFileSync } from 'node:fs';
import { Command, Option } from 'commander';
import { DAY_MS, dayStartMs } from '../src/core/time/day.ts';
import type { FaultPlan, SimulatorOptions } from './simulator.ts';
import { startSimulator } from './simulator.ts';

interface Flags {
  readonly port: string;
  readonly seed: string;
  readonly tiny?: boolean;
  readonly cadence?: string;
  readonly sensors?: string;
  readonly emptyDays?: string;
  readonly emptyEvery?: string;
  readonly firstDay?: string;
  readonly lastDay?: string;
  readonly replay?: string[];
  readonly replayRest: 'synthetic' | 'empty';
  readonly offGrid?: string;
  readonly rangeEnd: 'include' | 'exclude';
  readonly cap: string;
  readonly count: boolean;
  readonly gzip?: boolean;
  readonly cacheMib?: string;
  readonly token?: string;
  readonly rateLimit?: string;
  readonly faults?: string;
  readonly keepRunning?: boolean;
}

const program = new Command('simulator')
  .description('A stand-in for the Unified Data Library on 127.0.0.1; see simulator/README.md.')
  .option('--port <n>', 'port to listen on; 0 takes a free one', '0')
  .option('--seed <n>', 'same seed, same data', '1')
  .option('--tiny', 'one reading an hour instead of one every 5 s')
  .option('--cadence <s>', 'seconds between readings')
  .option('--sensors <ids>', 'only these sensors, separated by commas')
  .option('--empty-days <days>', 'days without data, separated by commas')
  .option('--empty-every <n>', 'every n-th day since 1970-01-01 has no data')
  .option('--first-day <day>', 'no data before this day')
  .option('--last-day <day>', 'no data after this day')
  .option('--replay <files...>', 'serve the records of these sample files at their times')
  .addOption(
    new Option('--replay-rest <what>', 'what days of the samples hold at other times')
      .choices(['synthetic', 'empty'])
      .default('synthetic'),
  )
  .option('--off-grid <n>', 'readings a day that lie between two seconds')
  .addOption(
    new Option('--range-end <rule>', 'whether a..b selects b').choices(['include', 'exclude']).default('include'),
  )
  .option('--cap <n>', 'most records of one answer, or none', '10000')
  .option('--no-count', 'answer 404 on /count')
  .option('--gzip', 'compress for clients that accept it')
  .option('--cache-mib <n>', 'memory for finished bodies')
  .option('--token <text>', 'the only accepted Authorization value')
  .option('--rate-limit <n>', 'requests per second before 429')
  .option('--faults <file>', 'JSON file with a fault plan')
  .option('--keep-running', 'go on when standard input closes');

const flags = program.parse().opts<Flags>();
try {
  const simulator = await startSimulator(toOptions(flags));
  const stop = (): void => {
    void simulator.close().then(() => process.exit(0));
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  if (flags.keepRunning !== true) {
    process.stdin.once('end', stop).once('error', stop).once('close', stop);
    process.stdin.resume();
  }
  process.stdout.write(`${JSON.stringify({ url: simulator.url })}\n`);
} catch (error) {
  process.stderr.write(`simulator: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 2;
}

function toOptions(given: Flags): SimulatorOptions {
  const emptyEvery = optionalNumber(given.emptyEvery);
  const offGrid = optionalNumber(given.offGrid);
  const listed = new Set(list(given.emptyDays));
  const options: Record<keyof SimulatorOptions, unknown> = {
    port: Number(given.port),
    seed: Number(given.seed),
    tiny: given.tiny,
    cadenceS: optionalNumber(given.cadence),
    sensors: list(given.sensors),
    descriptors: undefined,
    irregularities: offGrid === undefined ? undefined : { offGrid },
    emptyDays:
      emptyEvery === undefined
        ? list(given.emptyDays)
        : (day: Parameters<typeof dayStartMs>[0]) => listed.has(day) || (dayStartMs(day) / DAY_MS) % emptyEvery === 0,
    firstDay: given.firstDay,
    lastDay: given.lastDay,
    replay: given.replay && { files: given.replay, rest: given.replayRest },
    rangeEnd: given.rangeEnd,
    cap: given.cap === 'none' ? 'none' : Number(given.cap),
    count: given.count,
    gzip: given.gzip,
    cacheBytes: given.cacheMib === undefined ? undefined : Number(given.cacheMib) * 1024 * 1024,
    token: given.token,
    rateLimit: given.rateLimit === undefined ? undefined : { perSecond: Number(given.rateLimit) },
    cooldownGraceMs: undefined,
    logLength: undefined,
    faults: given.faults === undefined ? undefined : (JSON.parse(readFileSync(given.faults, 'utf8')) as FaultPlan),
  };
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

function list(text: string | undefined): string[] | undefined {
  return text?.split(',').filter((part) => part !== '');
}

function optionalNumber(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}
