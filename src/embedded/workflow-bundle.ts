/**
 * Workflow code bundled ahead, so that a worker starts quickly. The bundle is one file in `build/` that carries the
 * fingerprint of what it was made from; a stale or missing one is made anew.
 */
import { createHash } from 'node:crypto';
import { readFile, readdir, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeFileAtomically } from '../storage/atomic-file.ts';

const PROJECT = fileURLToPath(new URL('../../', import.meta.url));

/** Where the bundle comes from and where it is kept. */
export interface BundlePlaces {
  /** File whose exports are the workflows. */
  readonly workflowsPath: string;
  /** Folders of everything that workflow code may import. */
  readonly sources: readonly string[];
  /** Lock file of the packages: names the versions of SDK and bundler. */
  readonly packageLock: string;
  readonly bundlePath: string;
}

export const PROJECT_PLACES: BundlePlaces = {
  workflowsPath: join(PROJECT, 'src/workflows/index.ts'),
  // The layer borders (design §8) let workflows import values from core alone.
  sources: [join(PROJECT, 'src/workflows'), join(PROJECT, 'src/core')],
  packageLock: join(PROJECT, 'package-lock.json'),
  bundlePath: join(PROJECT, 'build/workflow-bundle.js'),
};

export interface WorkflowBundle {
  readonly code: string;
  /** Whether it had to be made. */
  readonly fresh: boolean;
}

/**
 * The workflow bundle for `Worker.create({ workflowBundle })`, made anew when the workflow code or the packages changed.
 * Any number of processes may call it at once: the file is replaced whole, and its content says what it was made from.
 *
 * @throws the bundler's error when the workflow code cannot be bundled
 */
export async function loadWorkflowBundle(places: BundlePlaces = PROJECT_PLACES): Promise<WorkflowBundle> {
  const mark = `/* made from ${await fingerprint(places)} */`;
  const present = await readFile(places.bundlePath, 'utf8').catch(() => '');
  if (present.startsWith(mark)) return { code: present, fresh: false };
  // Loaded only now: the bundler is slow to load, and seldom needed.
  const { DefaultLogger, bundleWorkflowCode } = await import('@temporalio/worker');
  const bundled = await bundleWorkflowCode({ workflowsPath: places.workflowsPath, logger: new DefaultLogger('WARN') });
  // On the same line as the code's first, which keeps the line numbers of the source map.
  const code = `${mark}${bundled.code}`;
  // An installation may be read-only; the worker then bundles at each start.
  await writeFileAtomically(places.bundlePath, code).catch(() => undefined);
  return { code, fresh: true };
}

/** Whether there is workflow code to bundle. */
export async function hasWorkflows(places: BundlePlaces = PROJECT_PLACES): Promise<boolean> {
  return stat(places.workflowsPath).then(
    (found) => found.isFile(),
    () => false,
  );
}

/** Hash over names and contents of the sources and over the packages' versions. */
async function fingerprint({ sources, packageLock }: BundlePlaces): Promise<string> {
  const hash = createHash('sha256');
  hash.update(await readFile(packageLock).catch(() => ''));
  for (const folder of sources) {
    for (const path of await sourceFiles(folder)) {
      hash.update(`\0${relative(folder, path)}\0`);
      hash.update(await readFile(path));
    }
  }
  return hash.digest('hex');
}

async function sourceFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
}
