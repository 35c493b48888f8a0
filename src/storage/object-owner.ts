/**
 * Whose a delivered file is. Workspaces may share a destination, and file names do not tell all products apart (CDF-D1);
 * no ledger knows what another workspace delivered, so the destination remembers it: `<base>/.reachback/<key>.json`, in
 * one hidden folder of its own, which no reader's glob for products meets.
 */
import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { removeLeftoversOf, writeFileAtomically } from './atomic-file.ts';
import { errorCode } from './folders.ts';

export interface ObjectOwner {
  /** Slug of the product that was delivered. */
  readonly owner: string;
  /** Of the content it delivered, lower-case hexadecimal. */
  readonly sha256: string;
}

/** Who delivered `key` last; null when nobody noted it, as for files that other tools put there. */
export async function readOwner(base: string, key: string): Promise<ObjectOwner | null> {
  let text: string;
  try {
    text = await readFile(notePath(base, key), 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return null;
    throw error;
  }
  try {
    const { owner, sha256 } = JSON.parse(text) as Partial<ObjectOwner>;
    return typeof owner === 'string' && typeof sha256 === 'string' ? { owner, sha256 } : null;
  } catch {
    // Not written by us, who write it whole or not at all.
    return null;
  }
}

/** Notes the owner of `key`; writes nothing when it is noted already. */
export async function noteOwner(base: string, key: string, { owner, sha256 }: ObjectOwner): Promise<void> {
  const noted = await readOwner(base, key);
  if (noted?.owner === owner && noted.sha256 === sha256) return;
  const path = notePath(base, key);
  await mkdir(dirname(path), { recursive: true });
  await removeLeftoversOf(path);
  await writeFileAtomically(path, `${JSON.stringify({ owner, sha256 })}\n`);
}

function notePath(base: string, key: string): string {
  return join(base, '.reachback', `${key}.json`);
}
