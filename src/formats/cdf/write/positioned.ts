/**
 * Whole reads and writes at a position: the system may do less than asked in one call.
 */
import type { FileHandle } from 'node:fs/promises';

/** One call of the system writes less than 2 GiB. */
const MAX_WRITE_BYTES = 2 ** 30;

export async function writeFully(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.byteLength;) {
    const length = Math.min(MAX_WRITE_BYTES, bytes.byteLength - done);
    done += (await file.write(bytes, done, length, position + done)).bytesWritten;
  }
}

/** Fills `target`; a file that ends before is an error. */
export async function readFully(file: FileHandle, target: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < target.byteLength;) {
    const { bytesRead } = await file.read(target, done, target.byteLength - done, position + done);
    if (bytesRead === 0) throw new Error(`the file ends before byte ${position + done}`);
    done += bytesRead;
  }
}
