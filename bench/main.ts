/** `npm run bench`: see README.md. */
import { loadavg, tmpdir } from 'node:os';
import { Argument, Command, InvalidArgumentError } from 'commander';
import { benchBuild } from './cases/build.ts';
import { benchDay } from './cases/day.ts';
import { benchFloor } from './cases/floor.ts';
import { benchLedger } from './cases/ledger.ts';
import { benchPacing } from './cases/pacing.ts';
import { benchPlan } from './cases/plan.ts';
import { benchRange } from './cases/range.ts';
import { benchTelemetry } from './cases/telemetry.ts';
import { benchWrite } from './cases/write.ts';
import { benchZarrBuild } from './cases/zarr-build.ts';
import { benchZarrYear } from './cases/zarr-year.ts';
import { benchZarr } from './cases/zarr.ts';
import { figure, table } from './support/figures.ts';
import type { Figure } from './support/figures.ts';
import { Ground } from './support/ground.ts';
import { killAll } from './support/processes.ts';

/** In this order; `day` and `build` leave files that later cases use. */
const CASES: Readonly<Record<string, (ground: Ground) => Promise<Figure[]>>> = {
  floor: benchFloor,
  day: benchDay,
  build: benchBuild,
  write: benchWrite,
  plan: benchPlan,
  zarr: benchZarr,
  ledger: benchLedger,
  telemetry: benchTelemetry,
  pacing: benchPacing,
  range: benchRange,
  'zarr-build': benchZarrBuild,
  'zarr-year': benchZarrYear,
};
/** Not among those that run when none is named: they take from a minute to a quarter of an hour. */
const ONLY_BY_NAME = new Set(['pacing', 'range', 'zarr-build', 'zarr-year']);
/** The simulator keeps every day in memory, about 1 GB each. */
const MOST_DAYS = 10;
/** The range begins in 2015 and ends before today. */
const MOST_TINY_DAYS = 3_653;
/** Work of others on the machine above which figures say little. */
const QUIET_LOAD = 1.5;

interface Flags {
  readonly days: number;
  readonly tinyDays: number;
  readonly zarrDays: number;
  readonly yearDays: number;
  readonly dir: string;
  readonly json?: boolean;
}

const program = new Command('bench')
  .description('Measurements beside their floors, as ratios of one run; see bench/README.md.')
  .addArgument(
    new Argument('[which...]', 'cases; all but pacing, range, zarr-build and zarr-year without').choices(
      Object.keys(CASES),
    ),
  )
  .option('--days <n>', 'full-size days in the cases "day" and "pacing"', wholeDays(1, MOST_DAYS), 1)
  .option('--tiny-days <n>', 'days in the case "range"', wholeDays(1, MOST_TINY_DAYS), 3_653)
  .option('--zarr-days <n>', 'full-size days in the case "zarr-build", 80 MB each', wholeDays(2, 64), 32)
  .option('--year-days <n>', 'full-size days in the case "zarr-year", 26 MB each', wholeDays(4, 3_653), 365)
  .option('--dir <dir>', 'where the temporary folder goes', tmpdir())
  .option('--json', 'figures as JSON on standard output, the table on standard error');
program.parse();
const flags = program.opts<Flags>();
const which = (program.processedArgs as [string[]])[0];

const ground = new Ground(flags.dir, flags, (text) => void process.stderr.write(`· ${text}\n`));
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  process.once(signal, () => {
    killAll();
    ground.removeFolder();
    process.exit(code);
  });
}

const startLoad = loadavg()[0]!;
if (startLoad > QUIET_LOAD) ground.say(`load average ${startLoad.toFixed(1)}: others are at work, trust ratios only`);
try {
  const figures: Figure[] = [];
  for (const [name, bench] of Object.entries(CASES)) {
    if (which.length === 0 ? !ONLY_BY_NAME.has(name) : which.includes(name)) figures.push(...(await bench(ground)));
  }
  const walls = ground.floors.map(({ wallS }) => wallS);
  if (walls.length > 1) {
    const beside = { what: 'quickest', value: Math.min(...walls) };
    figures.push(figure('floor', `slowest of ${walls.length} in this run: drift`, Math.max(...walls), 's', { beside }));
  }
  show(figures);
} finally {
  await ground.close();
}

function show(figures: readonly Figure[]): void {
  const text = `${table(figures)}\n`;
  if (flags.json !== true) process.stdout.write(text);
  else {
    process.stderr.write(text);
    const facts = { date: new Date().toISOString(), node: process.version, days: flags.days, loadAtStart: startLoad };
    process.stdout.write(`${JSON.stringify({ ...facts, floors: ground.floors, figures }, null, 2)}\n`);
  }
}

/** A whole number of a range, from the text of an option. */
function wholeDays(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`Expected a whole number of ${least} to ${most}.`);
  };
}
