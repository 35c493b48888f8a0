/**
 * Finds finished files that the ledger does not know, by their manifests: a run that was killed between the rename and the
 * row has done its work. A file is taken up only when its content has the manifest's hash.
 */
import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Profile } from '../../core/backfill/types.ts';
import { artifactFileName, parseProductSlug } from '../../core/product.ts';
import type { ProductSlug } from '../../core/product.ts';
import type { RecordCounts } from '../../core/records/counts.ts';
import type { Day } from '../../core/time/day.ts';
import type { ArtifactRow } from '../../ledger/ledger.ts';
import { fileDigest } from '../../storage/file-digest.ts';
import { manifestPath, readManifest } from '../../storage/manifest.ts';
import type { Manifest } from '../../storage/manifest.ts';
import { statFile } from './file-state.ts';

export interface Adopted {
  readonly row: ArtifactRow;
  readonly counts: RecordCounts | null;
  readonly inputPath: string | null;
}

/**
 * The day's downloaded file, when it is whole by its manifest.
 *
 * @param names - the files of the folder, so that days without one cost nothing
 */
export async function adoptableDownload(
  folder: string,
  names: ReadonlySet<string>,
  product: ProductSlug,
  day: Day,
): Promise<Adopted | null> {
  const name = artifactFileName(parseProductSlug(product), day);
  if (!names.has(name) || !names.has(basename(manifestPath(name)))) return null;
  const path = join(folder, name);
  const manifest = await readManifest(path);
  if (manifest?.kind !== 'download' || !(await describes(manifest, path, product, day))) return null;
  const { counts } = manifest;
  const row = await rowOf(manifest, path, counts.records, { inputSha256: null, profile: null, version: null });
  return row === null ? null : { row, counts, inputPath: null };
}

export interface WantedProduct {
  readonly product: ProductSlug;
  readonly day: Day;
  readonly profile: Profile;
  /** Hash of the present input; null accepts a product of any input. */
  readonly inputSha256: string | null;
}

/** The day's product at `<products>/<level>/<type>/<YYYY>/<MM>/<DD>/` (S3-1), when one is whole by its manifest. */
export async function adoptableProduct(
  shelves: readonly string[],
  { product, day, profile, inputSha256 }: WantedProduct,
): Promise<Adopted | null> {
  for (const shelf of shelves) {
    const folder = join(shelf, ...day.split('-'));
    // Of several versions the last is the newest.
    for (const name of (await entriesOf(folder)).toSorted(byVersion).toReversed()) {
      const path = join(folder, name);
      if (name.startsWith('.')) continue;
      const manifest = await readManifest(path);
      if (manifest?.kind !== 'product' || manifest.profile !== profile) continue;
      if (inputSha256 !== null && manifest.inputSha256 !== inputSha256) continue;
      if (!(await describes(manifest, path, product, day))) continue;
      const row = await rowOf(manifest, path, manifest.records, manifest);
      if (row !== null) return { row, counts: null, inputPath: manifest.inputFile };
    }
  }
  return null;
}

/** The folders `<products>/<level>/<type>`, where days are kept. */
export async function productShelves(products: string): Promise<string[]> {
  const shelves: string[] = [];
  for (const level of await foldersOf(products)) {
    for (const type of await foldersOf(join(products, level))) shelves.push(join(products, level, type));
  }
  return shelves.toSorted();
}

async function describes(manifest: Manifest, path: string, product: ProductSlug, day: Day): Promise<boolean> {
  if (manifest.product !== product || manifest.day !== day) return false;
  const found = await statFile(path);
  if (found?.sizeBytes !== manifest.sizeBytes) return false;
  return (await fileDigest(path)).sha256 === manifest.sha256;
}

async function rowOf(
  manifest: Manifest,
  path: string,
  records: number,
  origin: Pick<ArtifactRow, 'inputSha256' | 'profile' | 'version'>,
): Promise<ArtifactRow | null> {
  const found = await statFile(path);
  if (found === null) return null;
  return {
    kind: manifest.kind,
    product: manifest.product,
    day: manifest.day,
    path,
    sizeBytes: manifest.sizeBytes,
    sha256: manifest.sha256,
    mtimeMs: found.mtimeMs,
    records,
    inputSha256: origin.inputSha256,
    profile: origin.profile,
    version: origin.version,
    createdAt: new Date(found.mtimeMs).toISOString(),
  };
}

/** Names in their order, numbers in them by value: 1.0.10 is behind 1.0.9. */
const { compare: byVersion } = new Intl.Collator('en', { numeric: true });

async function entriesOf(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []);
}

/** Folders of data; hidden ones and the backups (`_backup`) are none. */
async function foldersOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory() && !/^[._]/.test(entry.name)).map((entry) => entry.name);
}
