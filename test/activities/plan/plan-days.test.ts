import { existsSync, readFileSync, readdirSync, rmSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { planDays, previewDays } from '../../../src/activities/plan/plan-days.ts';
import { presentInput } from '../../../src/activities/plan/present-input.ts';
import type { PlanResult, SkipCounts } from '../../../src/core/backfill/types.ts';
import { manifestPath } from '../../../src/storage/manifest.ts';
import {
  DESTINATION,
  FIRST,
  PROVISIONAL,
  QUICKLOOK,
  SECOND,
  THIRD,
  createHarness,
  request,
  sha256,
} from './plan-harness.ts';

const NO_SKIPS: SkipCounts = { existing: 0, noData: 0, failed: 0, noInput: 0 };
const ALL_STAGES = 'download count build';

function work(plan: PlanResult): string[] {
  return plan.days.map(({ day, stages }) => `${day} ${stages.join(' ')}`);
}

describe('planDays', () => {
  test('a new range has work on every day, in order, with a reason', async () => {
    const { deps } = await createHarness();
    const plan = await planDays(deps, request());
    expect(work(plan)).toEqual([FIRST, SECOND, THIRD].map((day) => `${day} ${ALL_STAGES}`));
    expect(plan.days[0]?.reason).toBe('not downloaded yet');
    expect(plan).toMatchObject({ skipped: NO_SKIPS, limited: false });
  });

  test('SAFE-6: a finished range has no work, writes nothing, and says per day why, with the path', async () => {
    const { deps, download, build, upload, logged, statuses, productPath } = await createHarness();
    for (const day of [FIRST, SECOND, THIRD]) {
      await download(day);
      await upload(await build(day));
    }
    const before = await statuses();
    for (const options of [{}, { uploadTo: DESTINATION }]) {
      const plan = await planDays(deps, request(options));
      expect(plan).toEqual({ days: [], skipped: { ...NO_SKIPS, existing: 3 }, limited: false });
    }
    expect(await statuses()).toEqual(before);
    expect(logged).toHaveLength(6);
    expect(logged[0]).toMatchObject({
      level: 'info',
      facts: { day: FIRST, skip: 'existing', path: productPath(FIRST) },
      message: 'day skipped: already built',
    });
  });

  test('each kind of skip is counted and told by itself (SAFE-8, CLI-4)', async () => {
    const { deps, ledger, download, attempt, logged } = await createHarness();
    await download(FIRST);
    const source = { status: 'SKIPPED_NO_DATA', seconds: 1, reason: 'all slices empty' } as const;
    await ledger.closeStage(attempt('download', SECOND), source);
    await ledger.failStage(attempt('download', THIRD), {
      stage: 'download',
      kind: 'slice_exhausted',
      message: 'HTTP 503',
    });
    const plan = await planDays(deps, request({ mode: 'download' }));
    expect(plan.skipped).toEqual({ existing: 1, noData: 1, failed: 1, noInput: 0 });
    expect(logged.map(({ message }) => message)).toEqual([
      'day skipped: already downloaded',
      'day skipped: the source had no data',
      'day skipped: the download failed before (--retry-failed tries it again)',
    ]);
    expect(work(await planDays(deps, request({ mode: 'download', retryFailed: true })))).toEqual([
      `${THIRD} download count`,
    ]);
  });

  test('UDL-D14: a day too recent to have data is asked for again', async () => {
    const { deps, ledger, attempt } = await createHarness('2025-09-05');
    await ledger.closeStage(attempt('download', FIRST), { status: 'SKIPPED_NO_DATA', seconds: 1, reason: 'empty' });
    const plan = await planDays(deps, request({}, { last: FIRST }));
    expect(work(plan)).toEqual([`${FIRST} ${ALL_STAGES}`]);
  });

  test('a failed upload to one place is no failure at another', async () => {
    const { deps, ledger, attempt, download, build } = await createHarness();
    await download(FIRST);
    await build(FIRST);
    await ledger.failStage(attempt('upload', FIRST), { stage: 'upload', kind: 'storage_unavailable', message: 'gone' });
    const planFor = async (uploadTo: string) => planDays(deps, request({ uploadTo }, { last: FIRST }));
    expect((await planFor(DESTINATION)).skipped.failed).toBe(1);
    expect(work(await planFor('file:///elsewhere'))).toEqual([`${FIRST} upload`]);
  });

  test('days that are named are planned alone', async () => {
    const { deps } = await createHarness();
    expect(work(await planDays(deps, request({}, { days: [SECOND] })))).toEqual([`${SECOND} ${ALL_STAGES}`]);
  });

  test('newest first, the limit takes the last days that have work, in that order; a dry run says the same', async () => {
    const { deps, download } = await createHarness();
    await download(SECOND);
    for (const [limitDays, days] of [
      [null, [THIRD, FIRST]],
      [1, [THIRD]],
    ] as const) {
      const asked = request({ mode: 'download', newestFirst: true, limitDays });
      const preview = await previewDays(deps, asked);
      expect(preview.days.filter(({ skip }) => skip === null).map(({ day }) => day)).toEqual(days);
      const plan = await planDays(deps, asked);
      expect(plan.days.map(({ day }) => day)).toEqual(days);
      expect(plan).toMatchObject({ limited: limitDays === 1, skipped: { existing: 1 } });
    }
  });

  test('TEL-25, TEL-D7: the limit counts days with work; those behind the cut get no row and no word', async () => {
    const { deps, download, writeFile, folders, statuses, logged } = await createHarness();
    await download(SECOND);
    const plan = await planDays(deps, request({ limitDays: 1, mode: 'download' }));
    expect(work(plan)).toEqual([`${FIRST} download count`]);
    expect(plan).toMatchObject({ limited: true, skipped: { existing: 1 } });

    const before = await statuses();
    writeFile(join(folders.downloads, 'REACH-ALL_20250901T000000_x.csv'), 'brought');
    logged.length = 0;
    const second = await planDays(deps, request({ mode: 'process', limitDays: 0 }));
    expect(second).toEqual({ days: [], skipped: NO_SKIPS, limited: true });
    expect(await statuses()).toEqual(before);
    expect(logged).toEqual([]);
  });
});

describe('SAFE-7: files are looked at, not believed', () => {
  test('CLI-12: a deleted and a truncated artifact are downloaded again, the others are skipped', async () => {
    const { deps, download, downloadPath } = await createHarness();
    for (const day of [FIRST, SECOND, THIRD]) await download(day);
    rmSync(downloadPath(FIRST));
    truncateSync(downloadPath(THIRD), 5);
    const plan = await planDays(deps, request({ mode: 'download' }));
    expect(plan.days).toEqual([
      { day: FIRST, stages: ['download', 'count'], reason: 'the downloaded file is gone' },
      { day: THIRD, stages: ['download', 'count'], reason: 'the downloaded file is not what was recorded' },
    ]);
  });

  test('a touched file is read once, and its new time remembered', async () => {
    const { deps, ledger, download, downloadPath } = await createHarness();
    const row = await download(FIRST);
    utimesSync(downloadPath(FIRST), 1_700_000_000, 1_700_000_000);
    const one = request({ mode: 'download' }, { last: FIRST });
    expect((await planDays(deps, one)).skipped.existing).toBe(1);
    const [facts] = await ledger.dayFacts(QUICKLOOK, FIRST, FIRST, null);
    expect(facts?.artifact).toEqual({ ...row, mtimeMs: 1_700_000_000_000 });
    // With the time remembered the content is not read again: a change that keeps size and time goes unseen.
    writeFileSync(downloadPath(FIRST), 'x'.repeat(row.sizeBytes));
    utimesSync(downloadPath(FIRST), 1_700_000_000, 1_700_000_000);
    expect((await planDays(deps, one)).skipped.existing).toBe(1);
  });

  test('content that changed under an equal size is found by its hash', async () => {
    const { deps, download, downloadPath } = await createHarness();
    const row = await download(FIRST);
    writeFileSync(downloadPath(FIRST), 'x'.repeat(row.sizeBytes));
    expect(work(await planDays(deps, request({ mode: 'download' }, { last: FIRST })))).toEqual([
      `${FIRST} download count`,
    ]);
  });

  test('a product is built again when it is gone, of another input or of another profile', async () => {
    const { deps, download, build, productPath } = await createHarness();
    await download(FIRST);
    await build(FIRST);
    await download(SECOND, 'newer records');
    await build(SECOND, 'older records');
    await download(THIRD);
    await build(THIRD, `records of ${THIRD}`, 'istp');
    rmSync(productPath(FIRST));
    const plan = await planDays(deps, request());
    expect(work(plan)).toEqual([FIRST, SECOND, THIRD].map((day) => `${day} build`));
    expect(plan.days.map(({ reason }) => reason)).toEqual([
      'the product is gone',
      'the product was made from another input or with another profile',
      'the product was made from another input or with another profile',
    ]);
  });

  test('TEL-D8: a delivered product may be deleted; a rebuilt one is delivered again', async () => {
    const { deps, download, build, upload, productPath } = await createHarness();
    await download(FIRST);
    await upload(await build(FIRST));
    rmSync(productPath(FIRST));
    const wanted = request({ uploadTo: DESTINATION }, { last: FIRST });
    expect((await planDays(deps, wanted)).skipped.existing).toBe(1);
    await download(FIRST, 'late data');
    await build(FIRST, 'late data');
    expect(work(await planDays(deps, wanted))).toEqual([`${FIRST} upload`]);
  });

  test('a download removed on purpose after delivery is not fetched again', async () => {
    const { deps, ledger, download, build, upload, downloadPath } = await createHarness();
    await download(FIRST);
    await upload(await build(FIRST));
    rmSync(downloadPath(FIRST));
    await ledger.releaseArtifact(downloadPath(FIRST));
    const plan = await planDays(deps, request({ uploadTo: DESTINATION }, { last: FIRST }));
    expect(plan).toMatchObject({ days: [], skipped: { existing: 1 } });
  });
});

describe('adoption: a kill between the rename and the row', () => {
  test('of a download: the file is taken up with its counts and its PENDING row closed, 0 requests', async () => {
    const { deps, ledger, attempt, leaveDownload, statuses } = await createHarness();
    await ledger.openStage(attempt('download', FIRST));
    const left = await leaveDownload(FIRST, 'whole');
    expect(work(await planDays(deps, request({ mode: 'run' }, { last: FIRST })))).toEqual([`${FIRST} build`]);
    const [facts] = await ledger.dayFacts(QUICKLOOK, FIRST, FIRST, null);
    expect(facts).toMatchObject({ artifact: { sha256: left.sha256, path: left.path }, counts: { records: 3 } });
    expect(await statuses()).toEqual([`${FIRST} DOWNLOAD_PENDING`, `${FIRST} DOWNLOADED`]);
  });

  test('of newer content of a day that only its rows call delivered: it is built and delivered, not skipped', async () => {
    const { deps, ledger, attempt, download, downloadPath, leaveDownload } = await createHarness();
    await download(FIRST);
    // As after `adopt`: the other program removed its product here.
    const gone = { seconds: 1, sizeBytes: 1, path: '/gone.cdf', inputPath: downloadPath(FIRST) };
    await ledger.closeStage(attempt('build', FIRST), { status: 'PROCESSED', ...gone });
    const sent = { status: 'UPLOADED', seconds: 1, bucket: DESTINATION, key: 'l1c/x.cdf' } as const;
    await ledger.closeStage(attempt('upload', FIRST), sent);
    const wanted = request({ uploadTo: DESTINATION }, { last: FIRST });
    expect((await planDays(deps, wanted)).skipped.existing).toBe(1);
    await ledger.openStage(attempt('download', FIRST));
    await leaveDownload(FIRST, 'late data');
    expect(work(await planDays(deps, wanted))).toEqual([`${FIRST} build upload`]);
  });

  test('of a product: taken up, whether or not an older one is recorded', async () => {
    const { deps, ledger, attempt, download, build, leaveProduct, statuses } = await createHarness();
    await download(FIRST);
    await ledger.openStage(attempt('build', FIRST));
    await leaveProduct(FIRST, `records of ${FIRST}`);
    await download(SECOND, 'newer');
    await build(SECOND, 'older');
    await leaveProduct(SECOND, 'newer');
    const plan = await planDays(deps, request({}, { last: SECOND }));
    expect(plan).toMatchObject({ days: [], skipped: { existing: 2 } });
    expect((await statuses()).slice(2, 4)).toEqual([`${FIRST} PROCESS_PENDING`, `${SECOND} DOWNLOAD_PENDING`]);
    expect((await statuses()).at(-1)).toBe(`${FIRST} PROCESSED`);
    const [, facts] = await ledger.dayFacts(QUICKLOOK, FIRST, SECOND, null);
    expect(facts?.productFile).toMatchObject({ inputSha256: sha256('newer') });
  });

  test.for(['no manifest', 'another content', 'another product', 'another day', 'a shorter file'])(
    'never with %s',
    async (what) => {
      const { deps, leaveDownload, leaveProduct, downloadPath, statuses } = await createHarness();
      const path = downloadPath(FIRST);
      const { sizeBytes } = await leaveDownload(FIRST, 'whole');
      if (what === 'no manifest') rmSync(manifestPath(path));
      if (what === 'another content') writeFileSync(path, 'x'.repeat(sizeBytes));
      if (what === 'a shorter file') truncateSync(path, 2);
      const manifest = readManifestOf(path);
      if (what === 'another product') writeManifestOf(path, { ...manifest, product: PROVISIONAL });
      if (what === 'another day') writeManifestOf(path, { ...manifest, day: SECOND });
      await leaveProduct(FIRST, 'some other input', 'istp');
      expect(work(await planDays(deps, request({}, { last: FIRST })))).toEqual([`${FIRST} ${ALL_STAGES}`]);
      expect(await statuses()).toEqual([]);
    },
  );
});

function readManifestOf(path: string): Record<string, unknown> {
  const file = manifestPath(path);
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>) : {};
}

