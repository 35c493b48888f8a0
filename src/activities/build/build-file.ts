/** The day's CDF as a file without a name yet: what stands in it, and what it will be called. Changes nothing but that file. */
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { parseProductSlug } from '../../core/product.ts';
import { PipelineError } from '../../core/errors.ts';
import { SOFTWARE } from '../../core/version.ts';
import type { StageHeartbeat } from '../../core/backfill/types.ts';
import type { ArtifactRow } from '../../ledger/ledger.ts';
import { buildL1c } from '../../products/reach-l1c/index.ts';
import type { BuildResult } from '../../products/reach-l1c/index.ts';
import { crashPoint } from '../../storage/crash-point.ts';
import type { ProductManifest } from '../../storage/manifest.ts';
import type { ActivityDependencies } from '../dependencies.ts';
import type { PresentInput } from '../plan/present-input.ts';
import type { DayAttempt } from '../types.ts';
import { versionOf } from './version.ts';

/** Share of unusable rows above which a day fails (CDF-D10). */
const QUARANTINE_LIMIT = 0.01;

/** A product that is made and not yet at its place. */
export interface BuiltProduct {
  /** Below `products` and below every destination (S3-1). */
  readonly key: string;
  readonly manifest: ProductManifest;
}

export interface BuildHooks {
  readonly signal: AbortSignal;
  readonly tell: (progress: StageHeartbeat) => void;
}

/**
 * @param former - the day's product as recorded
 * @param temporary - where the file is written: finished and synced on return; it is the caller's to remove
 */
export async function buildFile(
  deps: Pick<ActivityDependencies, 'ledger' | 'log' | 'today'>,
  attempt: DayAttempt,
  input: PresentInput,
  former: ArtifactRow | null,
  temporary: string,
  { signal, tell }: BuildHooks,
): Promise<BuiltProduct> {
  const { product, day, options } = attempt.input;
  const { sensor, format } = parseProductSlug(product);
  const { profile } = options;
  const version = await versionOf(deps.ledger, attempt, former, input.sha256);
  const generationDate = await deps.ledger.generationDate(input.sha256, profile, SOFTWARE.cdfLibrary, deps.today());
  await mkdir(dirname(temporary), { recursive: true });
  const built = await buildL1c(
    {
      inputPath: input.path,
      format,
      knownInput: { sizeBytes: input.sizeBytes, mtimeMs: input.mtimeMs, sha256: input.sha256 },
      outputPath: temporary,
      sensor,
      profile,
      version,
      generationDate,
      quarantineLimit: QUARANTINE_LIMIT,
    },
    {
      signal,
      onProgress: ({ phase, bytesRead, bytesTotal }) => tell({ phase, done: bytesRead, total: bytesTotal }),
    },
  );
  if (built.inputSha256 !== input.sha256) throw inputChanged(input.path, input.sha256, built.inputSha256);
  logRemarks(deps, attempt, built);
  crashPoint('cdf-temporary');
  const manifest: ProductManifest = {
    manifestVersion: 1,
    kind: 'product',
    product,
    day,
    file: built.fileName,
    sizeBytes: built.sizeBytes,
    sha256: built.sha256,
    writer: SOFTWARE.reach,
    profile,
    version,
    inputFile: input.path,
    inputSha256: built.inputSha256,
    descriptor: built.descriptor,
    generationDate,
    records: built.records,
    times: built.times,
    sensors: built.sensors,
    duplicates: built.duplicates,
    quarantined: built.quarantined,
  };
  return { key: built.key, manifest };
}

function logRemarks(deps: Pick<ActivityDependencies, 'log'>, { input }: DayAttempt, built: BuildResult): void {
  const { descriptor } = parseProductSlug(input.product);
  if (built.descriptor !== descriptor) {
    const message = `the data say ${built.descriptor}, the command ${descriptor}; the product carries what the data say`;
    deps.log.warn({ day: input.day, data: built.descriptor, asked: descriptor }, message);
  }
  for (const { code, count, message } of built.warnings) {
    // Missing values inside the data are the source's everyday life; the rest an operator should see.
    deps.log[code === 'missing_marker' ? 'info' : 'warn']({ day: input.day, code, count }, message);
  }
  for (const reason of built.quarantineReasons) deps.log.warn({ day: input.day, ...reason }, 'rows quarantined');
}

export function inputChanged(path: string, expected: string, found: string): PipelineError {
  return new PipelineError(
    'checksum_mismatch',
    `${path} is not the file that was downloaded: expected SHA-256 ${expected}, found ${found}.`,
    { hint: 'Run the same command with --retry-failed: the day is downloaded again.' },
  );
}
