/** Where the content of a file that was replaced may still stand: under its own name, and in the backups beside it (SAFE-11). */
import { readdir, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';

const BACKUPS = '_backup';

export interface FormerCopies {
  /**
   * Files of that size which were once at `inside`, a path below the folders; a file under its own name first, then backups,
   * newest first. Their content is not looked at.
   */
  of(inside: string, sizeBytes: number): Promise<string[]>;
}

/** @param folders - each with its backups in `_backup/<time>/`; those that do not exist hold none */
export async function findFormerCopies(folders: readonly string[]): Promise<FormerCopies> {
  const backups = await Promise.all(folders.map(async (folder) => backupsBelow(join(folder, BACKUPS))));
  return {
    async of(inside, sizeBytes) {
      const places = folders.flatMap((folder, at) => [join(folder, inside), ...(backups[at]?.get(inside) ?? [])]);
      const sizes = await Promise.all(places.map((path) => sizeOf(path)));
      return places.filter((_path, at) => sizes[at] === sizeBytes);
    },
  };
}

/** Paths of the backups by what they are backups of. */
async function backupsBelow(folder: string): Promise<Map<string, string[]>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const byName = new Map<string, string[]>();
  // Folders are named by time: in falling order the newest comes first.
  for (const path of files.toSorted().toReversed()) {
    const [, ...rest] = path.slice(folder.length + 1).split(sep);
    const inside = rest.join(sep);
    byName.set(inside, [...(byName.get(inside) ?? []), path]);
  }
  return byName;
}

async function sizeOf(path: string): Promise<number | null> {
  const found = await stat(path).catch(() => null);
  return found?.isFile() === true ? found.size : null;
}