function writeManifestOf(path: string, manifest: object): void {
  writeFileSync(manifestPath(path), JSON.stringify(manifest));
}

describe('process', () => {
  const processing = (change: object = {}) => request({ mode: 'process', ...change });

  test('TEL-14, TEL-19: days with an input are built, brought by hand too; the others get one row, once', async () => {
    const { deps, download, folders, writeFile, statuses } = await createHarness();
    await download(FIRST);
    writeFile(join(folders.downloads, 'REACH-ALL_20250902T000000_from-a-friend.csv'), 'brought');
    writeFile(join(folders.downloads, 'deeper', 'REACH-ALL_20250903T000000_x.csv'), 'too deep');
    writeFile(join(folders.downloads, 'REACH-ALL_20250903T000000_x.json'), 'other format');
    writeFile(join(folders.downloads, 'REACH-101_20250903T000000_x.csv'), 'other sensor');
    writeFile(join(folders.downloads, 'REACH-ALL_20250903T010000_x.csv'), 'not from midnight');
    for (let time = 0; time < 2; time += 1) {
      const plan = await planDays(deps, processing());
      expect(work(plan)).toEqual([`${FIRST} build`, `${SECOND} build`]);
      expect(plan.skipped).toEqual({ ...NO_SKIPS, noInput: 1 });
    }
    expect((await statuses()).filter((status) => status.includes('NO_INPUT'))).toEqual([`${THIRD} SKIPPED_NO_INPUT`]);
  });

  test('CLI-18: an input that arrives later is processed', async () => {
    const { deps, folders, writeFile } = await createHarness();
    await planDays(deps, processing());
    writeFile(join(folders.downloads, 'REACH-ALL_20250903T000000_x.csv'), 'late');
    expect(work(await planDays(deps, processing()))).toEqual([`${THIRD} build`]);
  });

  test('several inputs: the first in name order, with a warning', async () => {
    const { deps, folders, writeFile, build, logged } = await createHarness();
    writeFile(join(folders.downloads, 'REACH-ALL_20250901T000000_b.csv'), 'second');
    writeFile(join(folders.downloads, 'REACH-ALL_20250901T000000_a.csv'), 'first');
    await build(FIRST, 'first');
    const plan = await planDays(deps, request({ mode: 'process' }, { last: FIRST }));
    expect(plan.skipped.existing).toBe(1);
    expect(logged.filter(({ level }) => level === 'warn')).toMatchObject([
      { facts: { names: ['REACH-ALL_20250901T000000_a.csv', 'REACH-ALL_20250901T000000_b.csv'] } },
    ]);
  });

  test('a file brought by hand that changed is built again; unchanged, its hash is remembered', async () => {
    const { deps, ledger, folders, writeFile, build } = await createHarness();
    const path = join(folders.downloads, 'REACH-ALL_20250901T000000_x.csv');
    writeFile(path, 'one');
    await build(FIRST, 'one');
    const one = request({ mode: 'process' }, { last: FIRST });
    expect((await planDays(deps, one)).skipped.existing).toBe(1);
    expect(await ledger.inputFiles(folders.downloads)).toMatchObject([{ path, sha256: sha256('one') }]);
    writeFile(path, 'another');
    expect(work(await planDays(deps, one))).toEqual([`${FIRST} build`]);
  });

  test('without an input what is built stays, and can still be uploaded (TEL-15)', async () => {
    const { deps, build } = await createHarness();
    await build(FIRST, 'gone since');
    const plan = (uploadTo: string | null) => planDays(deps, request({ mode: 'process', uploadTo }, { last: FIRST }));
    expect((await plan(null)).skipped.existing).toBe(1);
    expect(work(await plan(DESTINATION))).toEqual([`${FIRST} upload`]);
  });

  test('TEL-24: what an interrupted download left is no input, until its record proves it whole', async () => {
    const { deps, ledger, attempt, writeFile, leaveDownload, downloadPath } = await createHarness();
    await ledger.openStage(attempt('download', FIRST));
    writeFile(downloadPath(FIRST), 'half a da');
    const one = request({ mode: 'process' }, { last: FIRST });
    expect((await planDays(deps, one)).skipped.noInput).toBe(1);
    await leaveDownload(FIRST, 'a whole day');
    expect(work(await planDays(deps, one))).toEqual([`${FIRST} build`]);
  });

  test('a build takes the file that the plan looked at, in either mode', async () => {
    const { deps, ledger, folders, download, downloadPath, writeFile } = await createHarness();
    const artifact = await download(FIRST);
    const inputIn = async (mode: 'run' | 'process') => {
      const [facts] = await ledger.dayFacts(QUICKLOOK, FIRST, FIRST, null);
      const input = await presentInput(deps, mode, QUICKLOOK, facts!);
      return input && { path: input.path, sha256: input.sha256 };
    };
    const recorded = { path: downloadPath(FIRST), sha256: artifact.sha256 };
    expect(await inputIn('run')).toEqual(recorded);
    expect(await inputIn('process')).toEqual(recorded);
    const first = join(folders.downloads, 'REACH-ALL_20250901T000000_00.csv');
    writeFile(first, 'brought');
    expect(await inputIn('run')).toEqual(recorded);
    expect(await inputIn('process')).toEqual({ path: first, sha256: sha256('brought') });
    rmSync(first);
    writeFile(downloadPath(FIRST), 'replaced by hand');
    expect(await inputIn('process')).toEqual({ path: downloadPath(FIRST), sha256: sha256('replaced by hand') });
    rmSync(downloadPath(FIRST));
    expect(await inputIn('process')).toBeNull();
  });

  test('no input folder at all is no input', async () => {
    const { deps, folders } = await createHarness();
    rmSync(folders.downloads, { recursive: true });
    expect((await planDays(deps, processing())).skipped.noInput).toBe(3);
  });
});

