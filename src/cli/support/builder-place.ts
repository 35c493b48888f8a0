/** Where a build worker without the workspace's folder works: the staging names the workspace, a folder of this host is its desk. */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isPipelineError } from '../../core/errors.ts';
import { makeFolder } from '../../storage/folders.ts';
import { acquireLock, inspectLock } from '../../storage/lock.ts';
import type { HeldLock } from '../../storage/lock.ts';
import type { S3Settings } from '../../storage/s3/settings.ts';
import { Staging } from '../../storage/staging.ts';
import { locateWorkspace } from '../../storage/workspace.ts';
import type { Workspace } from '../../storage/workspace.ts';

export interface BuilderPlace {
  readonly workspace: Workspace;
  /** Empty, and this process's alone as long as the lock is held. */
  readonly scratch: string;
  readonly lock: HeldLock;
}

/**
 * @param uri - the staging, `s3://bucket/prefix`
 * @param base - folder for the desks of this host's workers, absolute
 * @throws PipelineError `config_invalid` or `storage_unavailable` when the staging does not say whose it is
 */
export async function openBuilderPlace(
  uri: string,
  base: string,
  s3: S3Settings,
  commandLine: string,
): Promise<BuilderPlace> {
  const staging = new Staging(uri, s3);
  const name = await staging.workspace().finally(() => staging.close());
  const desks = join(base, name);
  await makeFolder(desks, 'scratch');
  const { lock, folder } = await freeDesk(desks, commandLine);
  // What a killed worker left here; nothing of it is needed.
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder);
  return { workspace: { ...(await locateWorkspace({ dir: folder })), name }, scratch: folder, lock };
}

/** The first of `desk-1`, `desk-2`, … that no worker of this host has: there are never more than workers at once. */
async function freeDesk(base: string, commandLine: string): Promise<{ lock: HeldLock; folder: string }> {
  for (let desk = 1; ; desk += 1) {
    const folder = join(base, `desk-${desk}`);
    const path = `${folder}.db`;
    if (inspectLock(path).held) continue;
    try {
      return { lock: await acquireLock({ path, subject: folder, command: commandLine }), folder };
    } catch (error) {
      // Another worker was quicker.
      if (!isPipelineError(error) || !inspectLock(path).held) throw error;
    }
  }
}
