/**
 * Builds a Zarr store from products in a fresh process, as many days at once as a sync does, and tells what it cost.
 *
 *     node bench/zarr-build-process.ts <days.json> <folder>
 */
import { readFileSync } from 'node:fs';
import type { ZarrDay } from '../src/core/zarr.ts';
import { DirectoryStore } from '../src/formats/zarr/index.ts';
import { syncDays } from '../src/products/reach-zarr/index.ts';

/** As the workflow cuts them. */
const BATCH_DAYS = 16;

const [list = '', folder = ''] = process.argv.slice(2);
const days = JSON.parse(readFileSync(list, 'utf8')) as ZarrDay[];
const settings = { product: 'reach-all/quicklook', origin: days[0]!.day, exactTimes: false };
const startedCpu = process.cpuUsage();
const startedMs = performance.now();
for (let first = 0; first < days.length; first += BATCH_DAYS) {
  const batch = days.slice(first, first + BATCH_DAYS);
  const { written, refused } = await syncDays(new DirectoryStore(folder), settings, batch);
  if (written.length !== batch.length) throw new Error(JSON.stringify(refused));
}
const { user, system } = process.cpuUsage(startedCpu);
process.stdout.write(
  JSON.stringify({
    wallS: (performance.now() - startedMs) / 1e3,
    cpuS: (user + system) / 1e6,
    peakRssMiB: process.resourceUsage().maxRSS / 1_024,
  }),
);
