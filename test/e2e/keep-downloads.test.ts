/** Which days come first and what stays of them: `--newest-first`, `--limit-days` and `--keep-downloads` by the real program. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createPlace, fileHashes, filesBelow, runArgs } from './harness.ts';

const REQUESTS_A_DAY = 5;

test('TEL-25: the newest days are done first, their files go once delivered, and are missed by nobody until they are needed', async () => {
  const place = await createPlace();
  const sensor = ['--sensor-id', 'REACH-101'];
  const run = runArgs(place, '2025-09-01', '2025-09-03', ...sensor, '--newest-first', '--keep-downloads', 'failed');
  const downloads = join(place.workspace, 'downloads');
  const dayFiles = () => filesBelow(downloads).filter((path) => path.endsWith('T000000.csv'));
  const requests = () => place.simulator.stats().requests;

  const planned = await place.run([...run, '--limit-days', '1', '--dry-run']);
  expect(planned.stdout).toMatch(
    /^\[dry-run\] 2025-09-03 action=run\+run_process .*\n\[dry-run\] planned=1 with_work=1 /,
  );
  const first = await place.run([...run, '--limit-days', '1']);
  expect(first).toMatchObject({ code: 0, stdout: expect.stringContaining('planned=1 ') });
  expect(Object.keys(fileHashes(place.delivered))).toEqual([expect.stringContaining('20250903T000000')]);
  expect(dayFiles()).toEqual([]);
  expect(requests()).toBe(REQUESTS_A_DAY);

  expect((await place.run(run)).code).toBe(0);
  expect(Object.keys(fileHashes(place.delivered))).toHaveLength(3);
  expect(dayFiles()).toEqual([]);
  expect(requests()).toBe(3 * REQUESTS_A_DAY);

  const at = ['--workspace', place.workspace];
  expect(await place.run(['verify', ...at])).toMatchObject({ code: 0, stdout: expect.stringContaining('3 files') });
  expect((await place.run(run)).stdout).toContain('Everything was done already; no request was sent.');
  const explained = await place.run(['explain', '2025-09-02', ...at]);
  expect(explained.stdout).toContain('removed after delivery');

  // A product that is lost needs its input: it is fetched again, and the product comes out as it was.
  const products = fileHashes(join(place.workspace, 'products'));
  rmSync(filesBelow(join(place.workspace, 'products')).find((path) => path.endsWith('20250901T000000_v1.0.0.cdf'))!);
  const range = ['--start-date', '2025-09-01', '--end-date', '2025-09-03', ...sensor];
  const folders = ['--input-dir', downloads, '--output-dir', join(place.workspace, 'products')];
  const processed = await place.run(['process', ...range, ...folders, '--dry-run']);
  expect(processed.stdout).toContain('2025-09-01 action=skip_no_input');
  expect(processed.stdout).toContain('download --fetch-released');
  expect((await place.run(['repair', ...at])).code).toBe(0);
  expect(fileHashes(join(place.workspace, 'products'))).toEqual(products);
  expect(requests()).toBe(4 * REQUESTS_A_DAY);

  const fetched = await place.run(['download', ...range, '--output-dir', downloads, '--fetch-released']);
  expect(fetched.stdout).toContain('planned=3 downloaded=2 skipped_existing=1');
  expect(dayFiles()).toHaveLength(3);
});
