import { relative, sep } from 'node:path';
import { PipelineError } from '../core/errors.ts';
import type { Day } from '../core/time/day.ts';
import { crashPoint } from '../storage/crash-point.ts';
import type { DeliveryResult } from '../storage/destination.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { secondsSince, stageAttempt } from './dependencies.ts';
import { withHeartbeat } from './heartbeat.ts';
import type { DayAttempt, StageResult } from './types.ts';

/** Delivers the day's product and records the delivery. The destination makes it exactly once: same content, no transfer. */
export async function uploadProduct(deps: ActivityDependencies, attempt: DayAttempt): Promise<StageResult> {
  return await withHeartbeat(async (signal, tell) => {
    const startedAt = performance.now();
    const { product, day, options } = attempt.input;
    if (options.uploadTo === null) {
      throw new PipelineError('invariant_broken', `Day ${day} has an upload stage but no destination.`);
    }
    const stage = stageAttempt(attempt, 'upload');
    await deps.ledger.openStage(stage);
    await deps.telemetry.flush();
    const [facts] = await deps.ledger.dayFacts(product, day, day, options.uploadTo);
    const file = facts?.productFile;
    if (!file) {
      throw new PipelineError('input_invalid', `Day ${day} has no product to deliver.`, {
        hint: 'Run the same command again: the product is built first.',
      });
    }
    // The product stands at its key below the products folder (S3-3).
    const key = relative(deps.workspace.products, file.path).split(sep).join('/');
    const { path: sourcePath, sizeBytes, sha256 } = file;
    const destination = deps.destinationAt(options.uploadTo);
    const onProgress = (done: number): void =>
      tell({ phase: `delivering to ${destination.base}`, done, total: sizeBytes });
    onProgress(0);
    const { replace = false, backupPrefix } = options;
    const delivered = await destination.deliver(
      {
        sourcePath,
        sizeBytes,
        sha256,
        key,
        owner: product,
        replace,
        ...(backupPrefix !== undefined && { backupPrefix }),
      },
      { signal, onProgress },
    );
    tellReplaced(deps, day, delivered);
    tell({ phase: 'delivered', done: sizeBytes, total: sizeBytes });

    const seconds = secondsSince(startedAt);
    const deliveredAt = new Date().toISOString();
    await deps.ledger.putDelivery({ product, day, destination: options.uploadTo, key, sizeBytes, sha256, deliveredAt });
    crashPoint('upload-recorded');
    await deps.ledger.closeStage(stage, { status: 'UPLOADED', seconds, ...destination.recordedAs(key) });
    crashPoint('upload-closed');
    await deps.telemetry.flush();
    deps.log.info({ day, uri: delivered.uri, status: delivered.status, seconds }, 'day UPLOADED');
    return { seconds, productBytes: sizeBytes, productPath: sourcePath, deliveredTo: delivered.uri };
  });
}

function tellReplaced(
  { log }: ActivityDependencies,
  day: Day,
  { status, uri, backupPath, warning }: DeliveryResult,
): void {
  if (warning !== undefined) log.warn({ day, uri }, warning);
  else if (status === 'replaced') log.info({ day, uri, backupPath }, 'the former content was replaced and is kept');
}
