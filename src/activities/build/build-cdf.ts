import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parseProductSlug } from '../../core/product.ts';
import { PipelineError } from '../../core/errors.ts';
import type { ArtifactRow, DayFacts } from '../../ledger/ledger.ts';
import { temporaryName } from '../../storage/atomic-file.ts';
import { crashPoint } from '../../storage/crash-point.ts';
import type { ActivityDependencies } from '../dependencies.ts';
import { secondsSince, stageAttempt } from '../dependencies.ts';
import { asTold, withHeartbeat } from '../heartbeat.ts';
import { presentInput } from '../plan/present-input.ts';
import type { PresentInput } from '../plan/present-input.ts';
import type { DayAttempt, StageResult } from '../types.ts';
import { buildFile } from './build-file.ts';
import { buildStaged } from './build-staged.ts';
import { intactProduct, publishProduct } from './publish-product.ts';

/** Builds the day's CDF from its artifact and puts it at its place below `products`; without the folder, into the staging. */
export async function buildCdf(deps: ActivityDependencies, attempt: DayAttempt): Promise<StageResult> {
  if (deps.staging?.side === 'builder') return await buildStaged(deps, deps.staging, attempt);
  return await withHeartbeat(async (signal, tell) => {
    const startedAt = performance.now();
    const { product, day, options } = attempt.input;
    const stage = stageAttempt(attempt, 'build');
    await deps.ledger.openStage(stage);
    await deps.telemetry.flush();
    const facts = (await deps.ledger.dayFacts(product, day, day, null))[0];
    const input = await inputOf(deps, attempt, facts);
    const existing = await intactProduct(facts, input.sha256, options.profile);
    const row = existing ?? (await makeProduct());
    return await closeBuild(deps, attempt, row, input.path, secondsSince(startedAt));

    async function makeProduct(): Promise<ArtifactRow> {
      const temporary = temporaryName(join(deps.workspace.products, `${day}.cdf`));
      try {
        const built = await buildFile(deps, attempt, input, facts?.productFile ?? null, temporary, { signal, tell });
        return await publishProduct(deps, attempt, facts, temporary, built);
      } finally {
        await rm(temporary, { force: true });
      }
    }
  }, asTold);
}

/** The closing word on a build whose product is at its place. */
export async function closeBuild(
  deps: ActivityDependencies,
  attempt: DayAttempt,
  { path, sizeBytes, sha256, records }: ArtifactRow,
  inputPath: string,
  seconds: number,
): Promise<StageResult> {
  const { day } = attempt.input;
  await deps.ledger.closeStage(stageAttempt(attempt, 'build'), {
    status: 'PROCESSED',
    seconds,
    sizeBytes,
    path,
    inputPath,
  });
  crashPoint('cdf-closed');
  await deps.telemetry.flush();
  deps.log.info({ day, path, sizeBytes, seconds }, 'day PROCESSED');
  return { seconds, productBytes: sizeBytes, productPath: path, productSha256: sha256, records };
}

/** The file that planning meant: the ledger's artifact, or in `process` mode what lies in the folder. */
export async function inputOf(
  deps: ActivityDependencies,
  { input }: DayAttempt,
  facts: DayFacts | undefined,
): Promise<PresentInput> {
  const { ledger, workspace: folders } = deps;
  const found = facts && (await presentInput({ ledger, folders }, input.options.mode, input.product, facts));
  if (found) return found;
  throw new PipelineError('input_invalid', `No input file for ${input.day} in ${folders.downloads}.`, {
    hint: `Put the day's ${parseProductSlug(input.product).format} file there, or run "reachback download" for the day first.`,
  });
}
