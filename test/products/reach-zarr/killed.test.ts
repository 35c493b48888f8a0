/** A writer that is killed again and again, a reader that looks all the while. `REACHBACK_ZARR_KILLS` asks for more kills. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type { ZarrDay } from '../../../src/core/zarr.ts';
import { addDays } from '../../../src/core/time/day.ts';
import { DirectoryStore } from '../../../src/formats/zarr/index.ts';
import { syncDays } from '../../../src/products/reach-zarr/index.ts';
import { contentOf } from '../../formats/zarr/small-group.ts';
import { temporaryFolder } from '../../storage/temporary-folder.ts';
import { ensurePython } from '../../support/python.ts';
import { makeDay, ORIGIN, SETTINGS } from './days.ts';

const KILLS = Number(process.env['REACHBACK_ZARR_KILLS'] ?? 20);
const CHILD = fileURLToPath(new URL('./sync-child.ts', import.meta.url));
const WATCHER = join(import.meta.dirname, '../../support/python/zarr_watch.py');
/** Values of a day of `makeDay`: seven times, four sensors, two dosimeters each. */
const POSITIONS = ['lat', 'lon', 'alt', 'obQuality', 'sensor_position_x', 'sensor_position_y', 'sensor_position_z'];
const EXPECTED = { dose_rate: 56, ...Object.fromEntries(POSITIONS.map((name) => [name, 28])) };

test(`APPEND-9: ${KILLS} kills of a writer: no reader meets an error or half a day, and the store ends as an undisturbed one`, async () => {
  const folder = await temporaryFolder();
  const store = join(folder, 'reach.zarr');
  const days: ZarrDay[] = [];
  for (let i = 0; i < 8; i++) days.push(await makeDay(folder, addDays(ORIGIN, i)));
  // New days, days before the end, days once more in another edition.
  const later = [
    await makeDay(folder, days[1]!.day, { edition: 1 }),
    await makeDay(folder, days[5]!.day, { edition: 2 }),
  ];
  const order = [days[0]!, days[3]!, days[1]!, days[2]!, later[0]!, days[5]!, days[4]!, days[7]!, later[1]!, days[6]!];
  const reader = await startReader(store);
  const runChild = (list: readonly ZarrDay[]): ChildProcess =>
    spawn(process.execPath, [CHILD, store, JSON.stringify(SETTINGS), JSON.stringify(list)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
  // How long a day takes here and now: kills come within one and a half times that.
  const first = runChild(order.slice(0, 1));
  await once(first.stdout!, 'data');
  const startedMs = performance.now();
  await once(first, 'close');
  const dayMs = performance.now() - startedMs;
  let kills = 0;
  let next = 1;
  while (next < order.length || kills < KILLS) {
    // Once all is written, the last ones again from their former edition, so that there is always work to disturb.
    const rest = next < order.length ? order.slice(next) : [days[5]!, days[1]!, later[1]!, later[0]!];
    const child = runChild(rest);
    let lines = 0;
    child.stdout!.on('data', (text: Buffer) => (lines += text.toString().split('\n').length - 1));
    const ended = once(child, 'close');
    const killed = kills < KILLS && (await killWithin(1.5 * dayMs, child, ended));
    if (killed) kills += 1;
    const [code] = (await ended) as [number | null];
    expect(killed ? null : code).toBe(killed ? null : 0);
    next = Math.min(order.length, next + Math.max(0, lines - 1));
  }
  const seen = await reader.end();
  expect(seen).toMatchObject({ errors: [], halves: [], longest: 8 });
  expect(seen.openings).toBeGreaterThan(KILLS);
  expect(seen.days).toBeGreaterThan(0);

  const final = [days[0]!, later[0]!, ...days.slice(2, 5), later[1]!, ...days.slice(6)];
  for (const list of [final, final]) await syncDays(new DirectoryStore(store), SETTINGS, list);
  const undisturbed = new DirectoryStore(join(folder, 'undisturbed.zarr'));
  await syncDays(undisturbed, SETTINGS, final);
  expect(await contentOf(new DirectoryStore(store))).toEqual(await contentOf(undisturbed));
  process.stdout.write(`${kills} kills, ${seen.openings} openings, ${seen.days} days looked at\n`);
}, 1_800_000);

/** Kills the child anywhere in its work, start-up apart. @returns false when it had ended before */
async function killWithin(longestMs: number, child: ChildProcess, ended: Promise<unknown>): Promise<boolean> {
  await Promise.race([once(child.stdout!, 'data'), ended]);
  const delay = new Promise<false>((resolve) => setTimeout(resolve, Math.random() * longestMs, false));
  const isOver = await Promise.race([ended.then(() => true), delay]);
  return !isOver && child.kill('SIGKILL');
}

interface Seen {
  readonly openings: number;
  readonly days: number;
  readonly longest: number;
  readonly halves: readonly unknown[];
  readonly errors: readonly string[];
}

async function startReader(store: string): Promise<{ end(): Promise<Seen> }> {
  const child = spawn(await ensurePython(), [WATCHER, store, '50'], { stdio: ['pipe', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', (text: Buffer) => (output += text.toString()));
  const ended = once(child, 'close');
  child.stdin.write(`${JSON.stringify(EXPECTED)}\n`);
  return {
    async end() {
      child.stdin.end();
      await ended;
      return JSON.parse(output) as Seen;
    },
  };
}
