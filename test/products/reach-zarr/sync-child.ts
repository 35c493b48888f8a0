/** Syncs a store day by day in a process that a test kills: `node sync-child.ts <store> <settings as JSON> <days as JSON>`. */
import { DirectoryStore } from '../../../src/formats/zarr/index.ts';
import type { ZarrDay } from '../../../src/core/zarr.ts';
import { syncDays } from '../../../src/products/reach-zarr/index.ts';
import type { ZarrSettings } from '../../../src/products/reach-zarr/index.ts';

const [store = '', settings = '', days = ''] = process.argv.slice(2);
process.stdout.write('ready\n');
for (const day of JSON.parse(days) as ZarrDay[]) {
  const { written } = await syncDays(new DirectoryStore(store), JSON.parse(settings) as ZarrSettings, [day]);
  process.stdout.write(`${day.day} ${written.length}\n`);
}
