/** The simulator in a process of its own, with all bodies of the wanted days in its memory before anything is measured. */
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Pool } from 'undici';
import { daySlices } from '../../src/core/slices.ts';
import type { Day } from '../../src/core/time/day.ts';
import { start } from './processes.ts';

const SIMULATOR = fileURLToPath(new URL('../../simulator/main.ts', import.meta.url));
const MIB_PER_DAY = 1_000;
const SPARE_MIB = 200;

export const TOKEN = 'Basic bench';

export interface SimulatedSource {
  readonly url: string;
  /** When the first and the last request after the latest `mark` came, on this process's clock (`performance.now()`). */
  requestTimes(): Promise<{ count: number; firstMs: number; lastMs: number }>;
  /** Forgets requests and ties the simulator's clock to ours. */
  mark(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * @param days - in memory when this returns
 * @param options - further ones of the simulator
 */
export async function startSource(days: readonly Day[], options: readonly string[] = []): Promise<SimulatedSource> {
  const cacheMib = days.length * MIB_PER_DAY + SPARE_MIB;
  const { child, stop } = start(process.execPath, [
    SIMULATOR,
    '--port',
    '0',
    '--cache-mib',
    String(cacheMib),
    ...options,
  ]);
  try {
    const url = await readyUrl(child.stdout);
    const pool = new Pool(url, { connections: 4, pipelining: 1 });
    for (const day of days) await fetchDay(pool, day);
    return { url, stop, ...createClock(pool) };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function readyUrl(stdout: NodeJS.ReadableStream | null): Promise<string> {
  if (stdout) {
    for await (const line of createInterface(stdout)) return (JSON.parse(line) as { url: string }).url;
  }
  throw new Error('The simulator ended before it was ready.');
}

async function fetchDay(pool: Pool, day: Day): Promise<void> {
  const paths = dayPaths(day);
  const runner = async (): Promise<void> => {
    for (let path = paths.pop(); path !== undefined; path = paths.pop()) {
      const { statusCode, body } = await pool.request({ path, method: 'GET', headers: { authorization: TOKEN } });
      await body.dump({ limit: Number.MAX_SAFE_INTEGER });
      if (statusCode !== 200) throw new Error(`HTTP ${statusCode} for ${path}`);
    }
  };
  await Promise.all([runner(), runner(), runner(), runner()]);
}

/** The 288 requests of a full day. */
export function dayPaths(day: Day): string[] {
  return daySlices(day, 'ALL', 'half-open').map(({ queryStartMs, queryEndMs }) => {
    const [from, to] = [queryStartMs, queryEndMs].map((ms) => new Date(ms).toISOString());
    return `/udl/spaceenvobservation?obTime=${from}..${to}&source=Aerospace&dataMode=REAL&descriptor=QUICKLOOK&sort=obTime`;
  });
}

interface LoggedRequest {
  readonly atMs: number;
  readonly endpoint: string;
}

function createClock(pool: Pool): Pick<SimulatedSource, 'mark' | 'requestTimes'> {
  let markedMs = 0;
  const get = async (method: 'GET' | 'POST', path: string): Promise<unknown> =>
    (await pool.request({ path, method, headers: { authorization: TOKEN } })).body.json();
  return {
    async mark() {
      await get('POST', '/_control/reset');
      markedMs = performance.now();
      // The first request in the log tells what the simulator's clock showed at `markedMs`.
      await get('GET', '/udl/spaceenvobservation/queryhelp');
    },
    async requestTimes() {
      const log = (await get('GET', '/_control/requests')) as LoggedRequest[];
      const mark = log.find(({ endpoint }) => endpoint === 'queryhelp');
      const times = log.filter(({ endpoint }) => endpoint === 'data').map(({ atMs }) => atMs);
      if (!mark || times.length === 0) throw new Error('The simulator saw no request.');
      const ours = (atMs: number): number => atMs - mark.atMs + markedMs;
      return { count: times.length, firstMs: ours(Math.min(...times)), lastMs: ours(Math.max(...times)) };
    },
  };
}
