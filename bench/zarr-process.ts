/**
 * Adds one full day to a store of ten days and to one of ten years, in turn, and tells what each cost.
 *
 *     node --expose-gc bench/zarr-process.ts <day.cdf> <YYYY-MM-DD> <folder>
 *
 * The stores have their whole time axis and, in place of years of measurements, days without any: what a sync reads and
 * writes of former days is nothing, so that they need not be there.
 */
import { createHash } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { addDays, parseDay } from '../src/core/time/day.ts';
import { DirectoryStore, GrowingGroup } from '../src/formats/zarr/index.ts';
import { syncDays } from '../src/products/reach-zarr/index.ts';
import { zarrSchema } from '../src/products/reach-zarr/layout.ts';
import { median } from './support/figures.ts';

const TIMES = 5;
const LENGTHS = [10, 3_652] as const;

const [path = '', dayText = '', folder = ''] = process.argv.slice(2);
const day = parseDay(dayText);
const sha256 = createHash('sha256').update(readFileSync(path)).digest('hex');

const cpu: number[][] = [[], []];
const wall: number[][] = [[], []];
let storeBytes = 0;
for (let time = 0; time <= TIMES; time++) {
  for (const [which, length] of LENGTHS.entries()) {
    const place = join(folder, `${length}.zarr`);
    rmSync(place, { recursive: true, force: true });
    const store = new DirectoryStore(place);
    const settings = { product: 'reach-all/quicklook', origin: addDays(day, -length), exactTimes: false };
    await makeEmptyDays(store, settings, length);
    globalThis.gc?.();
    const startedCpu = process.cpuUsage();
    const startedMs = performance.now();
    const { written, refused } = await syncDays(store, settings, [{ day, path, sha256 }]);
    const { user, system } = process.cpuUsage(startedCpu);
    if (written.length !== 1) throw new Error(JSON.stringify(refused));
    // The first round warms the code up.
    if (time > 0) {
      cpu[which]!.push((user + system) / 1e6);
      wall[which]!.push((performance.now() - startedMs) / 1e3);
    }
    storeBytes = 0;
    for await (const { key, sizeBytes } of store.list('')) if (key.endsWith('.0')) storeBytes += sizeBytes;
  }
}
const [shortCpuS, longCpuS] = cpu.map(median);
const [shortWallS, longWallS] = wall.map(median);
process.stdout.write(
  JSON.stringify({
    times: TIMES,
    shortCpuS,
    longCpuS,
    shortWallS,
    longWallS,
    dayBytes: storeBytes,
  }),
);

async function makeEmptyDays(
  store: DirectoryStore,
  settings: Parameters<typeof zarrSchema>[0],
  length: number,
): Promise<void> {
  const schema = zarrSchema(settings);
  const group = await GrowingGroup.create(store, schema);
  const transaction = await group.begin([length - 1]);
  const nothing = schema.arrays.filter(({ generated }) => !generated).map(({ name }) => [name, null] as const);
  await transaction.write(length - 1, Object.fromEntries(nothing));
  await transaction.commit();
}
