/** Which of a workspace's locks a session takes, and when. */
import { access } from 'node:fs/promises';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { openOwnSession, workerLock } from '../../../src/cli/support/session.ts';
import { readEnvironment } from '../../../src/config.ts';
import { checkRateConfig } from '../../../src/core/rate/config.ts';
import { acquireLock, inspectLock } from '../../../src/storage/lock.ts';
import { openWorkspace } from '../../../src/storage/workspace.ts';
import { temporaryFolder } from '../../storage/temporary-folder.ts';

test('SAFE-3: a run beside another worker of the workspace is refused before it starts a server, and holds nothing then', async () => {
  const workspace = await openWorkspace({ dir: await temporaryFolder() });
  const other = await acquireLock(workerLock(workspace, 'reachback worker'));
  const environment = readEnvironment({ TEMPORAL_CLI_PATH: '/nowhere/temporal' }, workspace.root);
  const flags = { environment, token: null, pacing: checkRateConfig(), awsRegion: null };
  const open = () => openOwnSession(workspace, flags, 'reachback run', pino({ level: 'silent' }));
  await expect(open()).rejects.toThrow(`The worker of the workspace ${workspace.root} is in use by process`);
  expect(inspectLock(workspace.lockPath).held).toBe(false);
  await expect(access(workspace.temporalDatabasePath)).rejects.toThrow('ENOENT');
  other.release();
  await expect(open()).rejects.toThrow('TEMPORAL_CLI_PATH');
  expect([workspace.lockPath, workspace.workerLockPath].filter((path) => inspectLock(path).held)).toEqual([]);
});
