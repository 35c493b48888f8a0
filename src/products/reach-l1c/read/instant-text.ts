/**
 * Times in texts, where there are many of them: the usual form is read by the byte loops, every other by `parseInstant`.
 */
import { newByteLoops } from './byte-loops.ts';
import type { ByteLoops } from './byte-loops.ts';
import { parseInstant } from './instant.ts';

/** Longer than any time of the usual form. */
const BYTES = 64;

export class InstantTextReader {
  readonly #loops: ByteLoops = newByteLoops(BYTES, () => 0);
  readonly #text: Buffer;
  readonly #instant: Float64Array;

  constructor() {
    const { memory, INPUT, NUMBERS } = this.#loops;
    this.#text = Buffer.from(memory.buffer, INPUT.value, BYTES);
    this.#instant = new Float64Array(memory.buffer, NUMBERS.value, 1);
  }

  /** @returns as `parseInstant` */
  read(text: string): number {
    const { INPUT, NUMBERS } = this.#loops;
    // Written as UTF-8, so that a character outside ASCII cannot pass for a digit. The last byte stays zero.
    const length = this.#text.write(text, 0, BYTES - 1, 'utf8');
    this.#text[length] = 0;
    const end = this.#loops.readInstant(INPUT.value, 0, NUMBERS.value);
    return end === INPUT.value + text.length ? this.#instant[0]! : parseInstant(text);
  }
}
