/** Heals what a kill left between a file's rename and its row: the manifest beside the file knows everything. */
import type { Kysely, Transaction } from 'kysely';
import { putArtifactRow, putCountsRow } from './artifacts.ts';
import { appendAttempt, endingOf } from './attempts.ts';
import type { ArtifactRow, Ledger } from './ledger.ts';
import type { LedgerTables } from './schema.ts';
import { stampMs, telemetryStamp } from './stamp.ts';
import type { WorkspacePaths } from './workspace-paths.ts';

export interface AdoptionOptions {
  readonly db: Kysely<LedgerTables>;
  readonly paths: WorkspacePaths;
  readonly now: () => number;
}

export function createAdoption({ db, paths, now }: AdoptionOptions): Pick<Ledger, 'adoptArtifact'> {
  return {
    adoptArtifact: (artifact, { counts, inputPath }) =>
      db.transaction().execute(async (trx) => {
        await putArtifactRow(trx, artifact, paths, new Date(now()).toISOString());
        if (counts !== null) await putCountsRow(trx, artifact.product, artifact.day, artifact.sha256, counts);
        await closeInterrupted(trx, artifact, inputPath, paths, now());
      }),
  };
}

/** Appends the closing row that the killed stage did not come to write; the file's time tells when it was done. */
async function closeInterrupted(
  trx: Transaction<LedgerTables>,
  artifact: ArtifactRow,
  inputPath: string | null,
  paths: WorkspacePaths,
  nowMs: number,
): Promise<void> {
  const isDownload = artifact.kind === 'download';
  const latest = await trx
    .selectFrom('attempts')
    .selectAll()
    .where('product', '=', artifact.product)
    .where('day', '=', artifact.day)
    .where('stage', 'in', isDownload ? ['download', 'count'] : ['build'])
    .orderBy('seq', 'desc')
    .limit(1)
    .executeTakeFirst();
  if (latest?.edge !== 'opening') return;
  const startedMs = stampMs(latest.started_at);
  const finishedMs = Math.trunc(artifact.mtimeMs) >= startedMs ? Math.trunc(artifact.mtimeMs) : nowMs;
  const seconds = Math.max(0, (finishedMs - startedMs) / 1000);
  const path = paths.toStored(artifact.path);
  await appendAttempt(trx, {
    ...endingOf(latest, telemetryStamp(finishedMs)),
    ...(isDownload
      ? {
          status: 'DOWNLOADED',
          records: artifact.records,
          download_seconds: seconds,
          artifact_bytes: artifact.sizeBytes,
          artifact_path: path,
        }
      : {
          status: 'PROCESSED',
          build_seconds: seconds,
          product_bytes: artifact.sizeBytes,
          product_path: path,
          ...(inputPath !== null && { artifact_path: paths.toStored(inputPath) }),
        }),
  });
}
