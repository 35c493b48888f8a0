/**
 * Last step of writing: the records, in order, into one file, hashed on the way. Real offsets must equal planned ones.
 */
import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { FormatError } from '../errors.ts';
import type { CdfWriteResult } from '../model.ts';
import { MAGIC_BYTES, MAGIC_PLAIN, MAGIC_V3 } from '../records.ts';
import type { FileLayout } from './layout.ts';
import { linkRecords } from './link.ts';
import { writeFully } from './positioned.ts';
import type { Spool } from './spool.ts';

/** @throws FormatError `layout_broken` if a record would not land where it was planned */
export async function assembleFile(
  file: FileHandle,
  layout: FileLayout,
  spool: Spool,
  hasChecksum: boolean,
): Promise<CdfWriteResult> {
  const output = new HashedOutput(file, hasChecksum);
  await output.write(magic());
  for (const record of linkRecords(layout, hasChecksum)) {
    assertAt(record.what, output.position, record.offset);
    await output.write(record.bytes);
    for (const { position, length } of record.extents) await output.copy(spool, position, length);
    assertAt(`end of ${record.what}`, output.position, record.offset + record.sizeBytes);
  }
  assertAt('end of file', output.position, layout.eof);
  return output.finish();
}

/** The eight bytes before the first record. */
export function magic(): Buffer {
  const bytes = Buffer.alloc(MAGIC_BYTES);
  bytes.writeUInt32BE(MAGIC_V3, 0);
  bytes.writeUInt32BE(MAGIC_PLAIN, 4);
  return bytes;
}

/** @throws FormatError `layout_broken` */
export function assertAt(what: string, real: number, planned: number): void {
  if (real === planned) return;
  throw new FormatError('layout_broken', what, { offset: real, expected: `planned offset ${planned}`, got: `${real}` });
}

const CHUNK_BYTES = 1 << 20;

/** Gathers bytes to large chunks; while one chunk is written, it is hashed and the next one filled. */
class HashedOutput {
  readonly #file: FileHandle;
  readonly #sha256 = createHash('sha256');
  #md5: Hash | undefined;
  #chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  #other = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  #filled = 0;
  #flushed = 0;
  #writing: Promise<void> = Promise.resolve();

  constructor(file: FileHandle, hasChecksum: boolean) {
    this.#file = file;
    this.#md5 = hasChecksum ? createHash('md5') : undefined;
  }

  get position(): number {
    return this.#flushed + this.#filled;
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.byteLength;) {
      const space = await this.#space();
      const part = bytes.subarray(at, at + space.byteLength);
      space.set(part);
      this.#filled += part.byteLength;
      at += part.byteLength;
    }
  }

  async copy(spool: Spool, position: number, length: number): Promise<void> {
    for (let done = 0; done < length;) {
      const part = (await this.#space()).subarray(0, length - done);
      await spool.read(part, position + done);
      this.#filled += part.byteLength;
      done += part.byteLength;
    }
  }

  /** Appends the MD5 of all before it, if there is to be one. */
  async finish(): Promise<CdfWriteResult> {
    await this.#flush();
    const checksum = this.#md5?.digest();
    this.#md5 = undefined;
    if (checksum) await this.write(checksum);
    await this.#flush();
    await this.#writing;
    return { sizeBytes: this.#flushed, sha256: this.#sha256.digest('hex') };
  }

  async #space(): Promise<Buffer> {
    if (this.#filled === CHUNK_BYTES) await this.#flush();
    return this.#chunk.subarray(this.#filled);
  }

  async #flush(): Promise<void> {
    await this.#writing;
    const bytes = this.#chunk.subarray(0, this.#filled);
    this.#writing = writeFully(this.#file, bytes, this.#flushed);
    this.#writing.catch(() => undefined); // whoever awaits it next sees the error
    this.#sha256.update(bytes);
    this.#md5?.update(bytes);
    this.#flushed += this.#filled;
    this.#filled = 0;
    [this.#chunk, this.#other] = [this.#other, this.#chunk];
  }
}
