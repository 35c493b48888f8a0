/** Where each slice's records stand in a day's file that is known to be whole: what did not change need not be fetched again. */
import { open } from 'node:fs/promises';
import type { ArtifactFormat } from '../../core/product.ts';

const PIECE_BYTES = 1 << 20;
const QUOTE = 0x22;
const LINE_FEED = 0x0a;
const BACKSLASH = 0x5c;
const [OPEN_BRACE, CLOSE_BRACE] = [0x7b, 0x7d];

/** Bytes of a file; `bytes` is 0 for a slice without records. */
export interface Place {
  readonly start: number;
  readonly bytes: number;
}

/**
 * @param records - of each slice, in order of time
 * @returns a place for each slice; null when the file does not hold exactly these records
 */
export async function locateSlices(
  path: string,
  format: ArtifactFormat,
  records: readonly number[],
  signal?: AbortSignal,
): Promise<Place[] | null> {
  const cutter = new Cutter(records);
  const scanner = format === 'csv' ? new CsvScanner(cutter) : new JsonScanner(cutter);
  const file = await open(path, 'r');
  const piece = Buffer.allocUnsafeSlow(PIECE_BYTES);
  try {
    for (let at = 0; ;) {
      signal?.throwIfAborted();
      const { bytesRead } = await file.read(piece, 0, PIECE_BYTES, at);
      if (bytesRead === 0) break;
      scanner.scan(piece.subarray(0, bytesRead), at);
      at += bytesRead;
    }
  } finally {
    await file.close();
  }
  return cutter.places();
}

/** Is told of one record after the other. */
class Cutter {
  readonly #records: readonly number[];
  readonly #places: Place[] = [];
  #left = 0;
  #start = -1;
  #tooMany = false;

  constructor(records: readonly number[]) {
    this.#records = records;
    this.#next();
  }

  record(start: number, end: number): void {
    if (this.#places.length === this.#records.length) {
      this.#tooMany = true;
      return;
    }
    if (this.#start < 0) this.#start = start;
    this.#left -= 1;
    if (this.#left > 0) return;
    this.#places.push({ start: this.#start, bytes: end - this.#start });
    this.#start = -1;
    this.#next();
  }

  places(): Place[] | null {
    return this.#tooMany || this.#places.length < this.#records.length ? null : this.#places;
  }

  #next(): void {
    while (this.#records[this.#places.length] === 0) this.#places.push({ start: 0, bytes: 0 });
    this.#left = this.#records[this.#places.length] ?? 0;
  }
}

/** Rows behind the header; line ends within quotes are none. */
class CsvScanner {
  readonly #cutter: Cutter;
  #quoted = false;
  #start = 0;
  #isHeader = true;

  constructor(cutter: Cutter) {
    this.#cutter = cutter;
  }

  scan(piece: Uint8Array, offset: number): void {
    for (let at = 0; at < piece.length; at += 1) {
      const byte = piece[at];
      if (byte === QUOTE) this.#quoted = !this.#quoted;
      else if (byte === LINE_FEED && !this.#quoted) {
        const end = offset + at + 1;
        if (!this.#isHeader) this.#cutter.record(this.#start, end);
        this.#isHeader = false;
        this.#start = end;
      }
    }
  }
}

/** Objects of the list, from brace to brace. */
class JsonScanner {
  readonly #cutter: Cutter;
  #depth = 0;
  #inText = false;
  #escaped = false;
  #start = 0;

  constructor(cutter: Cutter) {
    this.#cutter = cutter;
  }

  scan(piece: Uint8Array, offset: number): void {
    for (let at = 0; at < piece.length; at += 1) {
      const byte = piece[at];
      if (this.#inText) {
        if (this.#escaped) this.#escaped = false;
        else if (byte === BACKSLASH) this.#escaped = true;
        else if (byte === QUOTE) this.#inText = false;
      } else if (byte === QUOTE) this.#inText = true;
      else if (byte === OPEN_BRACE) {
        if (this.#depth === 0) this.#start = offset + at;
        this.#depth += 1;
      } else if (byte === CLOSE_BRACE) {
        this.#depth -= 1;
        if (this.#depth === 0) this.#cutter.record(this.#start, offset + at + 1);
      }
    }
  }
}
