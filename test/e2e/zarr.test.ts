import { readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { runPython } from '../support/python.ts';
import { createPlace, filesBelow } from './harness.ts';

const PACE = ['--initial-rate', '1000', '--max-rate', '1000', '--max-concurrent-requests', '8'];
const range = (first: string, last: string): string[] => [
  '--start-date',
  first,
  '--end-date',
  last,
  '--sensor-id',
  'REACH-101',
];

/** Everything about a folder that writing would change. */
function stamps(folder: string): Record<string, number> {
  return Object.fromEntries(
    readdirSync(folder, { recursive: true }).map((name) => [
      String(name),
      statSync(join(folder, String(name))).mtimeMs,
    ]),
  );
}

describe('a Zarr store beside the products', { timeout: 600_000 }, () => {
  test('APPEND-2, APPEND-3, APPEND-9, APPEND-12: run --zarr makes it, sync follows, verify finds damage, rebuild mends it', async () => {
    const place = await createPlace();
    const store = join(place.dir, 'reach.zarr');
    const product = ['--sensor-id', 'REACH-101'];
    const common = ['--workspace', place.workspace];
    const zarr = ['--zarr', store, '--zarr-origin', '2025-09-01'];
    const made = await place.run(['run', ...range('2025-09-01', '2025-09-02'), ...common, ...PACE, ...zarr]);
    expect(made.stdout + made.stderr).toContain(`zarr: file://${store} made: written=2 refused=0`);
    expect(made.stdout).toContain(`python -c "import xarray; print(xarray.open_zarr('${store}'))"`);
    expect(made.code).toBe(0);

    const before = stamps(store);
    const products = filesBelow(join(place.workspace, 'products')).filter((path) => path.endsWith('.cdf'));
    utimesSync(products[0]!, new Date(), new Date());
    const idle = await place.run(['zarr', 'sync', store, ...common, ...product]);
    expect(idle.stdout).toContain('synced: written=0 refused=0');
    expect(stamps(store)).toEqual(before);

    const more = await place.run(['run', ...range('2025-09-03', '2025-09-03'), ...common, ...PACE, '--zarr', store]);
    expect(more.stdout).toContain('synced: written=1 refused=0');
    const all = filesBelow(join(place.workspace, 'products')).filter((path) => path.endsWith('.cdf'));
    const seen = JSON.parse(await runPython('zarr_against_cdf.py', [store, ...all])) as { sizes: unknown };
    expect(seen.sizes).toMatchObject({ day: 3, time: 3 * 17_280 });
    expect((await place.run(['zarr', 'verify', store, ...common])).code).toBe(0);

    rmSync(join(store, 'lat/c.1.0'));
    writeFileSync(join(store, 'lon/c.0.0'), 'damaged');
    writeFileSync(join(store, 'alt/c.9.0'), 'too many');
    const found = await place.run(['zarr', 'verify', store, ...common]);
    expect(found.code).toBe(1);
    for (const line of ['missing: lat/c.1.0', 'damaged: lon/c.0.0', 'extra: alt/c.9.0'])
      expect(found.stdout).toContain(line);
    const rebuilt = await place.run(['zarr', 'rebuild', store, ...common, ...product]);
    expect(rebuilt.stdout).toContain('written=3 refused=0');
    expect((await place.run(['zarr', 'verify', store, ...common])).stdout).toContain('3 days, all as it was written');
    expect(readdirSync(place.dir).filter((name) => name.startsWith('.reach.zarr'))).toEqual([]);

    const info = await place.run(['zarr', 'info', store, '--json']);
    expect(JSON.parse(info.stdout)).toMatchObject({
      settings: { product: 'reach-101/quicklook', origin: '2025-09-01' },
      updating: [],
    });
    const other = await place.run(['zarr', 'sync', store, ...common]);
    expect([other.code, other.stderr]).toEqual([2, expect.stringContaining('is the store of reach-101/quicklook')]);
  });
});
