/** What the ledger and the telemetry hear of a download: the file, the comparison with the source, the closing word. */
import { stat } from 'node:fs/promises';
import { expectedRecords, parseProductSlug } from '../core/product.ts';
import { availabilityPct } from '../core/records/counts.ts';
import type { SourceCheck } from '../core/records/source-check.ts';
import { crashPoint } from '../storage/crash-point.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { secondsSince, stageAttempt } from './dependencies.ts';
import { discardSlices } from './download/index.ts';
import type { DownloadOutcome } from './download/index.ts';
import type { Same } from './look-again.ts';
import type { DayAttempt, StageResult } from './types.ts';

type Done = Extract<DownloadOutcome, { outcome: 'done' }>;

/** Closes the stage, which is open. @param startedAt - `performance.now()` */
export async function recordDownload(
  deps: ActivityDependencies,
  dayAttempt: DayAttempt,
  outcome: DownloadOutcome,
  startedAt: number,
): Promise<StageResult> {
  if (outcome.outcome === 'done') return await recordDone(deps, dayAttempt, outcome, secondsSince(startedAt));
  const { product, day } = dayAttempt.input;
  const seconds = secondsSince(startedAt);
  const { reason, requests } = outcome;
  const checked = await noteCheck(deps, dayAttempt, outcome.check, null);
  await deps.ledger.closeStage(stageAttempt(dayAttempt, 'download'), { status: 'SKIPPED_NO_DATA', seconds, reason });
  await deps.telemetry.flush();
  await discardSlices(deps.workspace, product, day);
  deps.log.info({ day, reason }, 'day SKIPPED_NO_DATA');
  return { seconds, outcome: 'no_data', records: 0, requests, ...checked };
}

async function recordDone(
  deps: ActivityDependencies,
  dayAttempt: DayAttempt,
  outcome: Done,
  seconds: number,
): Promise<StageResult> {
  const { product, day } = dayAttempt.input;
  const { path, sizeBytes, sha256, counts, requests } = outcome;
  const { records } = counts;
  await deps.ledger.putArtifact({
    kind: 'download',
    product,
    day,
    path,
    sizeBytes,
    sha256,
    mtimeMs: (await stat(path)).mtimeMs,
    records,
    inputSha256: null,
    profile: null,
    version: null,
    createdAt: new Date().toISOString(),
  });
  crashPoint('download-recorded');
  const checked = await noteCheck(deps, dayAttempt, outcome.check, sha256);
  const closing = { status: 'DOWNLOADED', seconds, records, sizeBytes, path } as const;
  await deps.ledger.closeStage(stageAttempt(dayAttempt, 'download'), closing);
  crashPoint('download-closed');
  await deps.telemetry.flush();
  await discardSlices(deps.workspace, product, day);
  const availability = availabilityPct(records, expectedRecords(parseProductSlug(product)));
  const facts = { day, records, availabilityPct: availability, sizeBytes, seconds, path, ...checked };
  deps.log.info(facts, 'day DOWNLOADED');
  return { seconds, records, availabilityPct: availability, downloadBytes: sizeBytes, requests, ...checked };
}

/** A day that was looked at again and is as it was: only the time of the comparison moves on. */
export async function recordSame(
  deps: ActivityDependencies,
  dayAttempt: DayAttempt,
  { check, artifactSha256, rows, requests }: Same,
  startedAt: number,
): Promise<StageResult> {
  const { product, day } = dayAttempt.input;
  if (rows.length > 0) await deps.ledger.putSlices(rows);
  const checked = await noteCheck(deps, dayAttempt, check, artifactSha256);
  await discardSlices(deps.workspace, product, day);
  deps.log.info({ day, ...check }, 'day looked at again: unchanged');
  return { seconds: secondsSince(startedAt), outcome: 'unchanged', requests, ...checked };
}

async function noteCheck(
  deps: ActivityDependencies,
  { input }: DayAttempt,
  check: SourceCheck | null,
  artifactSha256: string | null,
): Promise<Pick<StageResult, 'check'>> {
  if (check === null) return {};
  const { product, day } = input;
  await deps.ledger.putCheck({ product, day, artifactSha256, ...check });
  if (check.state !== 'verified') deps.log.warn({ day, ...check }, `day ${check.state}`);
  return { check: check.state };
}
