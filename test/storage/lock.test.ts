import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { readEmbeddedInfo, removeEmbeddedInfo, writeEmbeddedInfo } from '../../src/storage/embedded-file.ts';
import { acquireLock, createTurn, inspectLock, tryAcquireLock } from '../../src/storage/lock.ts';
import { temporaryFolder } from './temporary-folder.ts';

const LOCK_MODULE = new URL('../../src/storage/lock.ts', import.meta.url).href;

async function lockPath(): Promise<string> {
  return join(await temporaryFolder(), 'lock.db');
}

function options(path: string, command = 'reachback run'): Parameters<typeof acquireLock>[0] {
  return { path, subject: 'The workspace /data', command };
}

/** Another process that holds the lock until it is killed. */
async function holderProcess(path: string): Promise<{ pid: number; kill: () => Promise<void> }> {
  const script = `
    import { acquireLock } from ${JSON.stringify(LOCK_MODULE)};
    await acquireLock(${JSON.stringify(options(path, 'reachback run --start-date 2025-09-01'))});
    console.log('held');
    setInterval(() => {}, 1000);
  `;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  };
  onTestFinished(kill);
  await once(child.stdout, 'data');
  return { pid: child.pid!, kill };
}

describe('SAFE-3: one holder at a time', () => {
  test('a second holder is refused with holder, command, start and file', async () => {
    const path = await lockPath();
    const holder = await holderProcess(path);
    await expect(acquireLock(options(path))).rejects.toMatchObject({
      kind: 'config_invalid',
      message: expect.stringMatching(
        new RegExp(
          `^The workspace /data is in use by process ${holder.pid} on \\S+ since \\d{4}-.*Z: reachback run --start-date 2025-09-01 \\(lock ${path}\\)\\.$`,
        ),
      ),
      hint: expect.stringContaining(`kill ${holder.pid}`),
    });
  });

  test('a second holder in the same process is refused too', async () => {
    const path = await lockPath();
    const lock = await acquireLock(options(path));
    await expect(acquireLock(options(path))).rejects.toMatchObject({ kind: 'config_invalid' });
    lock.release();
  });

  test('the lock of a killed holder is free at once', async () => {
    const path = await lockPath();
    const holder = await holderProcess(path);
    await holder.kill();
    expect(inspectLock(path).held).toBe(false);
    const lock = await acquireLock(options(path));
    expect(inspectLock(path)).toMatchObject({ held: true, holder: { pid: process.pid, command: 'reachback run' } });
    lock.release();
  });

  test('a killed holder is not named once another has the lock, not even before that one is', async () => {
    const path = await lockPath();
    const killed = await holderProcess(path);
    await killed.kill();
    expect(await readdir(join(path, '..'))).toContain('lock.json');
    const taking = acquireLock(options(path, 'reachback dev'));
    expect(inspectLock(path)).toEqual({ held: true, holder: null });
    const lock = await taking;
    expect(inspectLock(path).holder).toMatchObject({ pid: process.pid, command: 'reachback dev' });
    lock.release();
  });

  test('release makes it free, twice is harmless, and nothing but the lock file stays', async () => {
    const path = await lockPath();
    const lock = await acquireLock(options(path));
    lock.release();
    lock.release();
    expect(inspectLock(path)).toEqual({ held: false, holder: null });
    expect(await readdir(join(path, '..'))).toEqual(['lock.db']);
    (await acquireLock(options(path))).release();
  });

  test('of many that start at once exactly one gets it', async () => {
    const path = await lockPath();
    const attempts = await Promise.allSettled(Array.from({ length: 5 }, () => acquireLock(options(path))));
    const won = attempts.filter((attempt) => attempt.status === 'fulfilled');
    expect(won).toHaveLength(1);
    won[0]!.value.release();
  });

  test('a lock survives garbage collection', async () => {
    const path = await lockPath();
    await acquireLock(options(path));
    const gc = await collector();
    for (let round = 0; round < 5; round += 1) gc();
    expect(inspectLock(path).held).toBe(true);
  });
});

describe('a lock that several share', () => {
  test('keeps out who wants it alone, until the last has gone; and is kept out by one who has it alone', async () => {
    const path = join(await temporaryFolder(), 'lock.db');
    const shared = { ...options(path), shared: true };
    const [first, second] = [await acquireLock(shared), await acquireLock(shared)];
    await expect(acquireLock(options(path))).rejects.toMatchObject({ kind: 'config_invalid' });
    first.release();
    await expect(acquireLock(options(path))).rejects.toMatchObject({ kind: 'config_invalid' });
    second.release();
    const alone = await acquireLock(options(path));
    expect(await tryAcquireLock(shared)).toBeNull();
    alone.release();
  });
});

