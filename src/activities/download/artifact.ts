/** The day's file: put together from slice files in order of time (UDL-26…30), or found intact from an earlier run. */
import { mkdir, rm, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { PipelineError } from '../../core/errors.ts';
import type { ArtifactFormat } from '../../core/product.ts';
import { publishFile, writeAtomically } from '../../storage/atomic-file.ts';
import { backupFile } from '../../storage/backup.ts';
import { crashPoint } from '../../storage/crash-point.ts';
import { fileDigest } from '../../storage/file-digest.ts';
import { readManifest } from '../../storage/manifest.ts';
import type { DownloadManifest } from '../../storage/manifest.ts';
import { HeaderTooNarrow, PlaceTaken, writeBody } from './artifact-body.ts';
import type { BodyDigest, PartFile } from './artifact-body.ts';
import { linkBeside, openPart } from './day-part.ts';
import type { SliceFile } from './slice-file.ts';
import type { SliceInHand } from './turns.ts';
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
 * Writes what is to be the artifact while slices are still being fetched, each as soon as all before it are there: into the part
 * file, which stays when this does not come to its end. The bytes are those of `assembleArtifact`. A header cannot grow once it
 * stands in the file: it is that of the first slice.
 *
 * @param slices - with records, ascending; what it throws ends the assembly
 * @returns what stands in the part file, for `publishPart`; null when the artifact is to be put together from finished slices: no
 *   slice came, or one with a column that the first one lacks, or what stands in the part file does not allow it
 */
export async function assembleMeanwhile(
  part: PartFile,
  format: ArtifactFormat,
  slices: AsyncGenerator<SliceFile | SliceInHand, void>,
  signal: AbortSignal,
): Promise<BodyDigest | null> {
  try {
    const first = await slices.next();
    if (first.done === true) return null;
    const { columns } = first.value.header;
    const all = startingWith(first.value, slices);
    return await writePart(part, (file) => writeBody(file, format, all, columns, signal, part));
  } catch (error) {
    if (error instanceof HeaderTooNarrow || error instanceof PlaceTaken) return null;
    throw error;
  } finally {
    await slices.return();
  }
}

/** @returns null when nothing may be written to the part file */
async function writePart(
  { path, isTaken }: PartFile,
  fill: (file: FileHandle) => Promise<BodyDigest>,
): Promise<BodyDigest | null> {
  const file = await openPart(path);
  if (!file) return null;
  try {
    const digest = await fill(file);
    if (isTaken(digest.sizeBytes, Infinity)) throw new PlaceTaken();
    // What an earlier pass wrote behind the end.
    await file.truncate(digest.sizeBytes);
    await file.sync();
    return digest;
  } finally {
    await file.close();
  }
}

/**
 * Makes the part file the artifact, atomically; the slices in it keep it as theirs until they are discarded.
 *
 * @returns null where the file system has no second names: then the artifact is to be put together from finished slices
 */
export async function publishPart(
  place: ArtifactPlace,
  part: PartFile,
  digest: BodyDigest,
): Promise<BodyDigest | null> {
  await mkdir(dirname(place.path), { recursive: true });
  const temporary = await linkBeside(part.path, place.path);
  if (temporary === null) return null;
  try {
    await makeWay(place, digest);
  } catch (error) {
    await rm(temporary, { force: true });
    if (error instanceof AlreadyThere) return digest;
    throw error;
  }
  await publishFile(temporary, place.path);
  return digest;
}

async function writeArtifact(
  place: ArtifactPlace,
  fill: (file: FileHandle) => Promise<BodyDigest>,
): Promise<BodyDigest> {
  try {
    return await writeAtomically(place.path, async (file) => {
      const digest = await fill(file);
      await makeWay(place, digest);
      return digest;
    });
  } catch (error) {
    if (error instanceof AlreadyThere) return error.digest;
    throw error;
  }
}

/**
 * To be called when the new file is complete under a hidden name. Another file at the path, a damaged artifact too, is kept before
 * the new one takes its name (SAFE-11).
 *
 * @throws AlreadyThere when the same content stands there: it stays as it is, with its time
 */
async function makeWay({ path, log }: ArtifactPlace, digest: BodyDigest): Promise<void> {
  if (await holds(path, digest)) throw new AlreadyThere(digest);
  if (await isFile(path)) {
    const backup = await backupFile(path, join(dirname(path), '_backup'));
    log?.warn({ path, backup }, 'another file stood where the download goes; it is kept');
  }
  crashPoint('download-temporary');
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

async function* startingWith<T>(first: T, rest: AsyncIterable<T>): AsyncGenerator<T, void> {
  yield first;
  yield* rest;
}

/** Keys of all slices, in the order first seen (UDL-D2). */
export function unionOfColumns(files: readonly SliceFile[]): string[] {
  return [...new Set(files.flatMap(({ header }) => header.columns))];
}
