/** One seed: a run that is disturbed, and what it left beside what an undisturbed run leaves. */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { differencesOf } from './compare.ts';
import { collectEvidence } from './evidence.ts';
import type { Evidence } from './evidence.ts';
import { descendants, killServerBelow, killTree, survivors } from './processes.ts';
import type { Started } from './processes.ts';
import { DAYS_AT_ONCE, MOST_REQUESTS_AT_ONCE, makeRunPlace, slicesOnDisk } from './run-place.ts';
import type { RunPlace } from './run-place.ts';
import type { Life, Scenario, Shape } from './scenario.ts';
import { startSource } from './source.ts';
import type { SeenRequest, Source } from './source.ts';

export interface DrillSettings {
  /** Holds a folder for each seed and one for each undisturbed run. */
  readonly dir: string;
  readonly temporalBinary: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** What an undisturbed run of a shape left and cost. */
export interface Undisturbed {
  readonly evidence: Evidence;
  readonly dataRequests: number;
}

export interface DrillResult {
  readonly scenario: Scenario;
  readonly dir: string;
  /** Who was killed where, as `worker at slice-renamed:3`. */
  readonly kills: readonly string[];
  /** Kills that came too late: everything was done. */
  readonly missed: number;
  /** Kind → how often the source did it. */
  readonly faults: Readonly<Record<string, number>>;
  readonly dataRequests: number;
  readonly undisturbedRequests: number;
  /** Complete answers to slices that had been answered before. */
  readonly repeated: number;
  readonly differences: readonly string[];
  readonly seconds: number;
}

/** A life ends within this time, kills and what they cost included. */
const PATIENCE_MS = 180_000;
const POLL_MS = 20;
/** A killed program's server ends by itself. */
const AFTERLIFE_MS = 20_000;

export async function undisturbedRun(settings: DrillSettings, shape: Shape): Promise<Undisturbed> {
  const dir = join(settings.dir, `undisturbed-${shape.name}`);
  await rm(dir, { recursive: true, force: true });
  const source = await startSource(0, []);
  try {
    const place = makeRunPlace(dir, shape, source.url, settings.temporalBinary, settings.environment);
    const how = await withPatience(place.start(place.runArguments));
    if (how !== 0) throw new Error(`The undisturbed run of ${shape.name} ended with ${how}; its output is in ${dir}.`);
    const evidence = await collectEvidence(place);
    if (evidence.untidy.length > 0) throw new Error(`The undisturbed run in ${dir}: ${evidence.untidy.join('; ')}`);
    return { evidence, dataRequests: (await source.stats()).byEndpoint['data'] ?? 0 };
  } finally {
    await source.stop();
  }
}

/** Runs a scenario. Its folder stays; the caller removes it when nothing differs. */
export async function drill(
  settings: DrillSettings,
  scenario: Scenario,
  undisturbed: Undisturbed,
): Promise<DrillResult> {
  const startedAt = performance.now();
  const dir = join(settings.dir, `seed-${scenario.seed}`);
  await rm(dir, { recursive: true, force: true });
  const source = await startSource(scenario.seed, scenario.faults);
  try {
    const place = makeRunPlace(dir, scenario.shape, source.url, settings.temporalBinary, settings.environment);
    const course = new Course(place, source);
    const differences = await run(course, scenario, undisturbed).catch((error: unknown) => [
      `the drill came to no end: ${error instanceof Error ? error.message : String(error)}`,
    ]);
    course.endAll();
    // For whoever looks at what differs.
    await writeFile(join(dir, 'requests.json'), `${JSON.stringify(await source.requests(), null, 1)}\n`);
    const { byEndpoint, repeatedAnswers } = await source.stats();
    return {
      scenario,
      dir,
      kills: course.kills,
      missed: course.missed,
      faults: countFaults(await source.requests()),
      dataRequests: byEndpoint['data'] ?? 0,
      undisturbedRequests: undisturbed.dataRequests,
      repeated: repeatedAnswers,
      differences,
      seconds: (performance.now() - startedAt) / 1_000,
    };
  } finally {
    await source.stop();
  }
}

/** @returns the differences */
async function run(course: Course, scenario: Scenario, undisturbed: Undisturbed): Promise<string[]> {
  const how = await (scenario.apart ? course.apart(scenario) : course.together(scenario));
  return [
    ...(how === 0 ? [] : [`the last run ended with ${how}`]),
    ...(await course.survivors()),
    ...differencesOf(undisturbed.evidence, await collectEvidence(course.place)),
    ...(await requestDifferences(course, undisturbed)),
  ];
}

/** Slices that were on disk at a kill, and the number of the last request before it. */
interface Kept {
  readonly number: number;
  readonly starts: ReadonlySet<number>;
}

/** The processes of a disturbed run, one life after the other. */
class Course {
  readonly kills: string[] = [];
  readonly kept: Kept[] = [];
  missed = 0;
  readonly place: RunPlace;
  readonly source: Source;
  readonly #processes: Started[] = [];
  readonly #pids = new Set<number>();

