/**
 * Syncs a store day by day in a process that a test kills:
 *
 *     node sync-child.ts <store> <settings as JSON> <days as JSON> [<changes>]
 *
 * The store is a folder, or `s3://…` at the server that the environment names. With a number of changes the process kills
 * itself, kill -9, while it makes the one after these.
 */
import { DirectoryStore } from '../../../src/formats/zarr/index.ts';
import type { ObjectStore } from '../../../src/formats/zarr/index.ts';
import type { ZarrDay } from '../../../src/core/zarr.ts';
import { syncDays } from '../../../src/products/reach-zarr/index.ts';
import type { ZarrSettings } from '../../../src/products/reach-zarr/index.ts';
import { S3ObjectStore } from '../../../src/storage/s3/object-store.ts';

const [place = '', settings = '', days = '', changes = 'Infinity'] = process.argv.slice(2);
process.stdout.write('ready\n');
let left = Number(changes);
for (const day of JSON.parse(days) as ZarrDay[]) {
  const { written } = await syncDays(storeAt(place), JSON.parse(settings) as ZarrSettings, [day]);
  process.stdout.write(`${day.day} ${written.length}\n`);
}

function storeAt(uri: string): ObjectStore {
  if (!uri.startsWith('s3://')) return new DirectoryStore(uri);
  const endpoint = process.env['AWS_ENDPOINT_URL_S3'] ?? null;
  return mortal(new S3ObjectStore(uri, { endpoint, region: null, timeoutMs: 20_000 }));
}

/** The request that is one too many is on its way when the process ends: whether it arrives is chance. */
function mortal(store: ObjectStore): ObjectStore {
  const change = <T extends unknown[], R>(make: (...args: T) => Promise<R>): ((...args: T) => Promise<R>) => {
    return async (...args) => {
      const made = make(...args);
      if (left === 0) setTimeout(() => process.kill(process.pid, 'SIGKILL'), 2 * Math.random());
      left -= 1;
      return await made;
    };
  };
  return {
    location: store.location,
    get: (key) => store.get(key),
    put: change((key: string, bytes: Uint8Array) => store.put(key, bytes)),
    putIf: change((key: string, bytes: Uint8Array, expected: string | null) => store.putIf(key, bytes, expected)),
    delete: change((key: string) => store.delete(key)),
    list: (prefix) => store.list(prefix),
    tidy: () => store.tidy(),
  };
}
