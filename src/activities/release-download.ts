/** What `--keep-downloads` takes away: a day's file, once its product is safe. */
import { rm } from 'node:fs/promises';
import { canRelease } from '../core/backfill/keep-downloads.ts';
import type { RunOptions } from '../core/backfill/types.ts';
import type { DayFacts, Ledger } from '../ledger/ledger.ts';
import { readManifest, writeManifest } from '../storage/manifest.ts';
import { checkFile, statFile } from './plan/file-state.ts';

interface ReleaseDependencies {
  readonly ledger: Pick<Ledger, 'releaseArtifact'>;
  readonly log: { info(facts: object, message: string): void };
}

/**
 * Removes the day's file when the options allow it and it is what was recorded. Its manifest stays and says so, so that a ledger
 * made anew does not miss the file. The row comes before the removal: a kill between the two leaves a file too many, and the
 * next try removes it.
 *
 * @param facts - with the delivery to the destination of `options`
 */
export async function releaseDownload(
  { ledger, log }: ReleaseDependencies,
  facts: DayFacts,
  options: Pick<RunOptions, 'keepDownloads'>,
): Promise<void> {
  const { artifact, productFile } = facts;
  if (artifact === null || productFile === null || !canRelease(facts, options.keepDownloads)) return;
  const found = await statFile(artifact.path);
  if (found?.sizeBytes !== artifact.sizeBytes || found.mtimeMs !== artifact.mtimeMs) return;
  const isDelivered = facts.delivery?.sha256 === productFile.sha256;
  if (!isDelivered && (await checkFile(productFile)).state !== 'intact') return;
  if (artifact.releasedAt === undefined) {
    const manifest = await readManifest(artifact.path);
    const releasedAt = new Date().toISOString();
    if (manifest?.kind === 'download') await writeManifest(artifact.path, { ...manifest, releasedAt });
    await ledger.releaseArtifact(artifact.path);
  }
  await rm(artifact.path, { force: true });
  const { day, path, sizeBytes } = artifact;
  log.info({ day, path, sizeBytes }, 'day file removed: its product is done (--keep-downloads)');
}