  constructor(place: RunPlace, source: Source) {
    this.place = place;
    this.source = source;
  }

  /** Command, worker and server as one tree of processes; after each kill the same command again. @returns how it ended */
  async together({ lives, lastServerAt }: Scenario): Promise<number | string> {
    for (const life of lives) {
      const program = this.#start(this.place.runArguments, pointOf(life));
      await this.#live(program, program, life);
      const how = program.how();
      if (how === 0) return how;
      if (how !== 'SIGKILL') return how ?? 'no end';
    }
    const last = this.#start(this.place.runArguments);
    if (lastServerAt !== null) await this.#killServer(last, last, lastServerAt);
    return await withPatience(last);
  }

  /** Three processes; only workers are replaced. @returns how the command ended */
  async apart({ lives, lastServerAt }: Scenario): Promise<number | string> {
    const server = this.#start(this.place.serverArguments);
    await this.#until(server, () => this.#says(server, '"ready"'));
    let worker = this.#start(this.place.workerArguments, lives[0] && pointOf(lives[0]));
    await this.#until(worker, () => this.#says(worker, 'is polling'));
    const command = this.#start(this.place.runArguments);
    for (const [index, life] of lives.entries()) {
      await this.#live(worker, command, life, server);
      if (command.how() !== null) break;
      const next = lives[index + 1];
      worker = this.#start(this.place.workerArguments, next && pointOf(next));
    }
    if (lastServerAt !== null && command.how() === null) await this.#killServer(command, server, lastServerAt);
    const how = await withPatience(command);
    for (const process of [worker, server]) {
      for (const pid of descendants(process.pid)) this.#pids.add(pid);
      process.kill('SIGTERM');
      await withPatience(process);
    }
    return how;
  }

  /** For a drill that came to no end. */
  endAll(): void {
    for (const started of this.#processes) if (started.how() === null) killTree(started.pid);
  }

  #start(...args: Parameters<RunPlace['start']>): Started {
    const started = this.place.start(...args);
    this.#processes.push(started);
    return started;
  }

  /** What should have ended and has not, in words. */
  async survivors(): Promise<string[]> {
    const alive = await survivors([...this.#pids], AFTERLIFE_MS);
    return alive.length === 0 ? [] : [`still running: ${alive.join(', ')}`];
  }

  /**
   * Lets a process live until its end.
   *
   * @param witness - when it ends by itself, everything was done before
   */
  async #live(victim: Started, witness: Started, life: Life, server = victim): Promise<void> {
    if (life.serverAt !== null) await this.#killServer(victim, server, life.serverAt, witness);
    const { at } = life;
    const isOver = (): boolean => victim.how() !== null || witness.how() !== null;
    if ('requests' in at) {
      const from = (await this.source.stats()).requests;
      await this.#until(victim, async () => isOver() || (await this.source.stats()).requests >= from + at.requests);
    } else await this.#until(victim, isOver);
    if (witness.how() === 0 || (victim !== witness && witness.how() !== null)) {
      this.missed += 1;
      return;
    }
    await this.#end(victim, life);
  }

  /** Kills what has not killed itself, and notes what is on disk then. */
  async #end(victim: Started, { victim: who, at }: Life): Promise<void> {
    for (const pid of [victim.pid, ...descendants(victim.pid)]) this.#pids.add(pid);
    if (victim.how() === null) {
      if (who === 'everything') for (const pid of killTree(victim.pid)) this.#pids.add(pid);
      else victim.kill('SIGKILL');
    }
    await victim.ended;
    this.kills.push(`${who} at ${'point' in at ? `${at.point}:${at.nth}` : `request ${at.requests}`}`);
    const { requests: number } = await this.source.stats();
    this.kept.push({ number, starts: slicesOnDisk(this.place) });
  }