describe('UDL-27, CDF-D1: names that two products share', () => {
  test('a download that would overwrite another product is refused with the way out', async () => {
    const { deps, download, downloadPath, statuses } = await createHarness();
    await download(SECOND);
    const before = await statuses();
    await expect(planDays(deps, request({}, { product: PROVISIONAL }))).rejects.toMatchObject({
      kind: 'path_owned',
      message: expect.stringContaining(downloadPath(SECOND)),
      hint: expect.stringContaining('--workspace'),
    });
    expect(await statuses()).toEqual(before);
  });

  test('a product likewise; in another folder it may be', async () => {
    const { deps, build, folders, writeFile } = await createHarness();
    await build(FIRST, 'x', 'parity', PROVISIONAL);
    writeFile(join(folders.downloads, 'REACH-ALL_20250901T000000_x.csv'), 'brought');
    const one = request({ mode: 'process' }, { last: FIRST });
    await expect(planDays(deps, one)).rejects.toMatchObject({ kind: 'path_owned' });
    const elsewhere = { ...deps, folders: { ...folders, products: join(folders.root, 'other') } };
    expect(work(await planDays(elsewhere, one))).toEqual([`${FIRST} build`]);
  });

  test('days without work disturb nobody', async () => {
    const { deps, ledger, download, attempt } = await createHarness();
    await download(FIRST);
    const failure = { stage: 'download', kind: 'unknown', message: '' } as const;
    await ledger.failStage(attempt('download', FIRST, PROVISIONAL), failure);
    const plan = await planDays(deps, request({}, { product: PROVISIONAL, last: FIRST }));
    expect(plan.skipped.failed).toBe(1);
  });
});

