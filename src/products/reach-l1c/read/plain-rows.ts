/**
 * The fast way to read the rows of a CSV: straight from bytes into blocks of numbers and codes, without making strings.
 *
 * Understands what nearly every row is: ten needed cells, one reading, no escapes. Whenever anything else turns up it stops
 * before that row, having changed nothing, and the general way decides (`csv-reader.ts`). The reading itself is `wasm/rows`.
 */
import { newByteLoops } from './byte-loops.ts';
import type { ByteLoops } from './byte-loops.ts';
import type { Vocabulary } from './dictionary.ts';
import { ROW_CODES, ROW_NUMBERS, RowBlock } from './row.ts';
import type { NeededField } from './row.ts';

/** What a column is, as in `wasm/rows/index.ts`; numbers above are for columns to skip, so many as they are more than `LAST_KIND`. */
const KINDS: Readonly<Record<NeededField, number>> = {
  idSensor: 1,
  observatoryName: 2,
  obTime: 3,
  createdAt: 4,
  lat: 5,
  lon: 6,
  alt: 7,
  descriptor: 8,
  seoList: 9,
  senPos: 10,
};
const LAST_KIND = 10;
const MOST_SKIPPED = 255 - LAST_KIND;

export class PlainRowReader {
  /** Where the rows go. */
  readonly block: RowBlock;
  /** Where the file's bytes are to be. */
  readonly buffer: Buffer;
  readonly #loops: ByteLoops;

  /** @param inputBytes - size of the buffer; a zero must stand behind the last byte of the file, and no plain row contains one */
  constructor(inputBytes: number, vocabulary: Vocabulary) {
    const { sensorIds, observatories, descriptions, descriptors } = vocabulary;
    const dictionaries = [sensorIds, observatories, descriptions, descriptors];
    this.#loops = newByteLoops(inputBytes, (field, start, end) =>
      dictionaries[field]!.codeOf(this.buffer.toString('utf8', start - INPUT.value, end - INPUT.value)),
    );
    const { memory, INPUT, NUMBERS, CODES, MAX_ROWS } = this.#loops;
    this.buffer = Buffer.from(memory.buffer, INPUT.value, inputBytes);
    this.block = new RowBlock(
      new Float64Array(memory.buffer, NUMBERS.value, MAX_ROWS.value * ROW_NUMBERS),
      new Uint16Array(memory.buffer, CODES.value, MAX_ROWS.value * ROW_CODES),
    );
  }

  /**
   * @param columns - the header: the needed field in each place, null for a column to skip
   * @returns false when there are too many
   */
  setColumns(columns: readonly (NeededField | null)[]): boolean {
    const { memory, COLUMNS, MAX_COLUMNS } = this.#loops;
    if (columns.length > MAX_COLUMNS.value) return false;
    const kinds: number[] = [];
    for (const name of columns) {
      const before = kinds.at(-1) ?? 0;
      if (name !== null) kinds.push(KINDS[name]);
      else if (before > LAST_KIND && before < LAST_KIND + MOST_SKIPPED) kinds[kinds.length - 1] = before + 1;
      else kinds.push(LAST_KIND + 1);
    }
    new Uint8Array(memory.buffer, COLUMNS.value).set(kinds);
    this.#loops.setColumns(kinds.length);
    return true;
  }

  /**
   * Reads the rows from `start` on into the block, up to one that is not plain or does not end inside the buffer, or until
   * the block is full.
   *
   * @returns where the row begins that was not read
   */
  read(start: number): number {
    const { INPUT } = this.#loops;
    this.block.size = this.#loops.readRows(INPUT.value + start);
    return this.#loops.next() - INPUT.value;
  }
}