  /** @param below - the process that keeps the server up */
  async #killServer(living: Started, below: Started, requests: number, witness = living): Promise<void> {
    const from = (await this.source.stats()).requests;
    const isOver = (): boolean => living.how() !== null || witness.how() !== null;
    await this.#until(living, async () => isOver() || (await this.source.stats()).requests >= from + requests);
    if (!isOver() && killServerBelow(below.pid)) this.kills.push(`server at request ${requests}`);
    else this.missed += 1;
  }

  async #until(process: Started, holds: () => boolean | Promise<boolean>): Promise<void> {
    const end = Date.now() + PATIENCE_MS;
    while (!(await holds())) {
      if (Date.now() > end) {
        killTree(process.pid);
        throw new Error(`Nothing happened for ${PATIENCE_MS / 1_000} s; see ${this.place.dir}.`);
      }
      await sleep(POLL_MS);
    }
  }

  /** Whether a process has printed a word, or has ended. */
  #says(process: Started, word: string): boolean {
    return process.how() !== null || process.output().includes(word);
  }
}

function pointOf({ at }: Life) {
  return 'point' in at ? at : undefined;
}

async function withPatience(process: Started): Promise<number | string> {
  const timer = setTimeout(() => killTree(process.pid), PATIENCE_MS);
  try {
    return await process.ended;
  } finally {
    clearTimeout(timer);
  }
}

/** SAFE-2, SAFE-9: nothing inside a cooldown, nothing twice that was on disk, not more requests than faults and kills explain. */
async function requestDifferences(
  { kept: kills, kills: { length }, source }: Course,
  undisturbed: Undisturbed,
): Promise<string[]> {
  const told: string[] = [];
  const requests = (await source.requests()).filter(({ endpoint }) => endpoint === 'data');
  const again = requests.filter(({ number, range }) => {
    const start = Date.parse(range?.split('..')[0] ?? '');
    return kills.some((kept) => number > kept.number && kept.starts.has(start));
  });
  if (again.length > 0) {
    told.push(`${again.length} slices asked again that were on disk at a kill, such as ${again[0]?.range}`);
  }
  const early = requests.filter(({ inCooldown }) => inCooldown);
  if (early.length > 0) {
    told.push(
      `${early.length} requests begun inside a cooldown: ${early.map((each) => sincePause(each, requests)).join(', ')}`,
    );
  }
  const faults = requests.filter(({ fault }) => fault !== undefined).length;
  const most = undisturbed.dataRequests + faults + length * MOST_REQUESTS_AT_ONCE * DAYS_AT_ONCE;
  if (requests.length > most || requests.length < undisturbed.dataRequests) {
    told.push(`${requests.length} requests, expected ${undisturbed.dataRequests} to ${most}`);
  }
  return told;
}

/** `+310 ms` since the latest 429 before the request had gone out. */
function sincePause({ atMs }: SeenRequest, requests: readonly SeenRequest[]): string {
  const pauses = requests.filter(({ status, atMs: begunMs }) => status === 429 && begunMs < atMs);
  const latest = Math.max(...pauses.map((pause) => pause.atMs + (pause.durationMs ?? 0)).filter((ms) => ms < atMs));
  return `+${Math.round(atMs - latest)} ms`;
}

function countFaults(requests: readonly SeenRequest[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { fault } of requests) if (fault !== undefined) counts[fault] = (counts[fault] ?? 0) + 1;
  return counts;
}
