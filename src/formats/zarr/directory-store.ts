/**
 * A folder as an object store. An object appears whole or not at all: temporary file, fsync, rename, fsync of the folder.
 *
 * `putIf` needs no lock that a killed process could leave behind. A writer first gives its finished file a second name
 * made of the version it expects, a claim that exactly one can get (`link`), and then renames it onto the object. `tidy`
 * brings the claim of a killed writer to its end: its content is complete, so it does not matter who does the rename.
 */
import { createHash, randomBytes } from 'node:crypto';
import { link, mkdir, open, readdir, readFile, rename, rm, rmdir, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { ZarrError } from './errors.ts';
import type { ListedObject, ObjectStore, StoredObject } from './object-store.ts';

/** Unfinished files, apart from the objects so that they are found without looking through all of these. */
const PARTIAL = '.partial';
const CLAIM = /^claim-(?<after>[0-9a-f]{64}|none)-(?<key>[\w.%-]+)$/;

export class DirectoryStore implements ObjectStore {
  readonly location: string;
  readonly #partial: string;

  /** The folder is made by the first write. */
  constructor(folder: string) {
    this.location = resolve(folder);
    this.#partial = join(this.location, PARTIAL);
  }

  async get(key: string): Promise<StoredObject | null> {
    const bytes = await this.#read(key);
    return bytes && { bytes, version: versionOf(bytes) };
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    const path = this.#path(key);
    const temporary = await this.#writeTemporary(bytes);
    try {
      await this.#publish(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }

  async putIf(key: string, bytes: Uint8Array, expected: string | null): Promise<string | null> {
    const temporary = await this.#writeTemporary(bytes);
    const version = versionOf(bytes);
    try {
      const claim = join(this.#partial, `claim-${expected ?? 'none'}-${encodeURIComponent(key)}`);
      if (!(await giveSecondName(temporary, claim))) return null;
      // The claim stays until the object is replaced: nobody else who expects the same version can get past it.
      try {
        if ((await this.#version(key)) !== expected) return null;
        await this.#publish(temporary, this.#path(key));
      } finally {
        await rm(claim, { force: true });
      }
      return version;
    } finally {
      await rm(temporary, { force: true });
    }
  }

  async delete(key: string): Promise<void> {
    await rm(this.#path(key), { force: true });
  }

  async *list(prefix: string): AsyncIterable<ListedObject> {
    const end = prefix.lastIndexOf('/') + 1;
    yield* this.#walk(prefix.slice(0, end), prefix);
  }

  async tidy(): Promise<void> {
    const names = await readdir(this.#partial).catch(() => []);
    for (const name of names) {
      const claim = CLAIM.exec(name)?.groups;
      const path = join(this.#partial, name);
      if (!claim) await rm(path, { force: true });
      else
        await this.#endClaim(
          path,
          decodeURIComponent(claim['key']!),
          claim['after'] === 'none' ? null : claim['after']!,
        );
    }
    await rmdir(this.#partial).catch(() => undefined);
  }

  /** Completes a claim whose turn it is still, drops one that came too late. */
  async #endClaim(claim: string, key: string, expected: string | null): Promise<void> {
    // Its content under a name of our own: the claim's name may come to stand for another's content meanwhile.
    const temporary = this.#temporaryPath();
    if (!(await giveSecondName(claim, temporary))) return;
    if ((await this.#version(key)) === expected) await this.#publish(temporary, this.#path(key));
    await Promise.all([claim, temporary].map((path) => rm(path, { force: true })));
  }

  async #version(key: string): Promise<string | null> {
    const bytes = await this.#read(key);
    return bytes && versionOf(bytes);
  }

  async #read(key: string): Promise<Buffer | null> {
    try {
      return await readFile(this.#path(key));
    } catch (error) {
      if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return null;
      throw error;
    }
  }

  async #writeTemporary(bytes: Uint8Array): Promise<string> {
    const temporary = this.#temporaryPath();
    const file = await open(temporary, 'wx').catch(async (error: unknown) => {
      if (codeOf(error) !== 'ENOENT') throw error;
      await mkdir(this.#partial, { recursive: true });
      return await open(temporary, 'wx');
    });
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    return temporary;
  }

  #temporaryPath(): string {
    return join(this.#partial, `${process.pid}-${randomBytes(8).toString('hex')}`);
  }

  async #publish(temporary: string, path: string): Promise<void> {
    await rename(temporary, path).catch(async (error: unknown) => {
      if (codeOf(error) !== 'ENOENT') throw error;
      await mkdir(dirname(path), { recursive: true });
      await rename(temporary, path).catch((again: unknown) => {
        // Another writer has tidied up: our file is gone.
        throw codeOf(again) === 'ENOENT' ? conflict(this.location, path) : again;
      });
    });
    const folder = await open(dirname(path), 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }

  async *#walk(folder: string, prefix: string): AsyncIterable<ListedObject> {
    const entries = await readdir(join(this.location, folder), { withFileTypes: true }).catch((error: unknown) => {
      if (codeOf(error) === 'ENOENT') return [];
      throw error;
    });
    for (const entry of entries) {
      const key = `${folder}${entry.name}`;
      if (key === PARTIAL) continue;
      if (entry.isDirectory()) yield* this.#walk(`${key}/`, prefix);
      else if (key.startsWith(prefix)) {
        const found = await stat(join(this.location, key)).catch(() => null);
        if (found) yield { key, sizeBytes: found.size };
      }
    }
  }

  #path(key: string): string {
    const parts = key.split('/');
    if (key === '' || parts.some((part) => part === '' || part === '.' || part === '..' || part === PARTIAL)) {
      throw new ZarrError('value_invalid', `"${key}" is no key: expected names separated by single slashes.`);
    }
    return join(this.location, ...parts);
  }
}

/** @returns whether `path` was there and `second` was free */
async function giveSecondName(path: string, second: string): Promise<boolean> {
  try {
    await link(path, second);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST' || codeOf(error) === 'ENOENT') return false;
    if (codeOf(error) === 'EPERM' || codeOf(error) === 'ENOTSUP' || codeOf(error) === 'ENOSYS') {
      throw new ZarrError(
        'unsupported',
        `The file system of ${path} has no hard links, which keep two writers apart.`,
        {
          cause: error,
        },
      );
    }
    throw error;
  }
}

function conflict(location: string, key: string): ZarrError {
  return new ZarrError('conflict', `${key} in ${location} was changed by another writer.`);
}

function versionOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | null)?.code;
}
