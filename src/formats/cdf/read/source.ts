/**
 * Bytes of a file at any offset; asking beyond the end is a typed error, never a short answer.
 */
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { FormatError } from '../errors.ts';

export interface ByteSource {
  readonly sizeBytes: number;
  /** The bytes from `offset` on. The buffer may be shared: do not change it. */
  read(offset: number, length: number): Promise<Buffer>;
  /** Fills `target` with the bytes from `offset` on. */
  readInto(target: Buffer, offset: number): Promise<void>;
  close(): Promise<void>;
}

const WINDOW_BYTES = 65_536;
/** One call of the system reads less than 2 GiB. */
const MAX_READ_BYTES = 2 ** 30;

/** A file, read through one window: descriptions lie close together and are small. */
export class FileSource implements ByteSource {
  readonly sizeBytes: number;
  readonly #file: FileHandle;
  #window: { readonly offset: number; readonly bytes: Buffer } = { offset: 0, bytes: Buffer.alloc(0) };

  private constructor(file: FileHandle, sizeBytes: number) {
    this.#file = file;
    this.sizeBytes = sizeBytes;
  }

  static async open(path: string): Promise<FileSource> {
    const file = await open(path, 'r');
    try {
      return new FileSource(file, (await file.stat()).size);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async read(offset: number, length: number): Promise<Buffer> {
    checkRange(offset, length, this.sizeBytes);
    if (length > WINDOW_BYTES) return this.#readFile(offset, length);
    const inWindow = this.#slice(offset, length);
    if (inWindow) return inWindow;
    const bytes = await this.#readFile(offset, Math.min(WINDOW_BYTES, this.sizeBytes - offset));
    this.#window = { offset, bytes };
    return bytes.subarray(0, length);
  }

  async readInto(target: Buffer, offset: number): Promise<void> {
    checkRange(offset, target.length, this.sizeBytes);
    for (let done = 0; done < target.length;) {
      const length = Math.min(MAX_READ_BYTES, target.length - done);
      const { bytesRead } = await this.#file.read(target, done, length, offset + done);
      if (bytesRead === 0) throw truncated(offset + done, length, 0);
      done += bytesRead;
    }
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  #slice(offset: number, length: number): Buffer | undefined {
    const { offset: start, bytes } = this.#window;
    if (offset < start || offset + length > start + bytes.length) return undefined;
    return bytes.subarray(offset - start, offset - start + length);
  }

  async #readFile(offset: number, length: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafeSlow(length);
    await this.readInto(bytes, offset);
    return bytes;
  }
}

/** Bytes already in memory. */
export class MemorySource implements ByteSource {
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get sizeBytes(): number {
    return this.#bytes.length;
  }

  async read(offset: number, length: number): Promise<Buffer> {
    checkRange(offset, length, this.sizeBytes);
    return this.#bytes.subarray(offset, offset + length);
  }

  async readInto(target: Buffer, offset: number): Promise<void> {
    checkRange(offset, target.length, this.sizeBytes);
    this.#bytes.copy(target, 0, offset);
  }

  async close(): Promise<void> {}
}

function checkRange(offset: number, length: number, sizeBytes: number): void {
  if (offset < 0 || length < 0 || offset + length > sizeBytes) throw truncated(offset, length, sizeBytes - offset);
}

function truncated(offset: number, length: number, available: number): FormatError {
  const got = `${Math.max(0, available)} before the end of the file`;
  return new FormatError('truncated', 'content', { offset, expected: `${length} bytes`, got });
}
