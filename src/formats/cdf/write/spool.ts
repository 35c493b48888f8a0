/**
 * Values on their way into a file: stored as they arrive, read back in file order once all descriptions are known.
 *
 * The spool lets the order of `append` calls and the finishing order of compressed blocks differ from the order in the
 * file, with memory bounded. It has no name on disk while in use, so a killed process leaves nothing of it behind.
 */
import { open, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import type { BlockStore, Extent } from './column.ts';
import { readFully, writeFully } from './positioned.ts';

export class Spool implements BlockStore {
  readonly #file: FileHandle;
  #end = 0;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  /** @param path - a free name, taken for a moment */
  static async open(path: string): Promise<Spool> {
    const file = await open(path, 'wx+');
    await rm(path, { force: true });
    return new Spool(file);
  }

  async put(bytes: Uint8Array): Promise<Extent> {
    const extent = { position: this.#end, length: bytes.byteLength };
    this.#end += bytes.byteLength;
    await writeFully(this.#file, bytes, extent.position);
    return extent;
  }

  /** Fills `target` from `position`. */
  async read(target: Uint8Array, position: number): Promise<void> {
    await readFully(this.#file, target, position);
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}
