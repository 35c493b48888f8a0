/** Room for the answer of five minutes. */
const FIRST_BYTES = 4 << 20;

/**
 * A byte buffer that grows and is used again: fresh memory of several megabytes for each answer would cost more than
 * scanning it. The byte at `length` is always writable, so that a scanner can put an end mark there.
 *
 * The memory is shared between threads: handing it over moves nothing. Moved buffers count as fresh memory in the heap that
 * gets them, and had its garbage collector at work for every few answers.
 */
export class RecycledBuffer {
  bytes: Uint8Array<SharedArrayBuffer>;
  length = 0;

  constructor(memory = new SharedArrayBuffer(FIRST_BYTES)) {
    this.bytes = new Uint8Array(memory);
  }

  /** Makes room for `extra` more bytes and the end mark. */
  reserve(extra: number): void {
    const needed = this.length + extra + 1;
    if (needed <= this.bytes.length) return;
    // What is in doubles at least; an announced length is taken as it is.
    const bigger = new Uint8Array(new SharedArrayBuffer(Math.max(needed, this.length * 2)));
    bigger.set(this.bytes.subarray(0, this.length));
    this.bytes = bigger;
  }

  append(chunk: Uint8Array): void {
    this.reserve(chunk.length);
    this.bytes.set(chunk, this.length);
    this.length += chunk.length;
  }

  view(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }
}

/** Buffers above this are left to the garbage collector: one huge answer must not cost memory for ever. */
const LARGEST_KEPT_BYTES = 32 << 20;

export class BufferPool {
  readonly #free: RecycledBuffer[] = [];

  take(): RecycledBuffer {
    return this.#free.pop() ?? new RecycledBuffer();
  }

  giveBack(buffer: RecycledBuffer): void {
    if (buffer.bytes.length > LARGEST_KEPT_BYTES) return;
    buffer.length = 0;
    this.#free.push(buffer);
  }
}