describe('TEL-27, CLI-13: the dry run', () => {
  test('says the same as the plan, with actions and prior status, and writes nothing', async () => {
    const { deps, ledger, attempt, download, leaveDownload, downloadPath, statuses, root } = await createHarness();
    await download(FIRST);
    utimesSync(downloadPath(FIRST), 1_700_000_000, 1_700_000_000);
    await ledger.openStage(attempt('download', SECOND));
    await leaveDownload(SECOND, 'whole');
    const facts = await ledger.dayFacts(QUICKLOOK, FIRST, THIRD, null);
    const before = await statuses();
    const preview = await previewDays(deps, request({ mode: 'download' }));
    expect(preview.days).toMatchObject([
      { day: FIRST, download: 'skip_existing', priorStatus: 'DOWNLOADED', path: downloadPath(FIRST), stages: [] },
      {
        day: SECOND,
        download: 'skip_existing',
        priorStatus: 'DOWNLOAD_PENDING',
        path: downloadPath(SECOND),
        stages: [],
      },
      { day: THIRD, download: 'run', priorStatus: null, path: null, stages: ['download', 'count'] },
    ]);
    await previewDays(deps, request({ mode: 'process' }));
    expect(await statuses()).toEqual(before);
    expect(await ledger.dayFacts(QUICKLOOK, FIRST, THIRD, null)).toEqual(facts);
    expect(readdirSync(root).toSorted()).toEqual(['downloads', 'state']);
    const plan = await planDays(deps, request({ mode: 'download' }));
    expect(plan.days.map(({ day }) => day)).toEqual([THIRD]);
  });

  test('works before there is a ledger, and keeps the limit', async () => {
    const { deps } = await createHarness();
    const preview = await previewDays({ ...deps, ledger: null }, request({ limitDays: 2 }));
    expect(preview.limited).toBe(true);
    expect(preview.days.map(({ day, process }) => `${day} ${process}`)).toEqual([
      `${FIRST} run_process`,
      `${SECOND} run_process`,
    ]);
  });
});

test('a file that cannot be looked at is an error, not a missing file', async () => {
  const { deps, download, downloadPath } = await createHarness();
  const row = await download(FIRST);
  await deps.ledger.putArtifact({ ...row, path: `${downloadPath(FIRST)}${'x'.repeat(300)}` });
  await expect(planDays(deps, request({}, { last: FIRST }))).rejects.toMatchObject({ kind: 'config_invalid' });
});