describe('TEL-34: a turn', () => {
  test("is one holder's until that one is gone, then the next one's who asks", async () => {
    const path = join(await temporaryFolder(), 'lock.db');
    const holder = await holderProcess(path);
    const turn = createTurn(options(path));
    expect(await turn.isOurs()).toBe(false);
    await holder.kill();
    expect(await turn.isOurs()).toBe(true);
    const other = createTurn(options(path));
    expect(await other.isOurs()).toBe(false);
    turn.release();
    expect(await other.isOurs()).toBe(true);
    other.release();
  });
});

describe('looking at a lock', () => {
  test('never keeps another from taking it', async () => {
    const path = await lockPath();
    (await acquireLock(options(path))).release();
    const script = `
      import { inspectLock } from ${JSON.stringify(LOCK_MODULE)};
      console.log('looking');
      for (const end = Date.now() + 2000; Date.now() < end;) inspectLock(${JSON.stringify(path)});
    `;
    const looker = spawn(process.execPath, ['--input-type=module', '--eval', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = once(looker, 'exit');
    await once(looker.stdout, 'data');
    for (let round = 0; round < 10; round += 1) {
      const lock = await acquireLock(options(path));
      expect(lock.path).toBe(path);
      lock.release();
    }
    looker.kill('SIGKILL');
    await ended;
  });

  test('where there is none makes none', async () => {
    const folder = await temporaryFolder();
    expect(inspectLock(join(folder, 'lock.db'))).toEqual({ held: false, holder: null });
    expect(await readdir(folder)).toEqual([]);
  });
});

describe('a lock file that cannot be used', () => {
  test('in a missing folder', async () => {
    const path = join(await temporaryFolder(), 'missing', 'lock.db');
    await expect(acquireLock(options(path))).rejects.toMatchObject({
      kind: 'config_invalid',
      message: expect.stringContaining(`The workspace /data cannot be locked: ${path}`),
    });
  });

  test('with foreign content', async () => {
    const path = await lockPath();
    await writeFile(path, 'x'.repeat(4096));
    await expect(acquireLock(options(path))).rejects.toMatchObject({
      kind: 'config_invalid',
      message: expect.stringContaining(path),
      hint: expect.stringContaining('may be deleted'),
    });
  });
});

describe('embedded.json', () => {
  const info = {
    address: '127.0.0.1:27233',
    uiUrl: 'http://127.0.0.1:28233',
    startedAt: '2025-09-01T00:00:00.000Z',
    shared: true,
  };

  test('is believed while its process holds the lock, and gone after removal', async () => {
    const folder = await temporaryFolder();
    const places = { embeddedFile: join(folder, 'embedded.json'), lockPath: join(folder, 'lock.db') };
    const lock = await acquireLock(options(places.lockPath));
    await writeEmbeddedInfo(places, { ...info, pid: process.pid });
    expect(await readEmbeddedInfo(places)).toEqual({ ...info, pid: process.pid });
    await removeEmbeddedInfo(places);
    expect(await readEmbeddedInfo(places)).toBeNull();
    lock.release();
  });

  test('left by a killed process counts for nothing, also when another holds the lock now', async () => {
    const folder = await temporaryFolder();
    const places = { embeddedFile: join(folder, 'embedded.json'), lockPath: join(folder, 'lock.db') };
    const holder = await holderProcess(places.lockPath);
    await writeEmbeddedInfo(places, { ...info, pid: holder.pid });
    expect(await readEmbeddedInfo(places)).toMatchObject({ pid: holder.pid });
    await holder.kill();
    expect(await readEmbeddedInfo(places)).toBeNull();
    const lock = await acquireLock(options(places.lockPath));
    expect(await readEmbeddedInfo(places)).toBeNull();
    lock.release();
  });

  test('left by a killed process that had the id of the present holder counts for nothing, as in containers', async () => {
    const folder = await temporaryFolder();
    const places = { embeddedFile: join(folder, 'embedded.json'), lockPath: join(folder, 'lock.db') };
    await writeEmbeddedInfo(places, { ...info, pid: process.pid });
    const lock = await acquireLock({ ...options(places.lockPath), tells: [places.embeddedFile] });
    expect(inspectLock(places.lockPath).holder).toMatchObject({ pid: process.pid });
    expect(await readEmbeddedInfo(places)).toBeNull();
    lock.release();
  });

  test('damaged counts as absent', async () => {
    const folder = await temporaryFolder();
    const places = { embeddedFile: join(folder, 'embedded.json'), lockPath: join(folder, 'lock.db') };
    await writeFile(places.embeddedFile, '{"address":');
    expect(await readEmbeddedInfo(places)).toBeNull();
  });
});

async function collector(): Promise<() => void> {
  const { setFlagsFromString } = await import('node:v8');
  const { runInNewContext } = await import('node:vm');
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}
