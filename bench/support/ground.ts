/** What the cases share: a folder that is removed, the simulator, the floor around each case, one day's files. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { addDays, parseDay } from '../../src/core/time/day.ts';
import type { Day } from '../../src/core/time/day.ts';
import { run, runProgram } from './processes.ts';
import { TOKEN, startSource } from './simulated-source.ts';
import type { SimulatedSource } from './simulated-source.ts';

export const REACHBACK = fileURLToPath(new URL('../../bin/reachback', import.meta.url));
const PREFIX = 'reachback-bench-';
const FIRST_DAY = parseDay('2025-09-01');
/** Bytes that the cases need besides the days of a run, and for each of these. */
const SPARE_BYTES = 4e9;
const BYTES_PER_DAY = 1e9;

export interface FloorFigures {
  readonly wallS: number;
  readonly cpuS: number;
  readonly peakRssMiB: number;
  readonly records: number;
}

export interface BuildFigures {
  readonly wallS: number;
  readonly cpuS: number;
  readonly peakRssMiB: number;
  readonly longestDelayMs: number;
  readonly sizeBytes: number;
}

export interface GroundSizes {
  readonly days: number;
  readonly tinyDays: number;
  readonly zarrDays: number;
  readonly yearDays: number;
}

export class Ground {
  readonly days: readonly Day[];
  /** Length of the range of tiny days. */
  readonly tinyDays: number;
  /** Days that a Zarr store is built of, and those that one is synced of one by one. */
  readonly zarrDays: number;
  readonly yearDays: number;
  /** All floors of this run, in order. */
  readonly floors: FloorFigures[] = [];
  readonly #folder: string;
  readonly #say: (text: string) => void;
  #source: SimulatedSource | null = null;
  #dayFile: string | null = null;
  #product: string | null = null;
  /** Whether nothing was measured since the latest floor. */
  #isFloorFresh = false;

  /** @param dir - where the temporary folder goes; leftovers of killed runs there are removed */
  constructor(dir: string, { days, tinyDays, zarrDays, yearDays }: GroundSizes, say: (text: string) => void) {
    removeLeftovers(dir);
    const { bavail, bsize } = statfsSync(dir);
    const needed = SPARE_BYTES + days * BYTES_PER_DAY;
    if (bavail * bsize < needed) {
      throw new Error(`${dir} has ${gb(bavail * bsize)} free, ${gb(needed)} are needed: name another folder by --dir.`);
    }
    this.tinyDays = tinyDays;
    this.zarrDays = zarrDays;
    this.yearDays = yearDays;
    this.days = Array.from({ length: days }, (_, index) => addDays(FIRST_DAY, index));
    this.#folder = mkdtempSync(join(dir, `${PREFIX}${process.pid}-`));
    this.#say = say;
  }

  say(text: string): void {
    this.#say(text);
  }

  /** An empty folder inside the temporary one. */
  folder(name: string): string {
    const path = join(this.#folder, name);
    rmSync(path, { recursive: true, force: true });
    mkdirSync(path);
    return path;
  }

  async source(): Promise<SimulatedSource> {
    if (!this.#source) {
      this.say(`warming the simulator with ${this.days.length} day(s)`);
      this.#source = await startSource(this.days);
    }
    return this.#source;
  }

  /** Runs a measurement between two floors. @returns its result and the floors' mean */
  async betweenFloors<T>(measure: () => Promise<T>): Promise<{ result: T; floor: FloorFigures }> {
    const before = (this.#isFloorFresh ? this.floors.at(-1) : undefined) ?? (await this.measureFloor());
    this.#isFloorFresh = false;
    const result = await measure();
    return { result, floor: mean(before, await this.measureFloor()) };
  }

  async measureFloor(): Promise<FloorFigures> {
    const { url } = await this.source();
    this.say('floor');
    const floor = await runProgram<FloorFigures>('floor-process.ts', [url, this.days[0]!]);
    this.floors.push(floor);
    this.#isFloorFresh = true;
    return floor;
  }

  /** A full day's CSV, downloaded when no case has left one. */
  async dayFile(): Promise<string> {
    if (this.#dayFile === null) {
      const { url } = await this.source();
      const [day] = this.days;
      this.say(`downloading ${day} as input`);
      const folder = this.folder('input');
      await run(
        REACHBACK,
        ['download', '--start-date', day!, '--end-date', day!, '--output-dir', folder, ...OPEN_GATE],
        { env: programEnvironment(url, folder) },
      );
      this.#dayFile = join(folder, fileIn(folder, '.csv', 'REACH'));
      this.#isFloorFresh = false;
    }
    return this.#dayFile;
  }

  /** A full day's product, whichever profile; built when no case has left one. */
  async product(): Promise<string> {
    if (this.#product === null) {
      this.say('building a day as input');
      this.#product = join(this.folder('product'), 'day.cdf');
      await runProgram<BuildFigures>('build-process.ts', [await this.dayFile(), this.#product, 'parity']);
    }
    return this.#product;
  }

  keepDayFile(path: string): void {
    this.#dayFile ??= path;
  }

  keepProduct(path: string): void {
    this.#product ??= path;
  }

  async close(): Promise<void> {
    await this.#source?.stop();
    this.removeFolder();
  }

  removeFolder(): void {
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }
}

/** The gate open as far as it goes: the machine is measured, not the pacing. */
export const OPEN_GATE = ['--max-concurrent-requests', '8', '--initial-rate', '1000', '--max-rate', '1000'];

/** A worker of its own against the simulator, whatever the shell is set to. */
export function programEnvironment(url: string, folder: string): Record<string, string | undefined> {
  return { UDL_BASE_URL: url, BASICAUTH: TOKEN, TEMPORAL_ADDRESS: undefined, XDG_STATE_HOME: join(folder, 'state') };
}

/** The name in `folder` with this beginning and end. */
function fileIn(folder: string, end: string, start: string): string {
  const name = readdirSync(folder).find((each) => each.startsWith(start) && each.endsWith(end));
  if (name === undefined) throw new Error(`No ${start}…${end} in ${folder}.`);
  return name;
}

function mean(a: FloorFigures, b: FloorFigures): FloorFigures {
  return {
    wallS: (a.wallS + b.wallS) / 2,
    cpuS: (a.cpuS + b.cpuS) / 2,
    peakRssMiB: Math.max(a.peakRssMiB, b.peakRssMiB),
    records: a.records,
  };
}

/** A run that was killed with -9 leaves gigabytes behind. */
function removeLeftovers(dir: string): void {
  for (const name of readdirSync(dir)) {
    const pid = Number(/^reachback-bench-(\d+)-/.exec(name)?.[1] ?? process.pid);
    if (pid !== process.pid && !isAlive(pid)) rmSync(join(dir, name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function gb(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}
