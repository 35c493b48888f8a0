import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmod, copyFile, mkdir, open, readdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { temporaryFolder } from '../storage/temporary-folder.ts';

const PROJECT = fileURLToPath(new URL('../../', import.meta.url));

interface Result {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A project that holds nothing but the start script and a command line that shows how it was called. */
async function project(name = 'project'): Promise<string> {
  const root = join(await temporaryFolder(), name);
  for (const folder of ['bin', 'src/cli']) await mkdir(join(root, folder), { recursive: true });
  await copyFile(join(PROJECT, 'bin/reachback'), join(root, 'bin/reachback'));
  await chmod(join(root, 'bin/reachback'), 0o755);
  await writeFile(
    join(root, 'src/cli/main.ts'),
    'const call: object = { node: process.version, arguments: process.argv.slice(2), cwd: process.cwd() };\nconsole.log(JSON.stringify(call));\nprocess.exitCode = 7;\n',
  );
  return root;
}

/** Runs it in a shell that knows no Node. */
function run(command: string, args: readonly string[] = [], cwd = '/'): Result {
  return spawnSync(command, args, { cwd, encoding: 'utf8', env: { PATH: '/usr/bin:/bin' } });
}

describe('bin/reachback', () => {
  test('runs Node 24 of the project from any folder, with the arguments and the exit code as they are', async () => {
    const root = await project();
    await symlink(join(PROJECT, 'node_modules'), join(root, 'node_modules'));
    const { status, stdout, stderr } = run(join(root, 'bin/reachback'), ['run', 'a b', '', '--x=$HOME'], '/tmp');
    expect(JSON.parse(stdout)).toEqual({
      node: expect.stringMatching(/^v24\./),
      arguments: ['run', 'a b', '', '--x=$HOME'],
      cwd: '/tmp',
    });
    expect({ status, stderr }).toEqual({ status: 7, stderr: '' });
  });

  test.for([
    ['an absolute link', (root: string) => join(root, 'bin/reachback')],
    ['a relative link', (root: string) => `../${root.split('/').at(-1)}/bin/reachback`],
  ] as const)('is found through %s, also one to it, also with spaces in its path', async ([, target]) => {
    const root = await project('a project');
    await symlink(join(PROJECT, 'node_modules'), join(root, 'node_modules'));
    const links = join(dirname(root), 'my bin');
    await mkdir(links);
    await symlink(target(root), join(links, 'reachback'));
    await symlink('reachback', join(links, 'rb'));
    expect(run(join(links, 'rb')).status).toBe(7);
    expect(run('./rb', [], links).status).toBe(7);
  });

  test('takes the Node of the package itself when there is no link to it', async () => {
    const root = await project();
    await mkdir(join(root, 'node_modules'));
    await symlink(join(PROJECT, 'node_modules/node'), join(root, 'node_modules/node'));
    expect(run(join(root, 'bin/reachback')).status).toBe(7);
    // Compiled code is kept for the next start.
    expect(await readdir(join(root, 'node_modules/.cache/reachback-compiled'))).not.toEqual([]);
  });

  test('runs also where no compiled code can be kept', async () => {
    const root = await project();
    await mkdir(join(root, 'node_modules'));
    await symlink(join(PROJECT, 'node_modules/node'), join(root, 'node_modules/node'));
    await writeFile(join(root, 'node_modules/.cache'), 'a file, not a folder');
    const { status, stderr } = run(join(root, 'bin/reachback'));
    expect({ status, stderr }).toEqual({ status: 7, stderr: '' });
  });

  test('CLI-9: without a terminal, as under nohup, a command does not end with one, also when it never stops in good order', async () => {
    const folder = await temporaryFolder();
    const telemetry = join(folder, 'download_telemetry.csv');
    execFileSync('sh', ['-c', 'mkfifo "$0"', telemetry]);
    const child = spawn(join(PROJECT, 'bin/reachback'), ['adopt', folder], { stdio: 'ignore' });
    const ended = once(child, 'exit');
    // Opens once it is read.
    const pipe = await open(telemetry, 'w');
    child.kill('SIGHUP');
    child.kill('SIGTERM');
    expect(await ended).toEqual([null, 'SIGTERM']);
    await pipe.close();
  });

  test('without node_modules it says what to run, and ends with 2', async () => {
    const root = await project();
    const { status, stdout, stderr } = run(join(root, 'bin/reachback'), ['--help']);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toBe(
      `reachback: its packages are not installed: there is no Node in ${root}/node_modules.\nRun: npm ci --prefix '${root}'\n`,
    );
  });
});
