/** The fast way through the records of an answer: those of known shapes are copied by a loop in WebAssembly (ADR 0023). */
import { readFileSync } from 'node:fs';

/** What `wasm/scan` exports: places in its memory, and the loop. */
interface Loop {
  readonly scan: (at: number, limit: number, out: number, shapes: number, shape: number, most: number) => number;
  readonly latestShape: () => number;
  readonly SHAPES: WebAssembly.Global;
  readonly forgetTexts: () => void;
  readonly TEXT_SLOTS: WebAssembly.Global;
  readonly NEW_TEXT: WebAssembly.Global;
  readonly MOST_SHAPES: WebAssembly.Global;
  readonly SHAPE_BYTES: WebAssembly.Global;
  readonly ROWS: WebAssembly.Global;
  readonly ROW_BYTES: WebAssembly.Global;
  readonly MOST_ROWS: WebAssembly.Global;
  readonly SOURCE: WebAssembly.Global;
  readonly SOURCE_BYTES: WebAssembly.Global;
  readonly SLACK_BYTES: WebAssembly.Global;
  readonly OUTPUT: WebAssembly.Global;
  readonly MEMORY_BYTES: WebAssembly.Global;
}

const PAGE_BYTES = 1 << 16;
/** Bytes that are moved at once. */
const ALIGNMENT = 8;
/** A longer record may lie across the end of what is in the loop's memory, and then goes the general way. */
const LONGEST_RECORD = 16 << 10;

/** One for the thread, as large for ever: a window on the answer lies in it, not the answer. */
const memory = new WebAssembly.Memory({ initial: 1 });
const loop = new WebAssembly.Instance(
  new WebAssembly.Module(readFileSync(new URL('./record-copier.wasm', import.meta.url))),
  { env: { memory } },
).exports as Loop;
memory.grow(Math.ceil(loop.MEMORY_BYTES.value / PAGE_BYTES));
const bytes = Buffer.from(memory.buffer);
/** Of the loop's memory. Texts in it are printable ASCII, and there until the next `copy` of anybody. */
export const copiedBytes = new Uint8Array(memory.buffer);
const rows = new Int32Array(memory.buffer, loop.ROWS.value);
const SOURCE = loop.SOURCE.value;
const OUTPUT = loop.OUTPUT.value;
/** More in one slice are not worth remembering. */
export const MOST_SHAPES = loop.MOST_SHAPES.value;
export const SHAPE_BYTES = loop.SHAPE_BYTES.value;
export const TEXT_SLOTS = loop.TEXT_SLOTS.value;
export const NEW_TEXT = loop.NEW_TEXT.value;
const MOST_ROWS = loop.MOST_ROWS.value;
const ROW_FIELDS = loop.ROW_BYTES.value / rows.BYTES_PER_ELEMENT;

/** Where a row tells of what; landmarks have two fields, start and end. */
const SOURCE_END = 0;
const OUTPUT_END = 1;
const TIME_AS_BEFORE = -1;
const SENSOR_SLOT = 10;
const DESCRIPTION_SLOT = 11;
const LANDMARKS = { obTime: 2, idSensor: 4, observatoryName: 6, description: 8 } as const;
/** Places in a record that scanning needs when their values are texts. */
export type Landmark = keyof typeof LANDMARKS;

/** Whose answer and shapes are in the loop's memory. */
let holder = 0;
let copiers = 0;

/** Copies the records of one answer; after `copy` there is a row for each. Any number may be at work in turn. */
export class RecordCopier {
  readonly #source: Uint8Array;
  readonly #length: number;
  readonly #id = (copiers += 1);
  readonly #shapes: Uint8Array[] = [];
  #likeliest = 0;
  /** Ends of the window. */
  #from = 0;
  #to = 0;
  /** Of the latest `copy`, in `copiedBytes`. */
  outputStart = 0;

