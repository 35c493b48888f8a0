/** Servers that are built from their published sources, at the versions of docker-compose.yml; kept in node_modules/.cache. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { access, mkdir, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const CACHE = fileURLToPath(new URL('../../node_modules/.cache', import.meta.url));

export interface GoPrograms {
  /** Path of each program, by the last part of its package. */
  readonly programs: Readonly<Record<string, string>>;
  /** The module's sources. */
  readonly sources: string;
}

/**
 * Builds programs of a Go module unless they are there; takes minutes the first time.
 *
 * @param packages - below the module, such as `cmd/server`
 * @throws Error with the output of the failed command
 */
export async function ensureGoPrograms(
  module: string,
  version: string,
  packages: readonly string[],
): Promise<GoPrograms> {
  const folder = join(CACHE, `${basename(module)}-${version}`);
  const sources = await sourcesOf(module, version);
  const programs = Object.fromEntries(packages.map((name) => [basename(name), join(folder, basename(name))]));
  const missing = await Promise.all(
    Object.values(programs).map((path) =>
      access(path).then(
        () => false,
        () => true,
      ),
    ),
  );
  if (!missing.includes(true)) return { programs, sources };
  await mkdir(CACHE, { recursive: true });
  const building = `${folder}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
  try {
    for (const name of packages) {
      await run('go', ['install', `${module}/${name}@${version}`], {
        env: { ...process.env, GOBIN: building, GOFLAGS: '' },
      });
    }
    await rm(folder, { recursive: true, force: true });
    await rename(building, folder);
  } catch (error) {
    await rm(building, { recursive: true, force: true });
    throw error;
  }
  return { programs, sources };
}

async function sourcesOf(module: string, version: string): Promise<string> {
  const { stdout } = await run('go', ['mod', 'download', '-json', `${module}@${version}`], { maxBuffer: 1 << 20 });
  return (JSON.parse(stdout) as { Dir: string }).Dir;
}
