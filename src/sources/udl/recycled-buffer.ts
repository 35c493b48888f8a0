/** Room for the answer of five minutes. */
const FIRST_BYTES = 4 << 20;

/**
 * A byte buffer that grows and is used again: fresh memory of several megabytes for each answer would cost more than
 * scanning it. The byte at `length` is always writable, so that a scanner can put an end mark there.
 *
 * Memory that leaves the thread is shared: handing it over moves nothing. Moved buffers count as fresh memory in the heap that
 * gets them, and had its garbage collector at work for every few answers. What stays in the thread is not: copying a
 * piece into shared memory takes twice as long.
 */
export class RecycledBuffer<Memory extends ArrayBufferLike = ArrayBufferLike> {
  bytes: Uint8Array<Memory>;
  length = 0;
  readonly #allocate: (bytes: number) => Memory;

  constructor(allocate: (bytes: number) => Memory, memory = allocate(FIRST_BYTES)) {
    this.#allocate = allocate;
    this.bytes = new Uint8Array(memory);
  }

  /** Makes room for `extra` more bytes and the end mark. */
  reserve(extra: number): void {
    const needed = this.length + extra + 1;
    if (needed <= this.bytes.length) return;
    // What is in doubles at least; an announced length is taken as it is.
    const bigger = new Uint8Array(this.#allocate(Math.max(needed, this.length * 2)));
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

export class BufferPool<Memory extends ArrayBufferLike> {
  readonly #free: RecycledBuffer<Memory>[] = [];
  readonly #allocate: (bytes: number) => Memory;

  constructor(allocate: (bytes: number) => Memory) {
    this.#allocate = allocate;
  }

  take(): RecycledBuffer<Memory> {
    return this.#free.pop() ?? new RecycledBuffer(this.#allocate);
  }

  giveBack(buffer: RecycledBuffer<Memory>): void {
    if (buffer.bytes.length > LARGEST_KEPT_BYTES) return;
    buffer.length = 0;
    this.#free.push(buffer);
  }

  /** Takes the memory of a buffer that was handed over. */
  takeBack(memory: Memory): void {
    this.giveBack(new RecycledBuffer(this.#allocate, memory));
  }
}

export const ownMemory = (bytes: number): ArrayBuffer => new ArrayBuffer(bytes);
export const sharedMemory = (bytes: number): SharedArrayBuffer => new SharedArrayBuffer(bytes);
