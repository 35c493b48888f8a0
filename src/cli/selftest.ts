import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { InvalidArgumentError } from 'commander';
import type { Command } from 'commander';
import { PipelineError } from '../core/errors.ts';
import { ensureTemporalBinary } from '../embedded/temporal-binary.ts';
import { drill, undisturbedRun } from './selftest/drill.ts';
import type { DrillResult, DrillSettings, Undisturbed } from './selftest/drill.ts';
import { endWithThisProcess } from './selftest/processes.ts';
import { scenarioOf } from './selftest/scenario.ts';
import { differenceLines, seedLine, summaryLines } from './selftest/summary.ts';
import type { CliContext } from './support/context.ts';
import { EXIT } from './support/exit-codes.ts';
import type { ExitCode } from './support/exit-codes.ts';
import { positiveInteger } from './support/flags.ts';

/** `reachback selftest`: the crash drill. What it compares: `selftest/README.md`. */
export function addSelftestCommand(program: Command, context: CliContext, end: (code: ExitCode) => void): void {
  program
    .command('selftest')
    .summary('kill this program at chosen moments and compare what it leaves')
    .description(
      'Runs small backfills against the bundled simulator, disturbed by faults of the source and by kill -9 of the program,\n' +
        'its worker or its server as the seed says, and compares products, ledger and requests with an undisturbed run.',
    )
    .option('--seed <n>', 'the first seed', wholeNumber, 1)
    .option('--runs <k>', 'so many seeds, one after the other', positiveInteger, 1)
    .option('--dir <dir>', 'where it works (default: a temporary folder); seeds with differences stay there')
    .addHelpText(
      'after',
      '\nExit codes: 0 no difference, 1 some seed differs: its folder stays, its command is printed.',
    )
    .action(async (given: { seed: number; runs: number; dir?: string }) => {
      if (!existsSync('/proc/self/stat')) {
        throw new PipelineError('config_invalid', 'The selftest finds processes in /proc, which this system lacks.', {
          hint: 'Run it on Linux, for instance in the container image.',
        });
      }
      endWithThisProcess();
      const dir =
        given.dir === undefined
          ? await mkdtemp(join(tmpdir(), 'reachback-selftest-'))
          : resolve(context.cwd, given.dir);
      await mkdir(dir, { recursive: true });
      const { variables: environment } = context.environment;
      const { path: temporalBinary } = await ensureTemporalBinary(environment, { onProgress: context.remark });
      const settings = { dir, temporalBinary, environment };
      const results = await drillSeeds(context, settings, given.seed, given.runs);
      for (const line of summaryLines(results)) context.print(line);
      const differs = results.some(({ differences }) => differences.length > 0);
      if (!differs && given.dir === undefined) await rm(dir, { recursive: true, force: true });
      end(differs ? EXIT.failed : EXIT.ok);
    });
}

async function drillSeeds(
  context: CliContext,
  settings: DrillSettings,
  first: number,
  runs: number,
): Promise<DrillResult[]> {
  const results: DrillResult[] = [];
  // Products carry the date that they were made on.
  const undisturbed = new Map<string, Undisturbed>();
  for (let seed = first; seed < first + runs; seed += 1) {
    const scenario = scenarioOf(seed);
    const key = `${scenario.shape.name} ${new Date().toISOString().slice(0, 10)}`;
    const calm = undisturbed.get(key) ?? (await undisturbedRun(settings, scenario.shape));
    undisturbed.set(key, calm);
    const result = await drill(settings, scenario, calm);
    results.push(result);
    context.remark(seedLine(result));
    if (result.differences.length === 0) await rm(result.dir, { recursive: true, force: true });
    else for (const line of differenceLines(result)) context.print(line);
  }
  return results;
}

function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('expected a whole number of 0 or more.');
  return Number(text);
}
