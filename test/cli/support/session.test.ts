/** Which of a workspace's locks a session takes, and when. */
import { access } from 'node:fs/promises';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { openOwnSession, openServerSession, requireWorkers, workerLock } from '../../../src/cli/support/session.ts';
import type { ReachbackClient } from '../../../src/client.ts';
import { readEnvironment } from '../../../src/config.ts';
import { checkRateConfig } from '../../../src/core/rate/config.ts';
import { removeEmbeddedInfo, writeEmbeddedInfo } from '../../../src/storage/embedded-file.ts';
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

test('SAFE-3: who comes second is told whether to wait for the end of the first, or for its server, or only to repeat the command', async () => {
  const workspace = await openWorkspace({ dir: await temporaryFolder() });
  const { lockPath, root } = workspace;
  const first = await acquireLock({ path: lockPath, subject: root, command: 'reachback dev' });
  const refused = async (): Promise<string> => {
    const environment = readEnvironment({}, root);
    const error: unknown = await openServerSession(workspace, environment, 'reachback run', {}).catch(
      (e: unknown) => e,
    );
    expect(error).toMatchObject({ kind: 'config_invalid', context: { pid: process.pid, command: 'reachback dev' } });
    return (error as { hint: string }).hint;
  };
  expect(await refused()).toContain('about to start or to stop its server: repeat the command in some seconds');
  const server = { address: '127.0.0.1:1', uiUrl: '', pid: process.pid, startedAt: new Date().toISOString() };
  await writeEmbeddedInfo(workspace, { ...server, shared: true });
  expect(await refused()).toContain('takes commands by now: repeat this one');
  await writeEmbeddedInfo(workspace, { ...server, shared: false });
  expect(await refused()).toContain('Wait until it has finished');
  await removeEmbeddedInfo(workspace);
  first.release();
});

test('work is given to a worker that begins to poll while it is looked for, and refused where there is none', async () => {
  const workspace = { ...(await openWorkspace({ dir: await temporaryFolder() })), name: 'ws-1f2e' };
  const answers = [
    { main: false, download: false, build: false },
    { main: true, download: false, build: true },
    { main: true, download: true, build: true },
  ];
  const workersPolling = (name: string) => {
    expect(name).toBe('ws-1f2e');
    return Promise.resolve(answers.length > 1 ? answers.shift() : answers[0]);
  };
  const session = { client: { workersPolling } as unknown as ReachbackClient };
  const stay = new AbortController();
  await expect(requireWorkers(session, workspace, stay.signal, { looks: 3, everyMs: 0 })).resolves.toBeUndefined();
  answers.unshift({ main: true, download: false, build: true }, { main: true, download: false, build: false });
  await expect(requireWorkers(session, workspace, stay.signal, { looks: 2, everyMs: 0 })).rejects.toMatchObject({
    kind: 'config_invalid',
    message: 'No worker polls for the workspace ws-1f2e (missing: download, build).',
    hint: expect.stringContaining(`reachback worker --workspace ${workspace.root}`),
  });
});

test('CLI-9: an interrupt ends the look for workers at once', async () => {
  const workspace = { ...(await openWorkspace({ dir: await temporaryFolder() })), name: 'ws-1f2e' };
  const leave = new AbortController();
  let looks = 0;
  const workersPolling = () => {
    looks += 1;
    setImmediate(() => leave.abort());
    return Promise.resolve({ main: false, download: false, build: false });
  };
  const session = { client: { workersPolling } as unknown as ReachbackClient };
  await expect(requireWorkers(session, workspace, leave.signal)).resolves.toBeUndefined();
  expect(looks).toBe(2);
});