  /** @param source - the answer, in its first `length` bytes */
  constructor(source: Uint8Array, length: number) {
    this.#source = source;
    this.#length = length;
  }

  get shapes(): readonly Uint8Array[] {
    return this.#shapes;
  }

  /** @param shape - as `template.ts` makes it, `MOST_SHAPES` at most */
  addShape(shape: Uint8Array): void {
    this.#shapes.push(shape);
    if (holder === this.#id) this.#loadShape(this.#shapes.length - 1);
  }

  forgetShapes(): void {
    this.#shapes.length = 0;
    this.#likeliest = 0;
  }

  /** Every text that comes next is new. */
  forgetTexts(): void {
    if (holder === this.#id) loop.forgetTexts();
  }

  /**
   * Copies up to `most` records, the first one at `at`, each but the last followed by a comma, until one has no known shape.
   *
   * @param outAt - where the output will go: copying it into shared memory is five times as fast from an address like that
   * @returns how many
   */
  copy(at: number, most: number, outAt: number): number {
    this.outputStart = OUTPUT + (outAt % ALIGNMENT);
    if (this.#shapes.length === 0) return 0;
    if (holder !== this.#id) {
      holder = this.#id;
      loop.forgetTexts();
      for (let index = 0; index < this.#shapes.length; index += 1) this.#loadShape(index);
      this.#load(at);
    } else if (at < this.#from || (this.#to < this.#length && this.#to - at < LONGEST_RECORD)) this.#load(at);
    const first = SOURCE + at - this.#from;
    const limit = SOURCE + this.#to - this.#from;
    const shapes = this.#shapes.length;
    const copied = loop.scan(first, limit, this.outputStart, shapes, this.#likeliest, Math.min(most, MOST_ROWS));
    if (copied > 0) this.#likeliest = loop.latestShape();
    return copied;
  }

  /** Where the row's record ends in the answer. */
  sourceEnd(row: number): number {
    return rows[row * ROW_FIELDS + SOURCE_END]! - SOURCE + this.#from;
  }

  /** Where the row's record ends in `copiedBytes`; it begins where the one before it ends, the first one at `outputStart`. */
  outputEnd(row: number): number {
    return rows[row * ROW_FIELDS + OUTPUT_END]!;
  }

  /** Null when the value is no text. */
  text(row: number, landmark: Landmark): string | null {
    const end = this.end(row, landmark);
    return end === 0 ? null : bytes.toString('latin1', this.start(row, landmark), end);
  }

  /** Where the text is in `copiedBytes`. */
  start(row: number, landmark: Landmark): number {
    return rows[row * ROW_FIELDS + LANDMARKS[landmark]]!;
  }

  /** 0 when the value is no text. */
  end(row: number, landmark: Landmark): number {
    return rows[row * ROW_FIELDS + LANDMARKS[landmark] + 1]!;
  }

  isTimeAsBefore(row: number): boolean {
    return rows[row * ROW_FIELDS + LANDMARKS.obTime + 1] === TIME_AS_BEFORE;
  }

  /** Number of the row's text, below `TEXT_SLOTS`; with `NEW_TEXT` when it meant something else before; -1 for none. */
  sensorSlot(row: number): number {
    return rows[row * ROW_FIELDS + SENSOR_SLOT]!;
  }

  descriptionSlot(row: number): number {
    return rows[row * ROW_FIELDS + DESCRIPTION_SLOT]!;
  }

  #loadShape(index: number): void {
    bytes.set(this.#shapes[index]!, loop.SHAPES.value + index * SHAPE_BYTES);
  }

  #load(at: number): void {
    this.#from = at;
    this.#to = Math.min(this.#length, at + loop.SOURCE_BYTES.value);
    bytes.set(this.#source.subarray(at, this.#to), SOURCE);
    const end = SOURCE + this.#to - at;
    bytes.fill(0, end, end + loop.SLACK_BYTES.value);
  }
}
