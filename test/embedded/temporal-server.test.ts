import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, chmod, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import Database from 'better-sqlite3';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { startEmbedded } from '../../src/embedded/index.ts';
import { isPortFree } from '../../src/embedded/ports.ts';
import { ensureTemporalBinary } from '../../src/embedded/temporal-binary.ts';
import { startTemporalServer } from '../../src/embedded/temporal-server.ts';
import type { EmbeddedServer, TemporalServerOptions } from '../../src/embedded/temporal-server.ts';
import { readEmbeddedInfo } from '../../src/storage/embedded-file.ts';
import { acquireLock } from '../../src/storage/lock.ts';
import { openWorkspace } from '../../src/storage/workspace.ts';
import { temporaryFolder } from '../storage/temporary-folder.ts';
import { startOwner } from './owner-process.ts';
import { field, isAlive, isGoneWithin } from './processes.ts';

const GONE_MS = 10_000;
const WORKFLOW_ID = 'backfill/data-0000/reach-all/quicklook/2025-09-01..2025-09-02';

const { path: binary } = await ensureTemporalBinary(process.env);

async function start(folder: string, options: Partial<TemporalServerOptions> = {}): Promise<EmbeddedServer> {
  const server = await startTemporalServer({
    binary,
    databasePath: join(folder, 'temporal.db'),
    logPath: join(folder, 'log'),
    ...options,
  });
  onTestFinished(() => server.stop());
  return server;
}

async function connect(address: string): Promise<Client> {
  const connection = await Connection.connect({ address, connectTimeout: '20s' });
  onTestFinished(() => connection.close());
  return new Client({ connection });
}

/** Starts a workflow that no worker takes: it stays in the server's data. */
async function leaveAWorkflow(client: Client): Promise<void> {
  await client.workflow.start('backfillRange', { workflowId: WORKFLOW_ID, taskQueue: 'none' });
}

async function statusOf(client: Client): Promise<string> {
  return (await client.workflow.getHandle(WORKFLOW_ID).describe()).status.name;
}

/** Starts a server in a process of its own, which is killed with -9 as soon as a file is there. */
async function killOwner(folder: string, program: string, file: string): Promise<void> {
  const owner = fileURLToPath(new URL('./owner.ts', import.meta.url));
  const child = spawn(process.execPath, [owner, 'server', folder, program], { stdio: 'ignore' });
  onTestFinished(() => void child.kill('SIGKILL'));
  await vi.waitFor(() => access(file), { timeout: GONE_MS });
  child.kill('SIGKILL');
  await once(child, 'exit');
}

describe('the embedded server (design §7)', () => {
  test('answers after the start and is gone after the stop, ports included', async () => {
    const server = await start(await temporaryFolder());
    const client = await connect(server.address);
    await leaveAWorkflow(client);
    const page = await fetch(server.uiUrl);
    expect(page.status).toBe(200);
    await page.text();
    const shell = Number(field(server.pid, 'ppid'));
    await server.stop();
    await server.stop();
    expect([server.pid, shell].filter((pid) => isAlive(pid))).toEqual([]);
    expect(await isPortFree(Number(server.address.split(':')[1]))).toBe(true);
    expect(await isPortFree(Number(new URL(server.uiUrl).port))).toBe(true);
  });

  test('starts where a kill left a database half made, as the server itself would not', async () => {
    const folder = await temporaryFolder();
    const half = new Database(join(folder, 'half.db'));
    half.exec('CREATE TABLE schema_version (version_partition INT)').close();
    const killed = await script(
      folder,
      `while [ "$1" != --db-filename ]; do shift; done; cp ${folder}/half.db "$2"; : > ${folder}/begun; exec sleep 600`,
    );
    await killOwner(folder, killed, join(folder, 'begun'));
    const server = await start(folder);
    await leaveAWorkflow(await connect(server.address));
    await server.stop();
    const again = await start(folder);
    expect(await statusOf(await connect(again.address))).toBe('RUNNING');
  });

  test('keeps its data over a stop, with a year of retention and our search attributes each time', async () => {
    const folder = await temporaryFolder();
    for (const round of [1, 2]) {
      const server = await start(folder);
      const client = await connect(server.address);
      if (round === 1) await leaveAWorkflow(client);
      expect(await statusOf(client)).toBe('RUNNING');
      const { config } = await client.workflowService.describeNamespace({ namespace: 'default' });
      expect(Number(config?.workflowExecutionRetentionTtl?.seconds)).toBe(365 * 86_400);
      const { customAttributes } = await client.connection.operatorService.listSearchAttributes({
        namespace: 'default',
      });
      expect(Object.keys(customAttributes)).toEqual(
        expect.arrayContaining(['ReachbackProduct', 'ReachbackDay', 'ReachbackState', 'ReachbackFailedDays']),
      );
      await server.stop();
    }
  });

  test('killed with -9 it is restarted at the same address with the same data', async () => {
    const { promise: restart, resolve: onRestart } = Promise.withResolvers<string>();
    const server = await start(await temporaryFolder(), { onRestart });
    const client = await connect(server.address);
    await leaveAWorkflow(client);
    const { pid, address } = server;
    process.kill(pid, 'SIGKILL');
    expect(await restart).toBe('signal 9');
    expect(server.pid).not.toBe(pid);
    expect(server.address).toBe(address);
    expect(await statusOf(await connect(address))).toBe('RUNNING');
    await server.stop();
    expect(isAlive(server.pid)).toBe(false);
  });

  test('also when its supervising shell is killed, and the former server is gone', async () => {
    const { promise: restart, resolve: onRestart } = Promise.withResolvers<string>();
    const server = await start(await temporaryFolder(), { onRestart });
    const { pid } = server;
    process.kill(Number(field(pid, 'ppid')), 'SIGKILL');
    expect(await restart).toContain('supervisor');
    expect(isAlive(pid)).toBe(false);
    expect(isAlive(server.pid)).toBe(true);
  });

  test('that keeps dying is given up after three restarts, once', async () => {
    const lost: string[] = [];
    const folder = await temporaryFolder();
    // Runs well once; then every start of it is killed at once.
    const mortal = await script(
      folder,
      `echo start >>${folder}/starts; [ -e ${folder}/second ] && kill -9 $$; : >${folder}/second; exec ${binary} "$@"`,
    );
    const server = await start(folder, { binary: mortal, onLost: (reason) => lost.push(reason) });
    process.kill(server.pid, 'SIGKILL');
    await expect.poll(() => lost).toHaveLength(1);
    expect(await readFile(join(folder, 'starts'), 'utf8')).toBe('start\n'.repeat(4));
    expect(lost[0]).toMatch(/ended 4 times within a minute \(signal 9\); see .*log/);
    expect(isAlive(server.pid)).toBe(false);
    await server.stop();
  });

  test('a stop during a restart ends it too', async () => {
    const server = await start(await temporaryFolder());
    process.kill(server.pid, 'SIGKILL');
    await sleep(60);
    await server.stop();
    expect(isAlive(server.pid)).toBe(false);
    expect(await isPortFree(Number(server.address.split(':')[1]))).toBe(true);
  });
});

