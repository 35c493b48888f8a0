/**
 * A store made anew beside the present one, checked, and put in its place. Every step may be done again.
 *
 * A folder is swapped by two renames: for the moment between them there is none under the name; the former one is removed after
 * that. A bucket has no renames: there the new store's objects are copied into the place by the server (ADR 0022).
 */
import { access, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { PipelineError } from '../../core/errors.ts';
import { takePlaceOf, verifyStore } from '../../products/reach-zarr/index.ts';
import { GROUP_KEY } from '../../formats/zarr/index.ts';
import type { ObjectStore } from '../../formats/zarr/index.ts';
import { syncFolder } from '../../storage/atomic-file.ts';
import type { ActivityDependencies } from '../dependencies.ts';
import { withHeartbeat } from '../heartbeat.ts';
import type { StageHeartbeat } from '../../core/backfill/types.ts';

/** Findings that are told one by one. */
const TOLD = 3;

/** Clears the place of the new store. @returns its URI */
export async function prepareZarrRebuild(deps: ActivityDependencies, store: string): Promise<string> {
  return await withHeartbeat(async () => {
    const uri = beside(store, 'rebuild');
    await removeStore(deps.zarrStoreAt(uri), uri);
    await deps.ledger.forgetZarrDays(uri);
    return uri;
  });
}

/** Checks the new store and puts it in the place of the present one. @throws PipelineError `checksum_mismatch` */
export async function finishZarrRebuild(deps: ActivityDependencies, store: string): Promise<void> {
  await withHeartbeat(async (signal, tell) => {
    const uri = beside(store, 'rebuild');
    const fresh = deps.zarrStoreAt(uri);
    // Its group's document is the first thing that goes once it is in place.
    if ((await fresh.get(GROUP_KEY)) !== null) {
      await check(deps, uri, signal, tell);
      if (store.startsWith('file:')) await swapFolders(store);
      else {
        // A sync of a place that was left half way writes every day.
        await deps.ledger.forgetZarrDays(store);
        const onObject = (done: number, total: number): void => tell({ phase: 'putting in place', done, total });
        await takePlaceOf(deps.zarrStoreAt(store), fresh, { onObject, signal });
        await fresh.delete(GROUP_KEY);
      }
    }
    await deps.ledger.renameZarrStore(uri, store);
    if (store.startsWith('file:')) await rm(pathBeside(store, 'former'), { recursive: true, force: true });
    else await removeStore(fresh, uri);
  });
}

async function check(
  deps: ActivityDependencies,
  uri: string,
  signal: AbortSignal,
  tell: (progress: StageHeartbeat) => void,
): Promise<void> {
  const days = await deps.ledger.zarrDays(uri);
  let done = 0;
  const onDay = (): void => tell({ phase: 'checking days', done: (done += 1), total: days.length });
  const fresh = deps.zarrStoreAt(uri);
  const findings = await verifyStore(fresh, days, { signal, onDay });
  if (findings.length === 0) return;
  const told = findings.slice(0, TOLD).map(({ where, message }) => `${where} ${message}`);
  throw new PipelineError(
    'checksum_mismatch',
    `The new store ${fresh.location} is not as it was written: ${told.join('; ')}.`,
    {
      hint: 'The present store was not touched. Check the disk, then run "reachback zarr rebuild" again.',
    },
  );
}

async function swapFolders(store: string): Promise<void> {
  const [path, former] = [fileURLToPath(store), pathBeside(store, 'former')];
  if (await exists(path)) {
    await rm(former, { recursive: true, force: true });
    await rename(path, former);
  }
  await rename(pathBeside(store, 'rebuild'), path);
  await syncFolder(dirname(path));
}

async function removeStore(store: ObjectStore, uri: string): Promise<void> {
  if (uri.startsWith('file:')) await rm(fileURLToPath(uri), { recursive: true, force: true });
  // What is removed first must not look like a store to anybody who comes after a kill.
  await store.delete(GROUP_KEY);
  for await (const { key } of store.list('')) await store.delete(key);
}

function beside(store: string, what: 'rebuild'): string {
  if (store.startsWith('file:')) return pathToFileURL(pathBeside(store, what)).href;
  const at = store.lastIndexOf('/') + 1;
  return `${store.slice(0, at)}.${store.slice(at)}.${what}`;
}

function pathBeside(store: string, what: 'rebuild' | 'former'): string {
  const path = fileURLToPath(store);
  return join(dirname(path), `.${basename(path)}.${what}`);
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
