/**
 * A store made anew beside the present one, checked, and put in its place by two renames: for the moment between them there is
 * none under the name. The former one is removed after that. Every step may be done again.
 */
import { access, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { PipelineError } from '../../core/errors.ts';
import { verifyStore } from '../../products/reach-zarr/index.ts';
import { syncFolder } from '../../storage/atomic-file.ts';
import type { ActivityDependencies } from '../dependencies.ts';
import { withHeartbeat } from '../heartbeat.ts';

/** Findings that are told one by one. */
const TOLD = 3;

/** Clears the place of the new store. @returns its URI */
export async function prepareZarrRebuild(deps: ActivityDependencies, store: string): Promise<string> {
  return await withHeartbeat(async () => {
    if (!store.startsWith('file:')) {
      throw new PipelineError('config_invalid', `${store} cannot be rebuilt in its place: a bucket has no renames.`, {
        hint: 'Make a new store under another prefix with "reachback zarr sync", let readers change over, then remove the old one.',
      });
    }
    const fresh = beside(store, 'rebuild');
    await rm(fresh, { recursive: true, force: true });
    const uri = pathToFileURL(fresh).href;
    await deps.ledger.forgetZarrDays(uri);
    return uri;
  });
}

/** Checks the new store and puts it in the place of the present one. @throws PipelineError `checksum_mismatch` */
export async function finishZarrRebuild(deps: ActivityDependencies, store: string): Promise<void> {
  await withHeartbeat(async (signal, tell) => {
    const [path, fresh, former] = [fileURLToPath(store), beside(store, 'rebuild'), beside(store, 'former')];
    const uri = pathToFileURL(fresh).href;
    if (await exists(fresh)) {
      const days = await deps.ledger.zarrDays(uri);
      let done = 0;
      const onDay = (): void => tell({ phase: 'checking days', done: (done += 1), total: days.length });
      const findings = await verifyStore(deps.zarrStoreAt(uri), days, { signal, onDay });
      if (findings.length > 0) {
        const told = findings.slice(0, TOLD).map(({ where, message }) => `${where} ${message}`);
        throw new PipelineError(
          'checksum_mismatch',
          `The new store ${fresh} is not as it was written: ${told.join('; ')}.`,
          {
            hint: 'The present store was not touched. Check the disk, then run "reachback zarr rebuild" again.',
          },
        );
      }
      if (await exists(path)) {
        await rm(former, { recursive: true, force: true });
        await rename(path, former);
      }
      await rename(fresh, path);
      await syncFolder(dirname(path));
    }
    await deps.ledger.renameZarrStore(uri, store);
    await rm(former, { recursive: true, force: true });
  });
}

function beside(store: string, what: 'rebuild' | 'former'): string {
  const path = fileURLToPath(store);
  return join(dirname(path), `.${basename(path)}.${what}`);
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
