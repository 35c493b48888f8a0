/** The day's file: put together from slice files in order of time (UDL-26…30), or found intact from an earlier run. */
import { stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { PipelineError } from '../../core/errors.ts';
import type { ArtifactFormat } from '../../core/product.ts';
import { writeAtomically } from '../../storage/atomic-file.ts';
import { backupFile } from '../../storage/backup.ts';
import { crashPoint } from '../../storage/crash-point.ts';
import { fileDigest } from '../../storage/file-digest.ts';
import { readManifest } from '../../storage/manifest.ts';
import type { DownloadManifest } from '../../storage/manifest.ts';
import { HeaderTooNarrow, writeBody } from './artifact-body.ts';
import type { BodyDigest } from './artifact-body.ts';
import type { SliceFile } from './slice-file.ts';
import type { DownloadLog, DownloadRequest } from './types.ts';

/** Where an artifact goes, and who hears of a file that stood there. */
interface ArtifactPlace {
  readonly path: string;
  readonly log: DownloadLog | undefined;
}

/**
 * The manifest of an artifact that is there, belongs to this day and holds what the manifest says; null otherwise.
 *
 * @throws PipelineError `path_owned` when an intact artifact of another product stands at the path (UDL-27)
 */
export async function findIntactArtifact(
  path: string,
  { product, day }: DownloadRequest,
): Promise<DownloadManifest | null> {
  const manifest = await readManifest(path);
  const found = await stat(path).catch(() => null);
  if (manifest?.kind !== 'download' || found?.size !== manifest.sizeBytes) return null;
  if ((await fileDigest(path)).sha256 !== manifest.sha256) return null;
  if (manifest.product === product && manifest.day === day) return manifest;
  throw new PipelineError(
    'path_owned',
    `${path} holds ${manifest.product} of ${manifest.day}, not ${product} of ${day}.`,
    {
      hint: 'Use another workspace or output folder for this product, or move that file away.',
      context: { path },
    },
  );
}

/**
 * Writes the artifact atomically from slices that are all there.
 *
 * @param files - non-empty slices, ascending
 * @param columns - union of the slices' columns
 */
export function assembleArtifact(
  place: ArtifactPlace,
  format: ArtifactFormat,
  files: readonly SliceFile[],
  columns: readonly string[],
  signal?: AbortSignal,
): Promise<BodyDigest> {
  return writeArtifact(place, (file) => writeBody(file, format, files, columns, signal));
}

/**
 * Writes the artifact atomically while slices are still being fetched, each as soon as all before it are there. The bytes are
 * those of `assembleArtifact`. A header cannot grow once it stands in the file: it is that of the first slice.
 *
 * @param slices - non-empty slices, ascending; what it throws ends the assembly, and no file stays
 * @returns null when no slice came, or one with a column that the first one lacks: then no file was written
 */
export async function assembleMeanwhile(
  place: ArtifactPlace,
  format: ArtifactFormat,
  slices: AsyncGenerator<SliceFile, void>,
  signal: AbortSignal,
): Promise<BodyDigest | null> {
  const first = await slices.next();
  if (first.done === true) return null;
  const { columns } = first.value.header;
  try {
    return await writeArtifact(place, (file) =>
      writeBody(file, format, startingWith(first.value, slices), columns, signal),
    );
  } catch (error) {
    if (error instanceof HeaderTooNarrow) return null;
    throw error;
  }
}

/** Another file at the path, a damaged artifact too, is kept before the new one takes its name (SAFE-11). */
async function writeArtifact(
  { path, log }: ArtifactPlace,
  fill: (file: FileHandle) => Promise<BodyDigest>,
): Promise<BodyDigest> {
  try {
    return await writeAtomically(path, (file) => fillUnlessSame(file));
  } catch (error) {
    if (error instanceof AlreadyThere) return error.digest;
    throw error;
  }

  async function fillUnlessSame(file: FileHandle): Promise<BodyDigest> {
    const digest = await fill(file);
    // The same content stays as it is, with its time.
    if (await holds(path, digest)) throw new AlreadyThere(digest);
    if (await isFile(path)) {
      const backup = await backupFile(path, join(dirname(path), '_backup'));
      log?.warn({ path, backup }, 'another file stood where the download goes; it is kept');
    }
    crashPoint('download-temporary');
    return digest;
  }
}

class AlreadyThere extends Error {
  readonly digest: BodyDigest;

  constructor(digest: BodyDigest) {
    super('the same content is there already');
    this.digest = digest;
  }
}

/** Whether a file with this content stands at the path. */
async function holds(path: string, { sizeBytes, sha256 }: BodyDigest): Promise<boolean> {
  const found = await stat(path).catch(() => null);
  return found?.isFile() === true && found.size === sizeBytes && (await fileDigest(path)).sha256 === sha256;
}

async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null))?.isFile() === true;
}

async function* startingWith(first: SliceFile, rest: AsyncIterable<SliceFile>): AsyncGenerator<SliceFile, void> {
  yield first;
  yield* rest;
}

/** Keys of all slices, in the order first seen (UDL-D2). */
export function unionOfColumns(files: readonly SliceFile[]): string[] {
  return [...new Set(files.flatMap(({ header }) => header.columns))];
}