describe('SAFE-10: a server without its owner', () => {
  test('ends within seconds after kill -9, and its data can be used again', async () => {
    const folder = await temporaryFolder();
    const owner = await startOwner('server', folder, binary);
    await leaveAWorkflow(await connect(owner.address!));
    await owner.kill();
    expect(await isGoneWithin(owner.serverPid, GONE_MS)).toBe(true);
    expect(await isGoneWithin(owner.shellPid, GONE_MS)).toBe(true);
    const server = await start(folder);
    expect(await statusOf(await connect(server.address))).toBe('RUNNING');
  });

  test('does not keep an owner from ending, and ends with it', async () => {
    const owner = await startOwner('server-then-end', await temporaryFolder(), binary);
    const [code] = owner.process.exitCode === null ? await once(owner.process, 'exit') : [owner.process.exitCode];
    expect(code).toBe(0);
    expect(await isGoneWithin(owner.serverPid, GONE_MS)).toBe(true);
  });
});

describe('a start that cannot work', () => {
  test('a given port that is taken is named', async () => {
    const blocker = createServer().listen(0, '127.0.0.1');
    await once(blocker, 'listening');
    onTestFinished(() => void blocker.close());
    const { port } = blocker.address() as { port: number };
    for (const options of [{ port }, { uiPort: port }]) {
      await expect(start(await temporaryFolder(), options)).rejects.toMatchObject({
        kind: 'config_invalid',
        message: `Port ${port} on 127.0.0.1 is taken by another program.`,
      });
    }
  });

  test('a port that was taken at the last moment is replaced by another', async () => {
    const folder = await temporaryFolder();
    const wrapper = await script(
      folder,
      `[ -e ${folder}/second ] && exec ${binary} "$@"; : > ${folder}/second; echo "bind: address already in use" >&2; exit 1`,
    );
    const server = await start(folder, { binary: wrapper });
    await leaveAWorkflow(await connect(server.address));
    expect(isAlive(server.pid)).toBe(true);
  });

  test('a damaged database is told with the end of the log and what to do', async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'temporal.db'), 'x'.repeat(8192));
    await expect(start(folder)).rejects.toMatchObject({
      kind: 'config_invalid',
      message: expect.stringMatching(
        /^The embedded Temporal server did not start \(exit code 1\)\.\n.*not a database/s,
      ),
      hint: expect.stringContaining(`${folder}/temporal.db`),
    });
  });

  test('a binary that ends at once is told', async () => {
    const folder = await temporaryFolder();
    const broken = await script(folder, 'echo "Illegal instruction" >&2; exit 132');
    await expect(start(folder, { binary: broken })).rejects.toMatchObject({
      kind: 'config_invalid',
      message: 'The embedded Temporal server did not start (signal 4).\nIllegal instruction',
    });
  });
});

describe("a workspace's server", () => {
  test('is found through embedded.json while it runs, and no longer after the stop', async () => {
    const workspace = await openWorkspace({ dir: join(await temporaryFolder(), 'data') });
    const lock = await acquireLock({ path: workspace.lockPath, subject: 'The workspace', command: 'test' });
    onTestFinished(() => lock.release());
    const server = await startEmbedded(workspace, { environment: process.env, shared: true });
    onTestFinished(() => server.stop());
    expect(server.binary.version).toMatch(/^temporal version \d/);
    const { address, uiUrl } = server;
    expect(await readEmbeddedInfo(workspace)).toMatchObject({ address, uiUrl, pid: process.pid, shared: true });
    await leaveAWorkflow(await connect(server.address));
    await server.stop();
    expect(await readEmbeddedInfo(workspace)).toBeNull();
  });

  test('knows no secret of our environment', async () => {
    process.env['BASICAUTH'] = 'dG9rZW4tb2YtdGhlLXRlc3Q=';
    onTestFinished(() => void delete process.env['BASICAUTH']);
    const folder = await temporaryFolder();
    const wrapper = await script(folder, `env > ${folder}/env; exec ${binary} "$@"`);
    await start(folder, { binary: wrapper });
    expect(await readFile(join(folder, 'env'), 'utf8')).not.toContain('dG9rZW4');
  });
});

async function script(folder: string, body: string): Promise<string> {
  const path = join(folder, 'binary');
  await writeFile(path, `#!/bin/sh\n${body}\n`);
  await chmod(path, 0o755);
  return path;
}
