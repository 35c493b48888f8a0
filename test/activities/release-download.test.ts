/** `--keep-downloads`: a day's file goes when its product is safe, never before, and nobody misses it afterwards. */
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { importTelemetry } from '../../src/activities/adopt/import-telemetry.ts';
import { takeUpFiles } from '../../src/activities/adopt/take-up-files.ts';
import { planDays, previewDays } from '../../src/activities/plan/plan-days.ts';
import { releaseDownload } from '../../src/activities/release-download.ts';
import type { KeepDownloads } from '../../src/core/backfill/keep-downloads.ts';
import type { RunOptions } from '../../src/core/backfill/types.ts';
import { openSqliteLedger } from '../../src/ledger/sqlite.ts';
import { createTelemetryExporter } from '../../src/ledger/telemetry-csv.ts';
import { readManifest } from '../../src/storage/manifest.ts';
import { DESTINATION, FIRST, QUICKLOOK, SECOND, THIRD, createHarness, request } from './plan/plan-harness.ts';

type Harness = Awaited<ReturnType<typeof createHarness>>;

const run = (keepDownloads: KeepDownloads): Partial<RunOptions> => ({ uploadTo: DESTINATION, keepDownloads });

async function release({ ledger, deps }: Harness, keepDownloads: KeepDownloads): Promise<void> {
  const [facts] = await ledger.dayFacts(QUICKLOOK, FIRST, FIRST, DESTINATION);
  await releaseDownload(deps, facts!, { keepDownloads });
}

describe('releaseDownload', () => {
  test('failed: once the product is delivered; none: once it is built; all: never', async () => {
    const harness = await createHarness();
    const { download, build, upload, downloadPath } = harness;
    await download(FIRST);
    await release(harness, 'none');
    expect(existsSync(downloadPath(FIRST))).toBe(true);
    const product = await build(FIRST);
    for (const keep of ['all', 'failed'] as const) await release(harness, keep);
    expect(existsSync(downloadPath(FIRST))).toBe(true);
    await upload(product);
    await release(harness, 'all');
    expect(existsSync(downloadPath(FIRST))).toBe(true);
    await release(harness, 'failed');
    expect(existsSync(downloadPath(FIRST))).toBe(false);
  });

  test('none: not while the product that would be left is not what was recorded', async () => {
    const harness = await createHarness();
    await harness.download(FIRST);
    const product = await harness.build(FIRST);
    writeFileSync(product.path, 'torn');
    await release(harness, 'none');
    expect(existsSync(harness.downloadPath(FIRST))).toBe(true);
  });

  test('a file that is not what was recorded stays: it may hold what nobody else has', async () => {
    const harness = await createHarness();
    const row = await harness.download(FIRST);
    await harness.upload(await harness.build(FIRST));
    writeFileSync(row.path, 'something else');
    await release(harness, 'failed');
    expect(existsSync(row.path)).toBe(true);
  });

  test('a kill between the row and the removal leaves a file too many, and the next try removes it', async () => {
    const harness = await createHarness();
    const { ledger, download, build, upload, downloadPath } = harness;
    await download(FIRST);
    await upload(await build(FIRST));
    await ledger.releaseArtifact(downloadPath(FIRST));
    await release(harness, 'failed');
    expect(existsSync(downloadPath(FIRST))).toBe(false);
  });
});

describe('a day whose file was removed', () => {
  async function released(): Promise<Harness> {
    const harness = await createHarness();
    await harness.download(FIRST);
    await harness.upload(await harness.build(FIRST));
    await release(harness, 'failed');
    return harness;
  }

  const decided = async ({ deps }: Harness, options: Partial<RunOptions>) => {
    const { days } = await previewDays(deps, request(options, { last: FIRST }));
    return days.map(({ stages, skip, reason }) => `${stages.join(' ') || skip}: ${reason}`);
  };

  test('is done for run, download and process; verify does not look for it', async () => {
    const harness = await released();
    expect(await decided(harness, run('failed'))).toEqual(['existing: already delivered']);
    expect(await decided(harness, { mode: 'process' })).toEqual(['existing: already built']);
    expect(await decided(harness, { mode: 'download' })).toEqual([
      'existing: already downloaded; the file was removed after delivery',
    ]);
    const { ledger } = harness;
    expect((await ledger.presentFiles()).map(({ kind }) => kind)).toEqual(['product']);
  });

  test('comes back for download --fetch-released; process says so when it needs it, and run fetches it again', async () => {
    const harness = await released();
    const fetch = { mode: 'download', fetchReleased: true } as const;
    expect(await decided(harness, fetch)).toEqual([
      'download count: the file was removed after delivery, and is asked for',
    ]);
    rmSync(harness.productPath(FIRST));
    expect(await decided(harness, { mode: 'process' })).toEqual([
      'noInput: the input was removed after delivery ("download --fetch-released" brings it back), and the product is gone',
    ]);
    expect(await decided(harness, {})).toEqual([
      'download count build: the product is gone, and its input was removed',
    ]);
    await harness.download(FIRST);
    expect(await decided(harness, fetch)).toEqual(['existing: already downloaded']);
  });

  test('TRACK-17: a ledger made anew from telemetry and files knows that it was removed', async () => {
    const { root, folders, ledger, downloadPath } = await released();
    expect(await readManifest(downloadPath(FIRST))).toMatchObject({ kind: 'download', releasedAt: expect.any(String) });
    await createTelemetryExporter({ ledger, path: folders.telemetryFile }).flush();
    const again = await openSqliteLedger({ file: join(root, 'state', 'again.db'), root });
    onTestFinished(() => again.close());
    await importTelemetry(again, folders.telemetryFile);
    expect(await takeUpFiles(again, folders)).toMatchObject({ downloads: 1, notTaken: [] });
    const [facts] = await again.dayFacts(QUICKLOOK, FIRST, FIRST, DESTINATION);
    expect(facts?.artifact?.releasedAt).toBeDefined();
  });
});

test('a plan lets go of the files of days that were done under other options', async () => {
  const harness = await createHarness();
  const { deps, download, build, upload, downloadPath } = harness;
  for (const day of [FIRST, SECOND]) await download(day);
  await upload(await build(FIRST));
  await build(SECOND);
  await download(THIRD);
  const before = request({ ...run('failed') });
  await previewDays(deps, before);
  expect(existsSync(downloadPath(FIRST))).toBe(true);
  await planDays(deps, before);
  expect([FIRST, SECOND, THIRD].map((day) => existsSync(downloadPath(day)))).toEqual([false, true, true]);
});
