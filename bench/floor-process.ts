/**
 * The floor: the least that a plain program does with a full day. Fetches its 288 bodies, four requests under way, parses
 * them with `JSON.parse` and fills arrays of doubles, in one thread.
 *
 *     node --expose-gc bench/floor-process.ts http://127.0.0.1:8787 2025-09-01
 */
import { Pool } from 'undici';
import { parseDay } from '../src/core/time/day.ts';
import { TOKEN, dayPaths } from './support/simulated-source.ts';

const UNDER_WAY = 4;
const COLUMNS = 7;
/** More than any slice of five minutes holds. */
const ROWS = 10_000;

interface PlainRecord {
  readonly obTime: string;
  readonly lat: number;
  readonly lon: number;
  readonly alt: number;
  readonly senPos: readonly [number, number, number];
  readonly seoList: readonly [{ readonly obValue: number }];
}

const [base = '', day = ''] = process.argv.slice(2);
const paths = dayPaths(parseDay(day));
const pool = new Pool(base, { connections: UNDER_WAY, pipelining: 1 });
const columns = new Float64Array(COLUMNS * ROWS);
let records = 0;
let timeSum = 0;

globalThis.gc?.();
const startedMs = performance.now();
const startedCpu = process.cpuUsage();
await Promise.all(Array.from({ length: UNDER_WAY }, runner));
const { user, system } = process.cpuUsage(startedCpu);
const wallS = (performance.now() - startedMs) / 1_000;
await pool.close();
if (records === 0 || !(timeSum > 0)) throw new Error(`${day} has no records at ${base}.`);
const peakRssMiB = process.resourceUsage().maxRSS / 1_024;
process.stdout.write(JSON.stringify({ wallS, cpuS: (user + system) / 1e6, peakRssMiB, records }));

async function runner(): Promise<void> {
  for (let path = paths.shift(); path !== undefined; path = paths.shift()) {
    const { statusCode, body } = await pool.request({ path, method: 'GET', headers: { authorization: TOKEN } });
    if (statusCode !== 200) throw new Error(`HTTP ${statusCode} for ${path}`);
    fill(JSON.parse(Buffer.from(await body.arrayBuffer()).toString('latin1')) as PlainRecord[]);
  }
}

function fill(list: readonly PlainRecord[]): void {
  for (const record of list) {
    const row = (records % ROWS) * COLUMNS;
    columns[row] = record.lat;
    columns[row + 1] = record.lon;
    columns[row + 2] = record.alt;
    columns[row + 3] = record.senPos[0];
    columns[row + 4] = record.senPos[1];
    columns[row + 5] = record.senPos[2];
    columns[row + 6] = record.seoList[0].obValue;
    timeSum += Date.parse(record.obTime);
    records += 1;
  }
}
