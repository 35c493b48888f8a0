import { chmod, mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { locateWorkspace, openWorkspace } from '../../src/storage/workspace.ts';
import { asOrdinaryUser } from './ordinary-user.ts';
import { temporaryFolder } from './temporary-folder.ts';

describe('a root workspace (design §5)', () => {
  test('has downloads, products and state below one folder', async () => {
    const root = join(await temporaryFolder(), 'data');
    const { name, ...paths } = await openWorkspace({ dir: root });
    expect(name).toMatch(/^data-[0-9a-f]{4}$/);
    expect(paths).toEqual({
      root,
      stateDir: join(root, 'state'),
      downloads: join(root, 'downloads'),
      products: join(root, 'products'),
      backups: join(root, 'products/_backup'),
      slices: join(root, 'downloads/.slices'),
      telemetryFile: join(root, 'downloads/download_telemetry.csv'),
      ledgerPath: join(root, 'state/reachback.db'),
      temporalDatabasePath: join(root, 'state/temporal.db'),
      lockPath: join(root, 'state/lock.db'),
      workerLockPath: join(root, 'state/worker-lock.db'),
      embeddedFile: join(root, 'state/embedded.json'),
      gateFile: join(root, 'state/gate.json'),
      logs: join(root, 'state/logs'),
    });
    expect((await readdir(root)).toSorted()).toEqual(['downloads', 'products', 'state']);
  });

  test('keeps its name for ever, and its open leaves no temporary file', async () => {
    const root = join(await temporaryFolder(), 'data');
    const first = await openWorkspace({ dir: root });
    expect(await openWorkspace({ dir: root })).toEqual(first);
    expect((await readdir(first.stateDir)).toSorted()).toEqual(['logs', 'workspace.json']);
  });

  test('two processes that open a new one at once agree on one name', async () => {
    const root = join(await temporaryFolder(), 'data');
    const opened = await Promise.all(Array.from({ length: 8 }, () => openWorkspace({ dir: root })));
    expect(new Set(opened.map(({ name }) => name)).size).toBe(1);
  });

  test.for([
    ['REACH archive 2025', /^reach-archive-2025-[0-9a-f]{4}$/],
    ['Übersicht/', /^u-bersicht-[0-9a-f]{4}$/],
    ['___', /^workspace-[0-9a-f]{4}$/],
    ['a'.repeat(100), /^a{40}-[0-9a-f]{4}$/],
  ] as const)('names the folder %s in kebab case', async ([folder, pattern]) => {
    const { name } = await openWorkspace({ dir: join(await temporaryFolder(), folder) });
    expect(name).toMatch(pattern);
  });

  test('CLI-22: a relative folder is meant from the working folder', async () => {
    const cwd = await temporaryFolder();
    const { root } = await locateWorkspace({ dir: './data', cwd });
    expect(root).toBe(join(cwd, 'data'));
  });
});

describe('the folders of download and process (design §5)', () => {
  test('share the state below the download folder', async () => {
    const cwd = await temporaryFolder();
    const download = await openWorkspace({ downloads: 'out', cwd });
    const process = await openWorkspace({ downloads: 'out', products: 'out_cdf', cwd });
    expect(download).toMatchObject({
      root: join(cwd, 'out'),
      downloads: join(cwd, 'out'),
      stateDir: join(cwd, 'out/.reachback'),
      telemetryFile: join(cwd, 'out/download_telemetry.csv'),
    });
    expect(process).toMatchObject({
      name: download.name,
      ledgerPath: download.ledgerPath,
      products: join(cwd, 'out_cdf'),
      backups: join(cwd, 'out_cdf/_backup'),
    });
  });

  test('download alone makes no products folder', async () => {
    const cwd = await temporaryFolder();
    await openWorkspace({ downloads: 'out', cwd });
    expect(await readdir(join(cwd, 'out'))).toEqual(['.reachback']);
  });

  test('a telemetry file elsewhere is honoured and its folder made', async () => {
    const cwd = await temporaryFolder();
    const { telemetryFile } = await openWorkspace({ downloads: 'out', telemetryFile: 'log/t.csv', cwd });
    expect(telemetryFile).toBe(join(cwd, 'log/t.csv'));
    expect(await readdir(join(cwd, 'log'))).toEqual([]);
  });

  test('the workspace command finds a download folder by its name alone', async () => {
    const cwd = await temporaryFolder();
    const download = await openWorkspace({ downloads: 'out', cwd });
    expect(await locateWorkspace({ dir: 'out', cwd })).toEqual(download);
  });
});

describe('a folder inside a workspace uses that workspace (design §5)', () => {
  test.for([['downloads'], ['downloads/2025'], ['elsewhere']])('%s as download folder', async ([folder]) => {
    const root = join(await temporaryFolder(), 'data');
    const workspace = await openWorkspace({ dir: root });
    const inside = await locateWorkspace({ downloads: join(root, folder!) });
    expect(inside).toMatchObject({
      name: workspace.name,
      stateDir: workspace.stateDir,
      downloads: join(root, folder!),
    });
  });

  test('a foreign state/workspace.json does not make a workspace', async () => {
    const root = await temporaryFolder();
    await mkdir(join(root, 'state'));
    await writeFile(join(root, 'state/workspace.json'), '{"name":"of another program"}');
    expect(await locateWorkspace({ downloads: join(root, 'out') })).toMatchObject({
      name: null,
      stateDir: join(root, 'out/.reachback'),
    });
  });
});

describe('looking is not touching (CLI-D9)', () => {
  test.for([[{ dir: 'data' }], [{ downloads: 'out', products: 'cdf' }]] as const)('%j', async ([request]) => {
    const cwd = await temporaryFolder();
    expect((await locateWorkspace({ ...request, cwd })).name).toBeNull();
    expect(await readdir(cwd)).toEqual([]);
  });
});

describe('an unusable folder is named with the reason', () => {
  test('a folder without write permission', async () => {
    const parent = await temporaryFolder();
    await chmod(parent, 0o555);
    const opening = asOrdinaryUser(() => openWorkspace({ dir: join(parent, 'data') }));
    await expect(opening).rejects.toMatchObject({
      kind: 'config_invalid',
      message: `Cannot write the state folder ${parent}/data/state: permission denied (EACCES).`,
    });
    await chmod(parent, 0o755);
  });

  test('an existing downloads folder without write permission', async () => {
    const parent = await temporaryFolder();
    await chmod(parent, 0o777);
    const { downloads } = await asOrdinaryUser(() => openWorkspace({ dir: join(parent, 'data') }));
    await chmod(downloads, 0o555);
    const again = asOrdinaryUser(() => openWorkspace({ dir: join(parent, 'data') }));
    await expect(again).rejects.toMatchObject({
      kind: 'config_invalid',
      message: expect.stringMatching(/Cannot write the downloads folder .*: permission denied \(EACCES\)\./),
    });
  });

  test('a file in the way', async () => {
    const parent = await temporaryFolder();
    await writeFile(join(parent, 'data'), 'a file');
    await expect(openWorkspace({ dir: join(parent, 'data') })).rejects.toMatchObject({
      kind: 'config_invalid',
      message: expect.stringContaining(`${parent}/data/state: a part of the path is a file, not a folder (ENOTDIR)`),
    });
    expect(await readFile(join(parent, 'data'), 'utf8')).toBe('a file');
  });

  test('a damaged name file is never replaced by a new name', async () => {
    const root = join(await temporaryFolder(), 'data');
    const { stateDir } = await openWorkspace({ dir: root });
    await writeFile(join(stateDir, 'workspace.json'), '{"reachback":');
    await expect(openWorkspace({ dir: root })).rejects.toMatchObject({
      kind: 'config_invalid',
      message: expect.stringContaining(`${stateDir}/workspace.json is damaged`),
    });
    await rm(root, { recursive: true });
  });
});
