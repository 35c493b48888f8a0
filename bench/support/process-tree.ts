/** CPU time and memory of a process and everything below it, read from /proc now and then. Linux only. */
import { readFileSync, readdirSync } from 'node:fs';

const EVERY_MS = 200;
const TICKS_PER_S = 100;
const PAGE_MIB = 4_096 / 2 ** 20;
/** Fields of /proc/PID/stat behind the command's name, counted from the state. */
const PARENT = 1;
const USER_TICKS = 11;
const SYSTEM_TICKS = 12;
const RSS_PAGES = 21;

export interface TreeUsage {
  /** User and system, of all processes that were seen, without those of the Temporal server. */
  readonly cpuS: number;
  /** The same between two moments of `performance.now()`, to a fifth of a second. */
  cpuBetween(fromMs: number, toMs: number): number;
  readonly temporalCpuS: number;
  /** User and system of the root process by thread name, the largest first; threads of one name are added up. */
  readonly threadCpuS: ReadonlyMap<string, number>;
  /** Highest resident set of the root process, as the kernel kept it. */
  readonly rootPeakMiB: number;
  /** Highest sum of resident sets, shared pages counted in each; with and without the Temporal server. */
  readonly treePeakMiB: number;
  /** Resident set of the root process over time, oldest first. */
  readonly rootMiB: readonly number[];
  readonly treePeakWithTemporalMiB: number;
}

interface Seen {
  readonly isTemporal: boolean;
  readonly cpuS: number;
  readonly rssMiB: number;
}

/** Watches until `end`. CPU of the last fifth of a second before a process ends is not seen. */
export function watchTree(root: number): { end(): TreeUsage } {
  const cpu = new Map<number, Seen>();
  const threads = new Map<number, ThreadSeen>();
  const rootMiB: number[] = [];
  const looks: Look[] = [];
  let rootPeakMiB = 0;
  let treePeakMiB = 0;
  let treePeakWithTemporalMiB = 0;
  const total = (temporal: boolean): number =>
    [...cpu.values()].reduce((sum, { isTemporal, cpuS }) => sum + (isTemporal === temporal ? cpuS : 0), 0);
  const look = (): void => {
    const now = processTree(root);
    for (const [pid, seen] of now) cpu.set(pid, seen);
    looks.push({ atMs: performance.now(), cpuS: total(false) });
    const rootNow = now.get(root)?.rssMiB ?? 0;
    if (rootNow > 0) rootMiB.push(rootNow);
    for (const [id, seen] of threadsOf(root)) threads.set(id, seen);
    rootPeakMiB = Math.max(rootPeakMiB, peakOf(root));
    const sum = (all: boolean): number =>
      [...now.values()].reduce((total, { isTemporal, rssMiB }) => total + (all || !isTemporal ? rssMiB : 0), 0);
    treePeakMiB = Math.max(treePeakMiB, sum(false));
    treePeakWithTemporalMiB = Math.max(treePeakWithTemporalMiB, sum(true));
  };
  look();
  const ticker = setInterval(look, EVERY_MS);
  return {
    end() {
      clearInterval(ticker);
      return {
        cpuS: total(false),
        cpuBetween: (fromMs, toMs) => cpuAt(looks, toMs) - cpuAt(looks, fromMs),
        temporalCpuS: total(true),
        threadCpuS: byName(threads.values()),
        rootMiB,
        rootPeakMiB,
        treePeakMiB,
        treePeakWithTemporalMiB,
      };
    },
  };
}

interface Look {
  readonly atMs: number;
  readonly cpuS: number;
}

/** Between two looks, as if the time had been used evenly. */
function cpuAt(looks: readonly Look[], atMs: number): number {
  const after = looks.findIndex((look) => look.atMs >= atMs);
  const [from, to] = [looks[after - 1], looks[after]];
  if (!from || !to) return (to ?? looks.at(-1))?.cpuS ?? 0;
  return from.cpuS + ((to.cpuS - from.cpuS) * (atMs - from.atMs)) / (to.atMs - from.atMs);
}

interface ThreadSeen {
  readonly name: string;
  readonly cpuS: number;
}

/** The threads of a process that run now, by thread id. */
function threadsOf(pid: number): Map<number, ThreadSeen> {
  const threads = new Map<number, ThreadSeen>();
  for (const id of entries(`/proc/${pid}/task`)) {
    const text = read(`/proc/${pid}/task/${id}/stat`);
    if (text === null) continue;
    const nameEnd = text.lastIndexOf(')');
    const fields = text.slice(nameEnd + 2).split(' ');
    const ticks = Number(fields[USER_TICKS]) + Number(fields[SYSTEM_TICKS]);
    // Pools number their threads.
    const name = text.slice(text.indexOf('(') + 1, nameEnd).replace(/[-\s]*\d+$/, '');
    threads.set(Number(id), { name, cpuS: ticks / TICKS_PER_S });
  }
  return threads;
}

function byName(threads: Iterable<ThreadSeen>): Map<string, number> {
  const sums = new Map<string, number>();
  for (const { name, cpuS } of threads) sums.set(name, (sums.get(name) ?? 0) + cpuS);
  return new Map([...sums].toSorted(([, a], [, b]) => b - a));
}

/** The root and its descendants that run now, by process id. */
function processTree(root: number): Map<number, Seen> {
  const all = new Map<number, Seen & { readonly parent: number }>();
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    const found = Number.isInteger(pid) ? readStat(pid) : null;
    if (found) all.set(pid, found);
  }
  const tree = new Map<number, Seen>();
  for (const [pid, seen] of all) {
    let ancestor: number | undefined = pid;
    while (ancestor !== undefined && ancestor !== root) ancestor = all.get(ancestor)?.parent;
    if (ancestor === root) tree.set(pid, seen);
  }
  return tree;
}

function readStat(pid: number): (Seen & { readonly parent: number }) | null {
  const text = read(`/proc/${pid}/stat`);
  if (text === null) return null;
  const nameEnd = text.lastIndexOf(')');
  const fields = text.slice(nameEnd + 2).split(' ');
  const field = (index: number): number => Number(fields[index]);
  return {
    parent: field(PARENT),
    isTemporal: text.slice(text.indexOf('(') + 1, nameEnd).startsWith('temporal'),
    cpuS: (field(USER_TICKS) + field(SYSTEM_TICKS)) / TICKS_PER_S,
    rssMiB: field(RSS_PAGES) * PAGE_MIB,
  };
}

/** 0 when the process is gone. */
function peakOf(pid: number): number {
  const kib = /^VmHWM:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`) ?? '')?.[1];
  return Number(kib ?? 0) / 1_024;
}

/** Nothing when the process is gone. */
function entries(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

/** Null when the process is gone. */
function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
