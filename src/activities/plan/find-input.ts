/** The input file of a day for `process`: `<prefix>_<YYYYMMDD>T000000_*.<format>`, not in subfolders (TEL-14). */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { PipelineError } from '../../core/errors.ts';
import { artifactPrefix } from '../../core/product.ts';
import type { Product } from '../../core/product.ts';
import { isDay } from '../../core/time/day.ts';
import type { Day } from '../../core/time/day.ts';
import { explainFsError } from '../../storage/folders.ts';

/** Absolute path of the day's input in `folder`, or null; of several the first in name order (TEL-14). */
export async function findInput(folder: string, product: Product, day: Day): Promise<string | null> {
  const [first] = inputsByDay(await fileNames(folder), product).get(day) ?? [];
  return first === undefined ? null : join(folder, first);
}

/** Those of `names` that are inputs of the product, by day, each day's in name order. */
export function inputsByDay(names: readonly string[], product: Product): Map<Day, string[]> {
  const prefix = `${artifactPrefix(product)}_`;
  const byDay = new Map<Day, string[]>();
  for (const name of names.toSorted()) {
    if (!name.startsWith(prefix) || !name.endsWith(`.${product.format}`)) continue;
    const [, year, month, date] = /^(\d{4})(\d{2})(\d{2})T000000_/.exec(name.slice(prefix.length)) ?? [];
    const day = `${year}-${month}-${date}`;
    if (!isDay(day)) continue;
    const ofDay = byDay.get(day) ?? [];
    ofDay.push(name);
    byDay.set(day, ofDay);
  }
  return byDay;
}

/** Names of the files in a folder; none when there is no such folder. @throws PipelineError `config_invalid` */
export async function fileNames(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    return entries.filter((entry) => !entry.isDirectory()).map((entry) => entry.name);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return [];
    throw new PipelineError('config_invalid', `Cannot look into ${folder}: ${explainFsError(error)}.`, {
      hint: 'Give the user that runs reachback access to the workspace.',
      cause: error,
    });
  }
}
