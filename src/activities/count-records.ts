import { stat } from 'node:fs/promises';
import { expectedRecords, parseProductSlug } from '../core/product.ts';
import { PipelineError } from '../core/errors.ts';
import { availabilityPct } from '../core/records/counts.ts';
import type { RecordCounts } from '../core/records/counts.ts';
import type { ArtifactRow } from '../ledger/ledger.ts';
import { countArtifact } from '../products/reach-l1c/index.ts';
import { crashPoint } from '../storage/crash-point.ts';
import { readManifest } from '../storage/manifest.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { secondsSince } from './dependencies.ts';
import { asTold, withHeartbeat } from './heartbeat.ts';
import type { DayAttempt, StageResult } from './types.ts';

/** Records, distinct readings and records per sensor of the day's artifact, kept in the ledger. */
export async function countRecords(deps: ActivityDependencies, attempt: DayAttempt): Promise<StageResult> {
  return await withHeartbeat(async (signal, tell) => {
    const startedAt = performance.now();
    const { product, day } = attempt.input;
    const [facts] = await deps.ledger.dayFacts(product, day, day, null);
    const artifact = facts?.artifact;
    if (!artifact) {
      throw new PipelineError('input_invalid', `Day ${day} has no artifact to count.`, {
        hint: 'Run the same command again: the day is downloaded first.',
      });
    }
    const counts =
      (await countsFromManifest(artifact)) ??
      (await countAgain(artifact, parseProductSlug(product).format, signal, (done) =>
        tell({ phase: 'counting', done, total: artifact.sizeBytes }),
      ));
    await deps.ledger.putCounts(product, day, artifact.sha256, counts);
    crashPoint('count-recorded');
    const availability = availabilityPct(counts.records, expectedRecords(parseProductSlug(product)));
    const seconds = secondsSince(startedAt);
    deps.log.info({ day, ...counts, availabilityPct: availability, seconds }, 'day counted');
    return {
      seconds,
      records: counts.records,
      distinctReadings: counts.distinctReadings,
      availabilityPct: availability,
    };
  }, asTold);
}

/** The counts made while writing, as long as the file is the one they were made of (size and time unchanged). */
async function countsFromManifest(artifact: ArtifactRow): Promise<RecordCounts | null> {
  const [manifest, found] = await Promise.all([readManifest(artifact.path), stat(artifact.path).catch(() => null)]);
  if (!found || manifest?.kind !== 'download' || manifest.sha256 !== artifact.sha256) return null;
  return found.size === artifact.sizeBytes && found.mtimeMs === artifact.mtimeMs ? manifest.counts : null;
}

async function countAgain(
  artifact: ArtifactRow,
  format: 'csv' | 'json',
  signal: AbortSignal,
  onBytes: (bytes: number) => void,
): Promise<RecordCounts> {
  const onProgress = ({ bytesRead }: { bytesRead: number }): void => onBytes(bytesRead);
  const { sha256, sizeBytes, ...counts } = await countArtifact(artifact.path, format, { signal, onProgress });
  if (sha256 !== artifact.sha256) {
    throw new PipelineError(
      'checksum_mismatch',
      `${artifact.path} has changed since it was downloaded: expected ${artifact.sizeBytes} bytes with SHA-256 ${artifact.sha256}, found ${sizeBytes} bytes with ${sha256}.`,
      { hint: 'Run the same command with --retry-failed: the day is downloaded again.' },
    );
  }
  return counts;
}
