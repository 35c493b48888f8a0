/** Brings a former product back in place of the present one (SAFE-11). */
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { copyFile, mkdir, open, rm, stat } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { PipelineError } from '../core/errors.ts';
import type { ArtifactRow, Ledger } from '../ledger/ledger.ts';
import { publishFile, temporaryName } from '../storage/atomic-file.ts';
import { backupFile } from '../storage/backup.ts';
import { fileDigest } from '../storage/file-digest.ts';
import { manifestPath, readManifest, writeManifest } from '../storage/manifest.ts';
import { secondsSince } from './dependencies.ts';

export interface Restored {
  /** Absolute path of the product that is back. */
  readonly path: string;
  /** Backups of what stood in its place; the present product among them. */
  readonly kept: readonly string[];
}

/**
 * Puts the content of a former product back under its name, byte for byte; what is there goes to the backups first. From
 * then on it is the day's product: it is built again only when the day's download changes, and destinations and Zarr stores take it
 * up as any changed day. The order of effects is that of a build, so that a kill leaves one of the two products recorded, and the
 * same command finishes.
 *
 * @param products - the folder that the product's key is below
 * @param copies - files that may hold it
 * @throws PipelineError `input_invalid` when none of them does; `path_owned` when its name belongs to another product or day
 */
export async function restoreProduct(
  ledger: Ledger,
  products: string,
  former: ArtifactRow,
  copies: readonly string[],
): Promise<Restored> {
  const startedAt = performance.now();
  const { product, day, path, sizeBytes, sha256 } = former;
  const source = await wholeCopy(former, copies, products);
  const owner = await ledger.artifactOwner(path);
  if (owner !== null && (owner.product !== product || owner.day !== day)) {
    throw new PipelineError('path_owned', `${path} belongs to ${owner.product} of ${owner.day} by now.`, {
      hint: 'Nothing was changed. Give one of the two products another workspace.',
    });
  }
  const [facts] = await ledger.dayFacts(product, day, day, null);
  const present = facts?.productFile?.path;
  const inTheWay = [path, ...(present?.startsWith(products + sep) === true ? [present] : [])];
  const kept: string[] = [];
  for (const old of new Set(inTheWay)) {
    const found = await fileDigest(old).catch(() => null);
    if (found !== null && found.sha256 !== sha256) kept.push(await backupFile(old, join(products, '_backup')));
  }
  const found = await readManifest(source);
  const manifest = found?.kind === 'product' && found.sha256 === sha256 ? found : null;
  await copyWhole(source, path, sha256);
  const restoredFor = facts?.artifact?.sha256 ?? former.inputSha256 ?? '';
  if (manifest === null) await rm(manifestPath(path), { force: true });
  else await writeManifest(path, { ...manifest, restoredFor });
  for (const old of inTheWay.filter((each) => each !== path)) {
    await Promise.all([rm(old, { force: true }), rm(manifestPath(old), { force: true })]);
  }
  const { mtimeMs } = await stat(path);
  const { supersededAt: _past, ...row } = former as ArtifactRow & { supersededAt?: string };
  await ledger.putArtifact({ ...row, mtimeMs, restoredFor });
  const runId = randomUUID();
  const attempt = { runId, workflowRunId: `restore/${runId}`, product, day, stage: 'build' } as const;
  const inputPath = manifest?.inputFile ?? facts?.artifact?.path ?? '';
  await ledger.openStage(attempt);
  const seconds = secondsSince(startedAt);
  await ledger.closeStage(attempt, { status: 'PROCESSED', seconds, sizeBytes, path, inputPath });
  return { path, kept };
}

/** The first of the copies that is what was recorded. */
async function wholeCopy(
  { product, day, path, version, sha256 }: ArtifactRow,
  copies: readonly string[],
  products: string,
): Promise<string> {
  for (const copy of copies) {
    const found = await fileDigest(copy).catch(() => null);
    if (found?.sha256 === sha256) return copy;
  }
  const which = `${product} ${day} v${version ?? '?'}`;
  const why =
    copies.length === 0
      ? 'No copy of it is left, neither among the backups nor at a folder that it was delivered to'
      : `What is left of it is damaged: ${copies.join(', ')}`;
  throw new PipelineError('input_invalid', `${which} cannot be brought back. ${why}.`, {
    hint: `Nothing was changed. A bucket that it was delivered to may have it: fetch it to ${join(products, '_backup', 'fetched', relative(products, path))} and repeat; it is compared by its SHA-256.`,
    context: { sha256 },
  });
}

/** A file that has the content already is left as it is. */
async function copyWhole(source: string, path: string, sha256: string): Promise<void> {
  if (source === path) return;
  await mkdir(dirname(path), { recursive: true });
  const temporary = temporaryName(path);
  try {
    await copyFile(source, temporary, constants.COPYFILE_EXCL);
    const file = await open(temporary, 'r+');
    await file.sync();
    await file.close();
    if ((await fileDigest(temporary)).sha256 !== sha256) {
      throw new PipelineError('checksum_mismatch', `The copy of ${source} is not what it was read as.`, {
        hint: 'Nothing was changed. Check the disk.',
      });
    }
    await publishFile(temporary, path);
  } finally {
    await rm(temporary, { force: true });
  }
}
