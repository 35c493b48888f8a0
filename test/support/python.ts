/**
 * A Python with the pinned readers of `python/requirements.txt`, made once per pin set and shared by all test runs.
 *
 * No side effects on import. A machine without Python fails the tests with the reason: they prove nothing without it.
 */
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { access, mkdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

const PYTHON_FOLDER = join(import.meta.dirname, 'python');
const REQUIREMENTS = join(PYTHON_FOLDER, 'requirements.txt');
/** Installing takes half a minute; a reader that loops on a damaged file must not outlive its test. */
const TIMEOUT_MS = 300_000;
const CACHE = join(import.meta.dirname, '../../node_modules/.cache');

/**
 * Makes the environment if it is not there; safe to call from several processes at once.
 *
 * @returns path of the Python to run
 * @throws Error with what is missing and the output of the failed command
 */
export async function ensurePython(): Promise<string> {
  const folder = await environmentFolder();
  const python = join(folder, 'bin/python');
  if (await exists(python)) return python;
  await mkdir(CACHE, { recursive: true });
  const building = `${folder}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
  try {
    await run('python3', ['-m', 'venv', building]);
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-input', '-r', REQUIREMENTS];
    await run(join(building, 'bin/python'), pip);
    await mkdir(join(building, 'home'));
    await rename(building, folder);
  } catch (error) {
    await rm(building, { recursive: true, force: true });
    if (await exists(python)) return python; // another process was quicker
    throw error;
  }
  return python;
}

/**
 * Runs a script of `test/support/python`.
 *
 * @param script - file name
 * @param input - what it reads from standard input
 * @returns its standard output
 * @throws Error with its standard error if it fails
 */
export async function runPython(script: string, args: readonly string[] = [], input = ''): Promise<string> {
  const python = await ensurePython();
  const home = join(await environmentFolder(), 'home');
  // spacepy keeps a folder of settings and matplotlib a cache; neither belongs in the user's home.
  const environment = { ...process.env, SPACEPY: home, MPLCONFIGDIR: home, PYTHONDONTWRITEBYTECODE: '1' };
  return run(python, [join(PYTHON_FOLDER, script), ...args], input, environment);
}

async function environmentFolder(): Promise<string> {
  const version = await run('python3', ['--version']);
  const hash = createHash('sha256')
    .update(await readFile(REQUIREMENTS))
    .update(version)
    .digest('hex');
  return join(CACHE, `reachback-python-${hash.slice(0, 16)}`);
}

async function run(command: string, args: readonly string[], input = '', env = process.env): Promise<string> {
  const shown = [command, ...args].join(' ');
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env, stdio: 'pipe', timeout: TIMEOUT_MS, killSignal: 'SIGKILL' });
    const output = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (text: string) => (output[name] += text));
    }
    child.stdin.on('error', () => undefined); // the exit code tells why it went away
    child.stdin.end(input);
    child.on('error', (cause) => {
      reject(new Error(`cannot run "${shown}": the tests need Python 3 with venv and pip`, { cause }));
    });
    child.on('close', (code, signal) => {
      if (code === 0) resolve(output.stdout);
      else reject(new Error(`"${shown}" ended with ${signal ?? code}:\n${output.stderr}${output.stdout}`));
    });
  });
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
