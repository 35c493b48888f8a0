/**
 * The REACH L1C product: from a day's artifact to a finished CDF file, and the counts of an artifact.
 *
 * Knows the records' meaning and the product's layout; knows no engine, ledger or network. README.md says where to
 * start reading. Nothing else of this folder is imported from outside.
 */
import { readdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { ArtifactFormat } from '../../core/product.ts';
import { runInThread } from './run-in-thread.ts';
import type { ArtifactCounts, BuildRequest, BuildResult, TaskHooks } from './types.ts';

export { productFileName, productKey } from './names.ts';
export type { BuildRequest, BuildResult } from './types.ts';

/**
 * Builds the product of one artifact at `request.outputPath`: whole and synced, or not at all. No day filter.
 *
 * The same request on the same input gives the same bytes. Runs in a thread.
 *
 * @throws PipelineError `input_invalid` (missing, not of its format, no usable records, several descriptors),
 *   `quarantine_exceeded`, `disk_full`; the reason of `hooks.signal` when that aborts
 */
export async function buildL1c(request: BuildRequest, hooks: TaskHooks = {}): Promise<BuildResult> {
  try {
    return (await runInThread({ kind: 'build', request }, hooks)) as BuildResult;
  } catch (error) {
    await removeTraces(request.outputPath);
    throw error;
  }
}

/**
 * Counts an artifact by reading it, with its size and SHA-256. Runs in a thread.
 *
 * @throws PipelineError `input_invalid` (missing, not of its format); the reason of `hooks.signal` when that aborts
 */
export async function countArtifact(
  path: string,
  format: ArtifactFormat,
  hooks: TaskHooks = {},
): Promise<ArtifactCounts> {
  return (await runInThread({ kind: 'count', path, format }, hooks)) as ArtifactCounts;
}

/** What a thread that could not tidy up itself has left: the file and the hidden ones the writer keeps beside it. */
async function removeTraces(outputPath: string): Promise<void> {
  const folder = dirname(outputPath);
  const hidden = `.${basename(outputPath)}.${process.pid}-`;
  const names = await readdir(folder).catch(() => []);
  const traces = names.filter((name) => name.startsWith(hidden)).map((name) => join(folder, name));
  await Promise.all([outputPath, ...traces].map((path) => rm(path, { force: true })));
}
