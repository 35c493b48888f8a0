import { readdir } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative } from 'node:path';
import { isPipelineError } from '../../core/errors.ts';
import type { ProductSlug } from '../../core/product.ts';
import type { Day } from '../../core/time/day.ts';
import type { ArtifactRow, Ledger } from '../../ledger/ledger.ts';
import type { ToldDay, ToldDays } from '../../ledger/told-days.ts';
import { crashPoint } from '../../storage/crash-point.ts';
import { readManifest } from '../../storage/manifest.ts';
import { statFile } from '../plan/file-state.ts';
import { releasedDownload, verifyDownload, verifyProduct } from './verify-file.ts';
import type { Refusal } from './verify-file.ts';

export interface TakeUpFolders {
  readonly root: string;
  readonly downloads: string;
  readonly products: string;
  readonly telemetryFile: string;
}

/** A file that the telemetry speaks of and that does not count, and why. */
export interface NotTaken {
  readonly product: ProductSlug;
  readonly day: Day;
  readonly kind: ArtifactRow['kind'];
  readonly path: string;
  readonly problem: Refusal['problem'] | 'owned';
  readonly detail: string;
}

export interface TakenUp {
  readonly downloads: number;
  readonly products: number;
  readonly deliveries: number;
  readonly notTaken: readonly NotTaken[];
  /** Data files that no telemetry row calls whole; left as they are. */
  readonly unmatched: readonly string[];
}

/** Days that are asked for at once. */
const DAYS_PER_QUERY = 200;

/**
 * Verifies the files that the ledger's rows name and records those that are as they should be. One at a time, each recorded as soon
 * as it is read: begun again after a kill, files that are recorded and unchanged are not read again.
 */
export async function takeUpFiles(
  ledger: Ledger & ToldDays,
  folders: TakeUpFolders,
  onDay: (done: number) => void = () => undefined,
): Promise<TakenUp> {
  const counts = { downloads: 0, products: 0, deliveries: 0 };
  const notTaken: NotTaken[] = [];
  const matched = new Set<string>();
  let done = 0;
  for await (const told of toldDays(ledger)) {
    const taken = await takeUpDay(ledger, folders, told);
    for (const { path } of [taken.download, taken.product].filter((row) => row !== null)) matched.add(path);
    counts.downloads += taken.download === null ? 0 : 1;
    counts.products += taken.product === null ? 0 : 1;
    counts.deliveries += taken.isDelivered ? 1 : 0;
    notTaken.push(...taken.notTaken);
    crashPoint('file-taken-up');
    onDay((done += 1));
  }
  const present = [...(await dataFiles(folders.downloads, false)), ...(await dataFiles(folders.products, true))];
  const unmatched = [...new Set(present)].filter((path) => !matched.has(path)).toSorted();
  return { ...counts, notTaken, unmatched };
}

async function* toldDays(ledger: ToldDays): AsyncGenerator<ToldDay, void> {
  for (let days = await ledger.toldDaysAfter(null, DAYS_PER_QUERY); ;) {
    const last = days.at(-1);
    if (last === undefined) return;
    yield* days;
    days = await ledger.toldDaysAfter(last, DAYS_PER_QUERY);
  }
}

