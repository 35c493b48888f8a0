/** A finished CDF gets its place below `products`, its manifest and its row; what was there before is kept (SAFE-11). */
import { mkdir, rm, stat } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { PipelineError } from '../../core/errors.ts';
import type { ArtifactRow, DayFacts } from '../../ledger/ledger.ts';
import { publishFile } from '../../storage/atomic-file.ts';
import { backupFile } from '../../storage/backup.ts';
import { crashPoint } from '../../storage/crash-point.ts';
import { fileDigest } from '../../storage/file-digest.ts';
import { manifestPath, writeManifest } from '../../storage/manifest.ts';
import type { ActivityDependencies } from '../dependencies.ts';
import type { DayAttempt } from '../types.ts';
import type { BuiltProduct } from './build-file.ts';

/** Gives the finished file its name; what stood there, or what the day was called before, goes to the backups first. */
export async function publishProduct(
  deps: ActivityDependencies,
  { input }: DayAttempt,
  facts: DayFacts | undefined,
  temporary: string,
  { key, manifest }: BuiltProduct,
): Promise<ArtifactRow> {
  const { product, day } = input;
  const { sha256, sizeBytes, records, inputSha256, profile, version } = manifest;
  const path = join(deps.workspace.products, key);
  const owner = await deps.ledger.artifactOwner(path);
  if (owner && owner.product !== product) throw ownedByOther(path, owner.product, product);
  if (owner && owner.day !== day) throw otherDays(path, owner.day, day, manifest.inputFile);
  await mkdir(dirname(path), { recursive: true });
  const former = formerBelow(deps.workspace.products, facts);
  for (const old of new Set([path, ...(former === undefined ? [] : [former])])) {
    const found = await fileDigest(old).catch(() => null);
    if (found && (old !== path || found.sha256 !== sha256)) {
      const backup = await backupFile(old, deps.workspace.backups);
      deps.log.warn({ day, path: old, backup }, 'former product kept in the backups');
    }
  }
  await publishFile(temporary, path);
  crashPoint('cdf-renamed');
  await writeManifest(path, manifest);
  crashPoint('cdf-manifest');
  if (former !== undefined && former !== path) {
    // The day has another first record (CDF-D2) or version and so another name; its copy is among the backups. Before the row: a kill
    // after the row would leave the old name for ever.
    await Promise.all([rm(former, { force: true }), rm(manifestPath(former), { force: true })]);
  }
  const row: ArtifactRow = {
    kind: 'product',
    product,
    day,
    path,
    sizeBytes,
    sha256,
    mtimeMs: (await stat(path)).mtimeMs,
    records,
    inputSha256,
    profile,
    version,
    createdAt: new Date().toISOString(),
  };
  await deps.ledger.putArtifact(row);
  crashPoint('cdf-recorded');
  return row;
}

/** The day's recorded product, when it is at its place and of this input and profile. */
export async function intactProduct(
  facts: DayFacts | undefined,
  inputSha256: string,
  profile: string,
): Promise<ArtifactRow | null> {
  const row = facts?.productFile;
  if (!row || row.inputSha256 !== inputSha256 || row.profile !== profile) return null;
  const found = await stat(row.path).catch(() => null);
  return found?.size === row.sizeBytes && found.mtimeMs === row.mtimeMs ? row : null;
}

/** The day's former product, when it is in this products folder: another one's files are not ours to move. */
function formerBelow(products: string, facts: DayFacts | undefined): string | undefined {
  const path = facts?.productFile?.path;
  return path?.startsWith(products + sep) === true ? path : undefined;
}

function ownedByOther(path: string, owner: string, product: string): PipelineError {
  return new PipelineError('path_owned', `${path} belongs to the product ${owner}; ${product} would overwrite it.`, {
    hint: 'The two products share file names: use another --workspace (or --output-dir) for one of them.',
  });
}

function otherDays(path: string, owner: string, day: string, inputPath: string): PipelineError {
  return new PipelineError('input_invalid', `${path} is the product of ${owner}; that of ${day} would overwrite it.`, {
    hint: `The first record of ${inputPath} is of another day than its name says: name the file after its day.`,
  });
}
