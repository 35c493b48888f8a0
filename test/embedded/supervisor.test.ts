import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { supervise } from '../../src/embedded/supervisor.ts';
import type { Supervised } from '../../src/embedded/supervisor.ts';
import { temporaryFolder } from '../storage/temporary-folder.ts';
import { startOwner } from './owner-process.ts';
import { childrenOf, field, isAlive, isGoneWithin } from './processes.ts';

/** Longer than the guards' five seconds. */
const GONE_MS = 10_000;
/** Says when it has stopped listening. */
const STUBBORN = 'trap "" TERM; echo stubborn; while :; do sleep 0.1; done';

async function stubborn(logPath: string): Promise<void> {
  await expect.poll(() => readFile(logPath, 'utf8')).toContain('stubborn');
}

async function superviseHere(command: string, ...args: string[]): Promise<Supervised & { logPath: string }> {
  const cwd = await temporaryFolder();
  const logPath = join(cwd, 'log');
  const supervised = await supervise({ command, args, cwd, env: process.env, logPath });
  onTestFinished(() => {
    if (isAlive(supervised.pid)) process.kill(supervised.pid, 'SIGKILL');
  });
  return { ...supervised, logPath };
}

describe('a supervised server (design §7)', () => {
  test('ends when asked, and its supervisor with it', async () => {
    const server = await superviseHere('sleep', '1000');
    const shell = Number(field(server.pid, 'ppid'));
    server.end();
    expect(await server.ended).toBe('signal 15');
    expect([server.pid, shell].filter((pid) => isAlive(pid))).toEqual([]);
  });

  test('is ended by force when it does not listen', async () => {
    const server = await superviseHere('/bin/sh', '-c', STUBBORN);
    await stubborn(server.logPath);
    server.end();
    expect(await server.ended).toBe('signal 9');
    expect(isAlive(server.pid)).toBe(false);
  });

  test('ends when asked although both guards are gone', async () => {
    const server = await superviseHere('sleep', '1000');
    const guards = childrenOf(Number(field(server.pid, 'ppid'))).filter((pid) => pid !== server.pid);
    expect(guards).toHaveLength(2);
    for (const guard of guards) process.kill(guard, 'SIGKILL');
    server.end();
    await server.ended;
    expect(await isGoneWithin(server.pid, GONE_MS)).toBe(true);
  });

  test.for([
    ['exit 3', 'exit code 3'],
    ['kill -9 $$', 'signal 9'],
  ] as const)('that ends by itself with "%s" is reported', async ([script, how]) => {
    const server = await superviseHere('/bin/sh', '-c', script);
    expect(await server.ended).toBe(how);
  });

  test('that cannot be started is reported, with the reason in its log', async () => {
    const server = await superviseHere('/nowhere/temporal');
    expect(await server.ended).toBe('exit code 127');
    expect(await readFile(server.logPath, 'utf8')).toContain('/nowhere/temporal');
  });

  test('is in a session of its own: Ctrl-C in the terminal does not reach it', async () => {
    const server = await superviseHere('sleep', '1000');
    expect(field(server.pid, 'sess')).not.toBe(field(process.pid, 'sess'));
    server.end();
    await server.ended;
  });

  test('whose supervising shell is killed ends, and that is told', async () => {
    const server = await superviseHere('sleep', '1000');
    process.kill(Number(field(server.pid, 'ppid')), 'SIGKILL');
    expect(await server.ended).toBe('its supervisor was ended by SIGKILL');
    expect(isAlive(server.pid)).toBe(false);
  });
});

describe('SAFE-10: nothing is left when the owner is killed with -9', () => {
  test('server, supervisor and guards are gone', async () => {
    const owner = await startOwner('supervise', await temporaryFolder(), 'sleep', '1000');
    const family = [owner.shellPid, ...childrenOf(owner.shellPid)];
    expect(family).toContain(owner.serverPid);
    expect(family).toHaveLength(4);
    await owner.kill();
    for (const pid of family) expect(await isGoneWithin(pid, GONE_MS)).toBe(true);
  });

  test('also when the supervising shell was killed with it', async () => {
    const owner = await startOwner('supervise', await temporaryFolder(), 'sleep', '1000');
    const family = [owner.shellPid, ...childrenOf(owner.shellPid)];
    owner.process.kill('SIGSTOP');
    process.kill(owner.shellPid, 'SIGKILL');
    await owner.kill();
    for (const pid of family) expect(await isGoneWithin(pid, GONE_MS)).toBe(true);
  });

  test.for([0, 1])('also when guard %d was killed before', async (index) => {
    const owner = await startOwner('supervise', await temporaryFolder(), 'sleep', '1000');
    const guards = childrenOf(owner.shellPid).filter((pid) => pid !== owner.serverPid);
    process.kill(guards[index]!, 'SIGKILL');
    await owner.kill();
    expect(await isGoneWithin(owner.serverPid, GONE_MS)).toBe(true);
    expect(await isGoneWithin(owner.shellPid, GONE_MS)).toBe(true);
  });

  test('also when the server does not listen to TERM', async () => {
    const folder = await temporaryFolder();
    const owner = await startOwner('supervise', folder, '/bin/sh', '-c', STUBBORN);
    await stubborn(join(folder, 'log'));
    await owner.kill();
    expect(await isGoneWithin(owner.serverPid, GONE_MS)).toBe(true);
  });

  test('nor when it is ended by SIGTERM', async () => {
    const owner = await startOwner('supervise', await temporaryFolder(), 'sleep', '1000');
    owner.process.kill('SIGTERM');
    await once(owner.process, 'exit');
    expect(await isGoneWithin(owner.serverPid, GONE_MS)).toBe(true);
  });
});