async function takeUpDay(ledger: Ledger, folders: TakeUpFolders, told: ToldDay) {
  const [facts] = await ledger.dayFacts(told.product, told.day, told.day, told.upload?.destination ?? null);
  const notTaken: NotTaken[] = [];
  const refuse = (
    kind: ArtifactRow['kind'],
    path: string,
    refusal: Omit<NotTaken, 'kind' | 'path' | 'product' | 'day'>,
  ) => {
    notTaken.push({ product: told.product, day: told.day, kind, path, ...refusal });
    return null;
  };

  async function download(): Promise<ArtifactRow | null> {
    if (told.download === null) return null;
    const path = await locate(folders, told.download.path, folders.downloads);
    if (facts?.counts && (await isRecorded(facts.artifact, path))) return facts.artifact;
    const released = await releasedDownload(told, path);
    const verified = released ?? (await verifyDownload(told, told.download, path));
    if ('problem' in verified) return refuse('download', path, soughtIn(folders.downloads, verified));
    const { row, counts, check } = verified;
    try {
      await ledger.putArtifact(row);
    } catch (error) {
      return refuse('download', path, ownedOrThrow(error));
    }
    await ledger.putCounts(row.product, row.day, row.sha256, counts);
    if (check !== null) await ledger.putCheck({ ...told, ...check, artifactSha256: row.sha256 });
    return row;
  }

  async function product(input: ArtifactRow | null): Promise<ArtifactRow | null> {
    if (told.build === null) return null;
    const path = await locate(folders, told.build.path, folders.products);
    if (await isRecorded(facts?.productFile ?? null, path)) return facts?.productFile ?? null;
    const isOfInput = input !== null && basename(told.build.inputPath ?? '') === basename(input.path);
    const verified = await verifyProduct(told, told.build, path, isOfInput ? input.sha256 : null);
    if ('problem' in verified) return refuse('product', path, soughtIn(folders.products, verified));
    try {
      await ledger.putArtifact(verified.row);
    } catch (error) {
      return refuse('product', path, ownedOrThrow(error));
    }
    return verified.row;
  }

  const downloaded = await download();
  const built = await product(downloaded);
  return { download: downloaded, product: built, isDelivered: await noteDelivery(ledger, told, built), notTaken };
}

/** What was delivered is the product that is here, unless it is one of ours, of which the manifest may know more than the rows. */
async function noteDelivery(ledger: Ledger, told: ToldDay, built: ArtifactRow | null): Promise<boolean> {
  if (told.upload === null || built === null) return false;
  const { destination, key, finishedAt } = told.upload;
  const finishedMs = Date.parse(finishedAt);
  if (Number.isNaN(finishedMs)) return false;
  // A copy has the time of the copying.
  if (built.mtimeMs > finishedMs && (await readManifest(built.path)) !== null) return false;
  const { product, day, sizeBytes, sha256 } = built;
  const deliveredAt = new Date(finishedMs).toISOString();
  await ledger.putDelivery({ product, day, destination, key, sizeBytes, sha256, deliveredAt });
  return true;
}

/** Paths in a telemetry are often relative to a folder that nobody knows any more: where else a file was looked for. */
function soughtIn(folder: string, refusal: Refusal): Refusal {
  return refusal.problem === 'missing'
    ? { ...refusal, detail: `${refusal.detail}, nor one of that name in ${folder}` }
    : refusal;
}

function ownedOrThrow(error: unknown): { problem: 'owned'; detail: string } {
  if (!isPipelineError(error, 'path_owned')) throw error;
  return { problem: 'owned', detail: error.message };
}

async function isRecorded(row: ArtifactRow | null, path: string): Promise<boolean> {
  if (row === null || row.path !== path) return false;
  const found = await statFile(path);
  return found?.sizeBytes === row.sizeBytes && found.mtimeMs === row.mtimeMs;
}

/**
 * Where a told file is. Programs note paths as they were given, often relative to a folder that nobody knows any more: looked
 * for as told, then from the folder above the telemetry file, then below the folder where such files are by the end of its path.
 */
async function locate({ telemetryFile }: TakeUpFolders, told: string, folder: string): Promise<string> {
  const tried = [told];
  const inside = relative(dirname(telemetryFile), told);
  if (!isAbsolute(inside) && !inside.startsWith('..')) tried.push(join(dirname(dirname(telemetryFile)), inside));
  const parts = told.split('/').filter(Boolean);
  for (const depth of [1, DAY_DEPTH]) tried.push(join(folder, ...parts.slice(-depth)));
  for (const path of tried) if ((await statFile(path)) !== null) return path;
  return told;
}

/** Parts of a product's place below its folder (S3-1): level, type, year, month, day, name. */
const DAY_DEPTH = 6;

/** Days' files and products; nothing hidden, no backups. */
async function dataFiles(folder: string, recursive: boolean): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive }).catch(() => []);
  const wanted = recursive ? /\.cdf$/ : /^REACH-.*_\d{8}T\d{6}_\d{8}T\d{6}\.(csv|json)$/;
  return entries
    .filter((entry) => entry.isFile() && wanted.test(entry.name) && !entry.name.startsWith('.'))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !relative(folder, path).split('/').includes('_backup'));
}
