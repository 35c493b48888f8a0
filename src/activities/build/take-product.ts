import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { PipelineError } from '../../core/errors.ts';
import { productKey } from '../../products/reach-l1c/index.ts';
import { temporaryName } from '../../storage/atomic-file.ts';
import { crashPoint } from '../../storage/crash-point.ts';
import type { Staging } from '../../storage/staging.ts';
import type { ActivityDependencies } from '../dependencies.ts';
import { secondsSince } from '../dependencies.ts';
import { withHeartbeat } from '../heartbeat.ts';
import type { DayAttempt, StageResult } from '../types.ts';
import { closeBuild, inputOf } from './build-cdf.ts';
import { inputChanged } from './build-file.ts';
import { intactProduct, publishProduct } from './publish-product.ts';
import { noteKey, productFile, readNote, stagedInputOf } from './staged.ts';
import { versionOf } from './version.ts';

/**
 * Takes the product that a builder staged to its place in the workspace's folder, and closes the build. A product that a
 * builder with the folder has put there stays as it is.
 */
export async function takeProduct(deps: ActivityDependencies, attempt: DayAttempt): Promise<StageResult> {
  return await withHeartbeat(async (signal, tell) => {
    const startedAt = performance.now();
    const { product, day, options } = attempt.input;
    const facts = (await deps.ledger.dayFacts(product, day, day, null))[0];
    const input = await inputOf(deps, attempt, facts);
    const staged = stagedInputOf(attempt);
    if (input.sha256 !== staged.sha256) throw inputChanged(input.path, staged.sha256, input.sha256);
    const existing = await intactProduct(facts, input.sha256, options.profile);
    const area = areaOf(deps);
    const version = await versionOf(deps.ledger, attempt, facts?.productFile ?? null, input.sha256);
    const note = readNote(await area.getNote(noteKey(attempt, input.sha256, version)), attempt, input.sha256);
    if (existing) return { ...(await close(existing)), seconds: secondsSince(startedAt) };
    if (note === null) throw notStaged(day, area);

    const { manifest } = note;
    const temporary = temporaryName(join(deps.workspace.products, `${day}.cdf`));
    try {
      const progress = { phase: `fetching from ${area.base}`, total: manifest.sizeBytes };
      tell({ ...progress, done: 0 });
      await area.fetch(productFile(attempt, manifest), temporary, {
        signal,
        onProgress: (done) => tell({ ...progress, done }),
      });
      crashPoint('product-fetched');
      const built = { key: productKey(manifest.file), manifest: { ...manifest, inputFile: input.path } };
      const row = await publishProduct(deps, attempt, facts, temporary, built);
      return { ...(await close(row)), seconds: secondsSince(startedAt) };
    } finally {
      await rm(temporary, { force: true });
    }

    async function close(row: Parameters<typeof closeBuild>[2]): Promise<StageResult> {
      return await closeBuild(deps, attempt, row, input.path, (note?.seconds ?? 0) + secondsSince(startedAt));
    }
  });
}

/** Removes what is staged for a day. What cannot be removed now is so when the day is done again. */
export async function sweepDay(deps: ActivityDependencies, prefix: string): Promise<void> {
  if (deps.staging?.side !== 'home') return;
  try {
    await deps.staging.area.sweep(prefix);
  } catch (error) {
    deps.log.warn({ prefix }, `staged files stay: ${(error as Error).message}`);
  }
}

function areaOf({ staging }: ActivityDependencies): Staging {
  if (staging?.side === 'home') return staging.area;
  throw new PipelineError('storage_unavailable', 'A product is staged, and this worker was started without --staging.', {
    hint: 'Start it again with the address that the build workers have as --workspace.',
  });
}

function notStaged(day: string, { base }: Staging): PipelineError {
  return new PipelineError('input_invalid', `The product of ${day} is not at ${base} (any more).`, {
    hint: 'Was it removed by hand, or by a rule of the bucket that is too quick? Run the same command with --retry-failed.',
  });
}
