/** Paths in the database: relative with `/` inside the workspace folder, absolute outside (TEL-D9). */
import { isAbsolute, relative, resolve, sep } from 'node:path';

export interface WorkspacePaths {
  /** What the database holds for an absolute path. */
  toStored(path: string): string;
  /** The absolute path of what the database holds. */
  toAbsolute(stored: string): string;
}

export function workspacePaths(root: string): WorkspacePaths {
  const base = resolve(root);
  return {
    toStored(path) {
      const absolute = resolve(base, path);
      const inside = relative(base, absolute);
      const leaves = inside === '' || inside === '..' || inside.startsWith(`..${sep}`) || isAbsolute(inside);
      return leaves ? absolute : inside.split(sep).join('/');
    },
    toAbsolute(stored) {
      return resolve(base, stored);
    },
  };
}
