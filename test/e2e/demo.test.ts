/** What `npm start` runs, as it stands: three full-size days and an empty one. */
import { execFile } from 'node:child_process';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { ensurePython, runPython } from '../support/python.ts';
import { createPlace, filesBelow } from './harness.ts';

test(
  'APPEND-12: the demo ends with its Zarr store synced and the line of Python that opens it; the store is value for value the CDFs',
  { timeout: 900_000 },
  async () => {
    const place = await createPlace();
    const folder = join(place.dir, 'demo');
    const { code, stdout } = await place.run(['demo', '--dir', folder]);
    expect(code).toBe(0);
    const store = join(folder, 'reach.zarr');
    const [synced, line] = stdout.trimEnd().split('\n').slice(-2);
    expect(synced).toBe(`zarr: file://${store} made: written=3 refused=0`);
    expect(line).toBe(`  python -c "import xarray; print(xarray.open_zarr('${store}'))"`);

    const bin = dirname(await ensurePython());
    const env = { ...process.env, PATH: `${bin}:${process.env['PATH']}` };
    const opened = await promisify(execFile)('sh', ['-c', line!], { env });
    expect(opened.stderr).toBe('');
    expect(opened.stdout).toMatch(/<xarray\.Dataset>[^]*time: 69120, sensor_ids: 32/);

    const delivered = filesBelow(join(folder, 'delivered')).filter((path) => path.endsWith('.cdf'));
    expect(delivered).toHaveLength(3);
    const seen = JSON.parse(await runPython('zarr_against_cdf.py', [store, ...delivered])) as Record<string, unknown>;
    expect(seen).toMatchObject({ sizes: { day: 4, time: 4 * 17_280 }, attributes: { updating: [] } });
    // Of three days: times, sensors, and variables, of which dose_rate has two values a sensor.
    expect(seen['compared']).toBe(3 * 17_280 * 32 * (2 + 7));
  },
);
