/**
 * Where the files of a workspace are (design §5). Two layouts share one description:
 *
 * - a root folder with `downloads/`, `products/` and `state/`, as `run --workspace DIR` makes it;
 * - a plain download folder X with its state in `X/.reachback/`, as `download --output-dir X` and
 *   `process --input-dir X --output-dir Y` use it.
 *
 * A folder inside a workspace uses the state of that workspace.
 */
import { randomBytes } from 'node:crypto';
import { link, open, readFile, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { PipelineError } from '../core/errors.ts';
import { syncFolder, temporaryName } from './atomic-file.ts';
import { errorCode, explainFsError, makeFolder } from './folders.ts';

const STATE_FOLDERS = ['state', '.reachback'] as const;
const NAME_FILE = 'workspace.json';
const MAX_SLUG_LENGTH = 40;

/** All paths are absolute. */
export interface WorkspacePaths {
  readonly root: string;
  readonly stateDir: string;
  readonly downloads: string;
  readonly products: string;
  /** Former products, SAFE-11. */
  readonly backups: string;
  /** Finished slices of unfinished days. */
  readonly slices: string;
  readonly telemetryFile: string;
  readonly ledgerPath: string;
  readonly temporalDatabasePath: string;
  /** Held by whoever keeps the embedded server up. */
  readonly lockPath: string;
  /** Held by the worker, the only writer of the files. */
  readonly workerLockPath: string;
  readonly embeddedFile: string;
  /** Names the gate that this workspace used last. */
  readonly gateFile: string;
  readonly logs: string;
}

/** A place for a workspace; `name` is null where none has been made yet. */
export interface LocatedWorkspace extends WorkspacePaths {
  readonly name: string | null;
}

export interface Workspace extends WorkspacePaths {
  /** Folder name and four random hex digits, fixed at creation; part of workflow ids and task queues. */
  readonly name: string;
}

export type WorkspacePlace =
  | { readonly dir: string }
  | { readonly downloads: string; readonly products?: string | undefined };

/** What the command line names: a workspace, or the folders of `download` and `process`. Relative to `cwd`. */
export type WorkspaceRequest = WorkspacePlace & {
  readonly telemetryFile?: string | undefined;
  /** Default: the process's working folder. */
  readonly cwd?: string;
};

interface FoundState {
  readonly root: string;
  readonly stateDir: string;
  readonly name: string | null;
}

/**
 * Finds a workspace, or the place where it would be. Reads only; nothing is made.
 *
 * @throws PipelineError `config_invalid` when a workspace's name file is damaged
 */
export async function locateWorkspace(request: WorkspaceRequest): Promise<LocatedWorkspace> {
  const absolute = (path: string): string => resolve(request.cwd ?? process.cwd(), path);
  const asked = absolute('dir' in request ? request.dir : request.downloads);
  const found = (await findState(asked)) ?? {
    root: asked,
    stateDir: join(asked, 'dir' in request ? 'state' : '.reachback'),
    name: null,
  };
  const { root, stateDir, name } = found;
  const ownDownloads = basename(stateDir) === 'state' ? join(root, 'downloads') : root;
  const downloads = 'dir' in request ? ownDownloads : asked;
  const products =
    'dir' in request || request.products === undefined ? join(root, 'products') : absolute(request.products);
  return {
    name,
    root,
    stateDir,
    downloads,
    products,
    backups: join(products, '_backup'),
    slices: join(downloads, '.slices'),
    telemetryFile:
      request.telemetryFile === undefined ? join(downloads, 'download_telemetry.csv') : absolute(request.telemetryFile),
    ledgerPath: join(stateDir, 'reachback.db'),
    temporalDatabasePath: join(stateDir, 'temporal.db'),
    lockPath: join(stateDir, 'lock.db'),
    workerLockPath: join(stateDir, 'worker-lock.db'),
    embeddedFile: join(stateDir, 'embedded.json'),
    gateFile: join(stateDir, 'gate.json'),
    logs: join(stateDir, 'logs'),
  };
}

/**
 * Opens a workspace and makes what is missing of it: folders, and its name the first time. Two processes that open a new
 * workspace at once agree on one name.
 *
 * @throws PipelineError `config_invalid` naming the folder that cannot be written and why
 */
export async function openWorkspace(request: WorkspaceRequest): Promise<Workspace> {
  const located = await locateWorkspace(request);
  await makeFolder(located.stateDir, 'state');
  await makeFolder(located.logs, 'log');
  await makeFolder(located.downloads, 'downloads');
  await makeFolder(dirname(located.telemetryFile), 'telemetry');
  const makesProducts = 'dir' in request || request.products !== undefined;
  if (makesProducts) await makeFolder(located.products, 'products');
  return { ...located, name: located.name ?? (await createName(located.root, located.stateDir)) };
}

async function findState(start: string): Promise<FoundState | null> {
  for (let root = start; ; root = dirname(root)) {
    for (const folder of STATE_FOLDERS) {
      const stateDir = join(root, folder);
      const name = await readName(join(stateDir, NAME_FILE));
      if (name !== null) return { root, stateDir, name };
    }
    if (dirname(root) === root) return null;
  }
}

/** The workspace's name, or null when the file is absent or another program's. */
async function readName(path: string): Promise<string | null> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw new PipelineError('config_invalid', `Cannot read ${path}: ${explainFsError(error)}.`, {
      hint: 'Make it readable for the user that runs reachback, or name another folder.',
      context: { path },
    });
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new PipelineError('config_invalid', `${path} is damaged: expected JSON with the workspace's name.`, {
      hint: 'Restore it from a backup, or write {"reachback":1,"name":"<name>"} into it; the web UI shows the name in workflow ids backfill/<name>/….',
      context: { path },
    });
  }
  const file = value as { reachback?: unknown; name?: unknown } | null;
  return file?.reachback === 1 && typeof file.name === 'string' ? file.name : null;
}

async function createName(root: string, stateDir: string): Promise<string> {
  const name = `${slug(basename(root))}-${randomBytes(2).toString('hex')}`;
  const path = join(stateDir, NAME_FILE);
  const temporary = temporaryName(path);
  const file = await open(temporary, 'wx');
  try {
    await file.writeFile(`${JSON.stringify({ reachback: 1, name, createdAt: new Date().toISOString() })}\n`);
    await file.sync();
    // A link, not a rename: it fails when another process was quicker, whose name then counts.
    await link(temporary, path);
    await syncFolder(stateDir);
    return name;
  } catch (error) {
    const winner = errorCode(error) === 'EEXIST' ? await readName(path) : null;
    if (winner !== null) return winner;
    throw new PipelineError('config_invalid', `Cannot create the workspace file ${path}: ${explainFsError(error)}.`, {
      hint: 'Name another folder, or remove what stands in the way.',
      context: { path },
      cause: error,
    });
  } finally {
    await file.close();
    await rm(temporary, { force: true });
  }
}

/** Lower-case words joined by hyphens: safe in workflow ids, which separate their parts by slashes. */
function slug(folderName: string): string {
  const words = folderName
    .normalize('NFKD')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, MAX_SLUG_LENGTH)
    .replaceAll(/^-+|-+$/g, '');
  return words === '' ? 'workspace' : words;
}
