/** A workspace whose days are done the way the activities do them: file, manifest, row. */
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, statSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { PlanDependencies } from '../../../src/activities/plan/plan-days.ts';
import type { PlanRequest, Profile, RunOptions, Stage } from '../../../src/core/backfill/types.ts';
import { artifactFileName, parseProductSlug, productSlug } from '../../../src/core/product.ts';
import { parseDay } from '../../../src/core/time/day.ts';
import type { Day } from '../../../src/core/time/day.ts';
import type { ArtifactRow, StageAttempt } from '../../../src/ledger/ledger.ts';
import { openSqliteLedger } from '../../../src/ledger/sqlite.ts';
import { writeManifest } from '../../../src/storage/manifest.ts';
import type { DownloadManifest, ProductManifest } from '../../../src/storage/manifest.ts';

export const QUICKLOOK = productSlug({ sensor: 'ALL', descriptor: 'QUICKLOOK', format: 'csv' });
export const PROVISIONAL = productSlug({ sensor: 'ALL', descriptor: 'PROVISIONAL', format: 'csv' });
export const DESTINATION = 'file:///mnt/out';
export const FIRST = parseDay('2025-09-01');
export const SECOND = parseDay('2025-09-02');
export const THIRD = parseDay('2025-09-03');

const COUNTS = { records: 3, distinctReadings: 3, recordsPerSensor: { 'REACH-101': 3 } };
const OPTIONS: RunOptions = {
  mode: 'run',
  retryFailed: false,
  uploadTo: null,
  profile: 'parity',
  sliceMode: 'half-open',
  limitDays: null,
};

export function sha256(content: string): string {
  return createHash('sha256').update(content).digest('hex');
}

export function request(options: Partial<RunOptions> = {}, change: Partial<PlanRequest> = {}): PlanRequest {
  return {
    runId: 'run-1',
    product: QUICKLOOK,
    first: FIRST,
    last: THIRD,
    options: { ...OPTIONS, ...options },
    ...change,
  };
}

