/**
 * Values on their way into a file: stored as they arrive, read back in file order once all descriptions are known.
 *
 * The spool lets the order of `append` calls and the finishing order of compressed blocks differ from the order in the
 * file, with memory bounded. It has no name on disk while in use, so a killed process leaves nothing of it behind.
 */
import { open, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';

/** A stretch of the spool. */
export interface Extent {
  readonly position: number;
  readonly length: number;
}

export class Spool {
  readonly #file: FileHandle;
  #end = 0;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  static async open(path: string): Promise<Spool> {
    const file = await open(path, 'wx+');
    await rm(path, { force: true });
    return new Spool(file);
  }

  /** Stores bytes; the place is fixed at the call, so calls need not wait for each other. */
  async append(bytes: Uint8Array): Promise<Extent> {
    const extent = { position: this.#end, length: bytes.byteLength };
    this.#end += bytes.byteLength;
    await writeFully(this.#file, bytes, extent.position);
    return extent;
  }

  /** Fills `target` from `position`. */
  async read(target: Uint8Array, position: number): Promise<void> {
    for (let done = 0; done < target.byteLength;) {
      const { bytesRead } = await this.#file.read(target, done, target.byteLength - done, position + done);
      if (bytesRead === 0) throw new Error(`spool ends before byte ${position + done}`);
      done += bytesRead;
    }
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

/** One call of the system writes less than 2 GiB, and may write less than asked. */
const MAX_WRITE_BYTES = 2 ** 30;

export async function writeFully(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.byteLength;) {
    const length = Math.min(MAX_WRITE_BYTES, bytes.byteLength - done);
    done += (await file.write(bytes, done, length, position + done)).bytesWritten;
  }
}
