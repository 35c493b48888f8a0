import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { PipelineError } from '../core/errors.ts';
import { checkRateConfig } from '../core/rate/config.ts';
import { Secret } from '../core/secret.ts';
import { parseDay } from '../core/time/day.ts';
import { askToStay } from './support/ask.ts';
import { runBackfill } from './support/backfill.ts';
import type { CliContext } from './support/context.ts';
import type { ExitCode } from './support/exit-codes.ts';

const SIMULATOR = fileURLToPath(new URL('../../simulator/main.ts', import.meta.url));

/** Three full-size days and one for which the simulated source has nothing. */
const FIRST = parseDay('2025-09-01');
const LAST = parseDay('2025-09-04');
const EMPTY_DAY = parseDay('2025-09-03');

/** `reachback demo` (= `npm start`): the main job against the bundled stand-in of the source. */
export function addDemoCommand(program: Command, context: CliContext, end: (code: ExitCode) => void): void {
  program
    .command('demo')
    .summary('four simulated days, download to delivery, on this machine')
    .description(
      'Backfill four simulated days, three of them full-size, with an embedded server and delivery to a folder.',
    )
    .option('--dir <dir>', 'where everything goes; about 2 GB', './data/demo')
    .action(async (given: { dir: string }) => {
      const dir = resolve(context.cwd, given.dir);
      const delivered = join(dir, 'delivered');
      context.remark(`reachback demo: ${FIRST}..${LAST} of REACH-ALL from a simulated UDL, into ${dir}`);
      const simulator = await startSimulator();
      // The stand-in is a new source each time: what its gate learnt goes with it.
      const stateHome = await mkdtemp(join(tmpdir(), 'reachback-demo-'));
      try {
        const environment = {
          ...context.environment,
          udlBaseUrl: simulator.url,
          token: new Secret('Basic demo'),
          externalTemporal: false,
          stateHome,
        };
        end(
          await runBackfill(
            { ...context, environment },
            {
              product: { sensor: 'ALL', descriptor: 'QUICKLOOK', format: 'csv' },
              first: FIRST,
              last: LAST,
              options: {
                mode: 'run',
                retryFailed: true,
                uploadTo: pathToFileURL(delivered).href,
                profile: 'istp',
                sliceMode: 'half-open',
                limitDays: null,
                zarr: { store: pathToFileURL(join(dir, 'reach.zarr')).href, origin: FIRST, exactTimes: null },
              },
              concurrency: 2,
              workspace: { dir, cwd: context.cwd },
              awsRegion: null,
              pacing: checkRateConfig({ initialRate: 40, maxRate: 40, maxConcurrentRequests: 6 }),
              pacingGiven: [],
              dryRun: false,
              attach: false,
              checkSpace: true,
              output: { verbose: 0 },
              beforeClose: async ({ uiUrl }) => {
                if (context.interactive && uiUrl) await askToStay(uiUrl);
              },
            },
          ),
        );
      } finally {
        await simulator.stop();
        await rm(stateHome, { recursive: true, force: true });
      }
    });
}

/** The simulator as a process of its own; it ends when its standard input closes, so also when this process is killed. */
async function startSimulator(): Promise<{ url: string; stop(): Promise<void> }> {
  const args = ['--port', '0', '--empty-days', EMPTY_DAY];
  const child = spawn(process.execPath, [SIMULATOR, ...args], { stdio: ['pipe', 'pipe', 'inherit'], detached: true });
  const exited = new Promise<void>((done) => child.once('exit', () => done()));
  return {
    url: await readyUrl(child),
    async stop() {
      child.stdin?.end();
      child.kill('SIGTERM');
      await exited;
    },
  };
}

async function readyUrl(child: ChildProcess): Promise<string> {
  if (child.stdout) {
    for await (const line of createInterface(child.stdout)) {
      return (JSON.parse(line) as { url: string }).url;
    }
  }
  throw new PipelineError('invariant_broken', 'The simulator ended before it was ready.', {
    hint: 'Run "reachback simulator" to see what it says.',
  });
}
