/** Whether a file is what its manifest, or else its telemetry row, says. Reads all of it; changes nothing. */
import { basename } from 'node:path';
import { parseProductSlug, artifactFileName } from '../../core/product.ts';
import type { RecordCounts } from '../../core/records/counts.ts';
import type { SourceCheck } from '../../core/records/source-check.ts';
import { CdfReader } from '../../formats/cdf/index.ts';
import type { ArtifactRow } from '../../ledger/ledger.ts';
import { countArtifact } from '../../products/reach-l1c/index.ts';
import { fileDigest } from '../../storage/file-digest.ts';
import { readManifest } from '../../storage/manifest.ts';
import { statFile } from '../plan/file-state.ts';
import type { ToldDay } from '../../ledger/told-days.ts';

export interface VerifiedDownload {
  readonly row: ArtifactRow;
  readonly counts: RecordCounts;
  readonly check: SourceCheck | null;
}

/** Why a file is not taken up, for people. */
export interface Refusal {
  readonly problem: 'missing' | 'differs' | 'unreadable';
  readonly detail: string;
}

/** The CSV has four decimals of MiB. */
const MIB = 1_048_576;
const MIB_TOLERANCE = 0.000_051;

export async function verifyDownload(
  { product, day }: Pick<ToldDay, 'product' | 'day'>,
  told: NonNullable<ToldDay['download']>,
  path: string,
): Promise<VerifiedDownload | Refusal> {
  const wanted = parseProductSlug(product);
  const name = artifactFileName(wanted, day);
  if (basename(path) !== name) return { problem: 'differs', detail: `expected the name ${name}` };
  const found = await statFile(path);
  if (found === null) return { problem: 'missing', detail: 'no such file' };
  const manifest = await readManifest(path);
  const known = manifest?.kind === 'download' && manifest.product === product && manifest.day === day ? manifest : null;
  if (known === null && !sizeFits(told.sizeBytes, found.sizeBytes)) return otherSize(told.sizeBytes, found.sizeBytes);
  try {
    const digest = known === null ? await countArtifact(path, wanted.format) : await fileDigest(path);
    if (known !== null && digest.sha256 !== known.sha256) {
      return { problem: 'differs', detail: `SHA-256 ${digest.sha256}, its manifest has ${known.sha256}` };
    }
    const { records, distinctReadings, recordsPerSensor } = 'records' in digest ? digest : known!.counts;
    if (told.records !== null && records !== told.records && known === null) {
      return { problem: 'differs', detail: `${records} records, the telemetry says ${told.records}` };
    }
    const row = rowOf('download', { product, day }, path, digest, found.mtimeMs, records);
    return { row, counts: { records, distinctReadings, recordsPerSensor }, check: known?.check ?? null };
  } catch (error) {
    return { problem: 'unreadable', detail: (error as Error).message };
  }
}

/** A file that is gone, and whose manifest says that it was removed on purpose; null for any other. */
export async function releasedDownload(
  { product, day }: Pick<ToldDay, 'product' | 'day'>,
  path: string,
): Promise<VerifiedDownload | null> {
  const manifest = await readManifest(path);
  if (manifest?.kind !== 'download' || manifest.releasedAt === undefined || (await statFile(path)) !== null)
    return null;
  if (manifest.product !== product || manifest.day !== day) return null;
  const { counts, check = null, releasedAt } = manifest;
  const row = rowOf('download', { product, day }, path, manifest, Date.parse(releasedAt), counts.records);
  return { row: { ...row, releasedAt }, counts, check };
}

/** @param inputSha256 - of the file that it was built from, when that is known */
export async function verifyProduct(
  { product, day }: Pick<ToldDay, 'product' | 'day'>,
  told: NonNullable<ToldDay['build']>,
  path: string,
  inputSha256: string | null,
): Promise<{ readonly row: ArtifactRow } | Refusal> {
  const found = await statFile(path);
  if (found === null) return { problem: 'missing', detail: 'no such file' };
  const manifest = await readManifest(path);
  const known = manifest?.kind === 'product' && manifest.product === product && manifest.day === day ? manifest : null;
  if (known === null && !sizeFits(told.sizeBytes, found.sizeBytes)) return otherSize(told.sizeBytes, found.sizeBytes);
  try {
    const digest = await fileDigest(path);
    if (known !== null) {
      if (digest.sha256 !== known.sha256) {
        return { problem: 'differs', detail: `SHA-256 ${digest.sha256}, its manifest has ${known.sha256}` };
      }
      const { profile, version, records, restoredFor } = known;
      const row = rowOf('product', { product, day }, path, digest, found.mtimeMs, records);
      const origin = { inputSha256: known.inputSha256, profile, version };
      return { row: { ...row, ...origin, ...(restoredFor !== undefined && { restoredFor }) } };
    }
    const reader = await CdfReader.open(path);
    const times = reader.variables.get('Epoch')?.records ?? 0;
    await reader.close();
    if (times === 0) return { problem: 'differs', detail: 'a CDF without a record of Epoch' };
    const [, version = '1.0.0'] = /_v(\d+\.\d+\.\d+)\.cdf$/.exec(path) ?? [];
    const row = rowOf('product', { product, day }, path, digest, found.mtimeMs, times);
    // What other programs built has the published layout.
    return { row: { ...row, inputSha256, profile: 'parity', version } };
  } catch (error) {
    return { problem: 'unreadable', detail: (error as Error).message };
  }
}

function sizeFits(told: number | null, bytes: number): boolean {
  return told === null || Math.abs(told - bytes) < MIB_TOLERANCE * MIB;
}

function otherSize(told: number | null, bytes: number): Refusal {
  const mebibytes = (size: number): string => (size / MIB).toFixed(4);
  return { problem: 'differs', detail: `${mebibytes(bytes)} MiB, the telemetry says ${mebibytes(told ?? 0)}` };
}

function rowOf(
  kind: ArtifactRow['kind'],
  { product, day }: Pick<ToldDay, 'product' | 'day'>,
  path: string,
  { sizeBytes, sha256 }: { readonly sizeBytes: number; readonly sha256: string },
  mtimeMs: number,
  records: number,
): ArtifactRow {
  const origin = { inputSha256: null, profile: null, version: null, createdAt: new Date(mtimeMs).toISOString() };
  return { kind, product, day, path, sizeBytes, sha256, mtimeMs, records, ...origin };
}
