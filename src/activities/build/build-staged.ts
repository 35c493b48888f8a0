import { randomBytes } from 'node:crypto';
import { rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { SOFTWARE } from '../../core/version.ts';
import { crashPoint } from '../../storage/crash-point.ts';
import type { Staging } from '../../storage/staging.ts';
import type { ActivityDependencies, BuilderStaging } from '../dependencies.ts';
import { secondsSince, stageAttempt } from '../dependencies.ts';
import { withHeartbeat } from '../heartbeat.ts';
import type { DayAttempt, StageResult } from '../types.ts';
import { buildFile } from './build-file.ts';
import { noteKey, productFile, readNote, stagedInputOf } from './staged.ts';
import type { BuiltNote } from './staged.ts';
import { versionOf } from './version.ts';

/**
 * A build on a host without the workspace's folder: fetches the day's file, builds, and stages the product with its
 * manifest. Its place, its row and the closing word are `takeProduct`'s, on the host of the folder. Nothing stays here.
 */
export async function buildStaged(
  deps: ActivityDependencies,
  { area, scratch }: BuilderStaging,
  attempt: DayAttempt,
): Promise<StageResult> {
  // Of the three steps only the build is a thread's, which must be heard (see `withHeartbeat`).
  let isBuilding = false;
  return await withHeartbeat(
    async (signal, tell) => {
      const startedAt = performance.now();
      const { product, day } = attempt.input;
      await deps.ledger.openStage(stageAttempt(attempt, 'build'));
      const staged = stagedInputOf(attempt);
      const [facts] = await deps.ledger.dayFacts(product, day, day, null);
      const former = facts?.productFile ?? null;
      const key = noteKey(attempt, staged.sha256, await versionOf(deps.ledger, attempt, former, staged.sha256));
      const known = readNote(await area.getNote(key), attempt, staged.sha256);
      if (known && (await isStaged(area, attempt, known))) return resultOf(known, secondsSince(startedAt));

      // A folder of its own: what a killed one leaves is removed at the worker's next start.
      const folder = join(scratch, `${day}-${randomBytes(4).toString('hex')}`);
      try {
        const path = join(folder, basename(staged.key));
        const total = staged.sizeBytes;
        tell({ phase: `fetching from ${area.base}`, done: 0, total });
        await area.fetch(staged, path, {
          signal,
          onProgress: (done) => tell({ phase: `fetching from ${area.base}`, done, total }),
        });
        const { mtimeMs } = await stat(path);
        const output = join(folder, `${day}.cdf`);
        isBuilding = true;
        const { manifest } = await buildFile(deps, attempt, { ...staged, path, mtimeMs }, former, output, { signal, tell });
        isBuilding = false;
        tell({ phase: `staging at ${area.base}`, done: 0, total: manifest.sizeBytes });
        await area.put(productFile(attempt, manifest), output, { signal });
        crashPoint('product-staged');
        const note: BuiltNote = { manifest: { ...manifest, inputFile: basename(path) }, seconds: secondsSince(startedAt) };
        await area.putNote(key, note);
        crashPoint('product-noted');
        deps.log.info({ day, sizeBytes: manifest.sizeBytes, seconds: note.seconds }, 'day built and staged');
        return resultOf(note, note.seconds);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
    (sinceToldMs) => (isBuilding ? sinceToldMs : 0),
  );
}

/** Whether an earlier try, of this program's version, got as far as that. */
async function isStaged(area: Staging, attempt: DayAttempt, { manifest }: BuiltNote): Promise<boolean> {
  if (manifest.writer !== SOFTWARE.reach) return false;
  const found = await area.look(productFile(attempt, manifest).key);
  return found?.sizeBytes === manifest.sizeBytes && found.sha256 === manifest.sha256;
}

function resultOf({ manifest }: BuiltNote, seconds: number): StageResult {
  return {
    seconds,
    productBytes: manifest.sizeBytes,
    productSha256: manifest.sha256,
    records: manifest.records,
  };
}