export async function createHarness(today = '2026-01-01') {
  const root = mkdtempSync(join(tmpdir(), 'reachback-plan-'));
  const ledger = await openSqliteLedger({ file: join(root, 'state', 'reachback.db'), root });
  onTestFinished(async () => {
    await ledger.close();
    await rm(root, { recursive: true, force: true });
  });
  const folders = {
    root,
    downloads: join(root, 'downloads'),
    products: join(root, 'products'),
    telemetryFile: join(root, 'downloads', 'download_telemetry.csv'),
  };
  mkdirSync(folders.downloads, { recursive: true });
  const logged: { level: string; facts: object; message: string }[] = [];
  const logAt = (level: string) => (facts: object, message: string) => void logged.push({ level, facts, message });
  const deps: PlanDependencies = {
    ledger,
    folders,
    today: () => today,
    log: { info: logAt('info'), warn: logAt('warn') },
  };

  let runs = 0;
  const attempt = (stage: Stage, day: Day, product = QUICKLOOK): StageAttempt => {
    runs += 1;
    const destination = stage === 'upload' ? { destination: DESTINATION } : {};
    return { runId: 'run-0', workflowRunId: `wf-${runs}`, product, day, stage, ...destination };
  };

  function writeFile(path: string, content: string): Omit<ArtifactRow, 'kind' | 'product' | 'day'> {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    const { size: sizeBytes, mtimeMs } = statSync(path);
    const origin = { inputSha256: null, profile: null, version: null };
    return {
      path,
      sizeBytes,
      mtimeMs,
      sha256: sha256(content),
      records: 3,
      createdAt: '2025-11-21T05:05:54.421Z',
      ...origin,
    };
  }

  const downloadPath = (day: Day, product = QUICKLOOK): string =>
    join(folders.downloads, artifactFileName(parseProductSlug(product), day));
  const productPath = (day: Day, version = '1.0.0'): string => {
    const stamp = `${day.replaceAll('-', '')}T000000`;
    return join(folders.products, 'l1c', 'prelim', ...day.split('-'), `reach_all_l1c_prelim_${stamp}_v${version}.cdf`);
  };

  /** The file and its manifest, as they are after a kill before the row. */
  async function leaveDownload(day: Day, content: string, product = QUICKLOOK): Promise<ArtifactRow> {
    const file = writeFile(downloadPath(day, product), content);
    const { sizeBytes, sha256: hash } = file;
    const manifest: DownloadManifest = {
      manifestVersion: 1,
      kind: 'download',
      product,
      day,
      file: basename(file.path),
      sizeBytes,
      sha256: hash,
      writer: 'test',
      counts: COUNTS,
      columns: [],
      sliceMode: 'half-open',
      slices: 288,
      emptySlices: 0,
      outsideSlice: 0,
    };
    await writeManifest(file.path, manifest);
    return { kind: 'download', product, day, ...file };
  }

  async function leaveProduct(
    day: Day,
    input: string,
    profile: Profile = 'parity',
    product = QUICKLOOK,
  ): Promise<ArtifactRow> {
    const file = writeFile(productPath(day), `cdf of ${input} as ${profile}`);
    const { sizeBytes, sha256: hash } = file;
    const manifest: ProductManifest = {
      manifestVersion: 1,
      kind: 'product',
      product,
      day,
      file: basename(file.path),
      sizeBytes,
      sha256: hash,
      writer: 'test',
      profile,
      version: '1.0.0',
      inputFile: downloadPath(day),
      inputSha256: sha256(input),
      descriptor: 'QUICKLOOK',
      generationDate: '2025-11-21',
      records: 3,
      times: 1,
      sensors: 1,
      duplicates: 0,
      quarantined: 0,
    };
    await writeManifest(file.path, manifest);
    return { kind: 'product', product, day, ...file, inputSha256: sha256(input), profile, version: '1.0.0' };
  }

  const download = async (day: Day, content = `records of ${day}`, product = QUICKLOOK): Promise<ArtifactRow> => {
    const row = await leaveDownload(day, content, product);
    const { sizeBytes, path } = row;
    await ledger.putArtifact(row);
    await ledger.closeStage(attempt('download', day, product), {
      status: 'DOWNLOADED',
      seconds: 1,
      records: 3,
      sizeBytes,
      path,
    });
    await ledger.putCounts(product, day, row.sha256, COUNTS);
    return row;
  };

  const build = async (
    day: Day,
    input = `records of ${day}`,
    profile: Profile = 'parity',
    product = QUICKLOOK,
  ): Promise<ArtifactRow> => {
    const row = await leaveProduct(day, input, profile, product);
    const { sizeBytes, path } = row;
    await ledger.putArtifact(row);
    const closing = { status: 'PROCESSED', seconds: 1, sizeBytes, path, inputPath: downloadPath(day) } as const;
    await ledger.closeStage(attempt('build', day, product), closing);
    return row;
  };

  const upload = async (row: ArtifactRow): Promise<void> => {
    const { product, day, sizeBytes, sha256: hash } = row;
    const key = 'l1c/x.cdf';
    const deliveredAt = '2025-11-21T05:05:54.421Z';
    await ledger.putDelivery({ product, day, destination: DESTINATION, key, sizeBytes, sha256: hash, deliveredAt });
    await ledger.closeStage(attempt('upload', day, product), {
      status: 'UPLOADED',
      seconds: 1,
      bucket: DESTINATION,
      key,
    });
  };

  return {
    root,
    ledger,
    folders,
    deps,
    logged,
    attempt,
    writeFile,
    downloadPath,
    productPath,
    leaveDownload,
    leaveProduct,

    download,
    build,
    upload,
    statuses: async (): Promise<string[]> =>
      (await ledger.attemptsAfter(0, 1000)).map((row) => `${row.day} ${row.status}`),
  };
}
