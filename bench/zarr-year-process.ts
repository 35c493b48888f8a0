/**
 * Syncs a store day by day and tells what each sync cost.
 *
 *     node --expose-gc bench/zarr-year-process.ts <day.cdf> <YYYY-MM-DD> <days> <folder>
 *
 * Each product is made just before its sync, with the times of its day, and removed after it.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { addDays, parseDay } from '../src/core/time/day.ts';
import { DirectoryStore } from '../src/formats/zarr/index.ts';
import type { StoredObject } from '../src/formats/zarr/index.ts';
import { syncDays } from '../src/products/reach-zarr/index.ts';
import type { SyncCost } from './cases/zarr-year.ts';
import { copyDays } from './support/day-copies.ts';

class CountingStore extends DirectoryStore {
  requests = 0;
  writtenBytes = 0;

  override async get(key: string): Promise<StoredObject | null> {
    this.requests += 1;
    return await super.get(key);
  }

  override async put(key: string, bytes: Uint8Array): Promise<void> {
    this.requests += 1;
    this.writtenBytes += bytes.length;
    await super.put(key, bytes);
  }

  override async putIf(key: string, bytes: Uint8Array, expected: string | null): Promise<string | null> {
    this.requests += 1;
    this.writtenBytes += bytes.length;
    return await super.putIf(key, bytes, expected);
  }
}

const [path = '', dayText = '', count = '', folder = ''] = process.argv.slice(2);
const origin = parseDay(dayText);
const place = join(folder, 'year.zarr');
const inputs = join(folder, 'inputs');
const costs: SyncCost[] = [];
for (let index = 0; index < Number(count); index++) {
  rmSync(inputs, { recursive: true, force: true });
  mkdirSync(inputs);
  const days = await copyDays(path, origin, 1, inputs, index);
  globalThis.gc?.();
  const store = new CountingStore(place);
  const startedCpu = process.cpuUsage();
  const startedMs = performance.now();
  const { written, refused } = await syncDays(
    store,
    { product: 'reach-all/quicklook', origin, exactTimes: false },
    days,
  );
  const { user, system } = process.cpuUsage(startedCpu);
  if (written[0]?.day !== addDays(origin, index)) throw new Error(JSON.stringify(refused));
  costs.push({
    wallS: (performance.now() - startedMs) / 1e3,
    cpuS: (user + system) / 1e6,
    requests: store.requests,
    writtenBytes: store.writtenBytes,
  });
}
rmSync(folder, { recursive: true });
process.stdout.write(JSON.stringify(costs));
