/**
 * A record's shape: the bytes between its values, and what the output has in their place.
 *
 * A record of the same shape is copied value by value while its other bytes are compared, without making a string. The
 * comparison is the check of the keys: nothing is assumed. Where a value needs more than copying (an escape, a byte outside
 * printable ASCII, a cell that would need quotes) the record is refused and goes the general way.
 */
import type { ArtifactFormat } from '../../../core/product.ts';
import { SHAPE_BYTES } from './record-copier.ts';
import { NumberToken } from './python-literal.ts';
import type { JsonRecord, JsonValue } from './python-literal.ts';

/** How a value is written: as a CSV cell, inside a Python literal in a cell without or with quotes, or as JSON. */
const CELL = 0;
const LITERAL = 1;
const QUOTED_LITERAL = 2;
const JSON_VALUE = 3;
type ValueMode = typeof CELL | typeof LITERAL | typeof QUOTED_LITERAL | typeof JSON_VALUE;
/** Behind the last value. */
const END = 4;

/** By mode: two bytes that no text may have beside `"`, `\` and what is no printable ASCII; and what texts are put into. */
const STOPS: readonly string[] = [',,', `,'`, `''`, '""', '""'];
const QUOTES: readonly string[] = ['\0', `'`, `'`, '"', '\0'];

/** `wasm/scan` reads and writes so many bytes at once. */
const VECTOR_BYTES = 16;

/** A shape as `wasm/scan` reads it. @returns null when it is too long for that */
function encode(shape: Shape): Uint8Array | null {
  const header = Buffer.alloc(VECTOR_BYTES);
  header.writeUInt32LE(shape.written.join('').length + 2 * shape.modes.length);
  const pieces: Uint8Array[] = [header];
  for (const [index, expected] of shape.expected.entries()) {
    const written = shape.written[index]!;
    const mode = shape.modes[index] ?? END;
    const part = Buffer.alloc(VECTOR_BYTES);
    part.writeUInt32LE(expected.length);
    part.writeUInt32LE(written.length, 4);
    part[8] = mode;
    part[9] = shape.landmarks.get(index) ?? 0;
    part.write(STOPS[mode]! + QUOTES[mode]!, 10, 'latin1');
    pieces.push(part, padded(expected), padded(written));
  }
  const bytes = Buffer.concat(pieces);
  return bytes.length > SHAPE_BYTES ? null : bytes;
}

function padded(text: string): Buffer {
  const bytes = Buffer.alloc(Math.ceil(text.length / VECTOR_BYTES) * VECTOR_BYTES);
  bytes.write(text, 'latin1');
  return bytes;
}

/** Parts before each value and after the last one, as they come and as they are written; one more than modes. */
interface Shape {
  readonly expected: string[];
  readonly written: string[];
  readonly modes: ValueMode[];
  /** By index of the value. */
  readonly landmarks: Map<number, number>;
}

/**
 * Learns the shape of one record.
 *
 * @param text - one JSON object, without surrounding white space
 * @param record - what it means
 * @param columns - of the CSV; keys of the record must appear among them in the same order
 * @returns null when records of this shape must go the general way
 */
export function learnTemplate(
  text: string,
  record: JsonRecord,
  columns: readonly string[],
  format: ArtifactFormat,
): Uint8Array | null {
  const learner = new Learner(text, record, columns, format);
  return learner.learn() ? encode(learner.shape) : null;
}

/** Keys that mean the same in JSON, CSV and Python without any escape, and that JavaScript does not reorder. */
const PLAIN_KEY = /^[A-Za-z_$][\w$. -]*$/;

/** By path: what `wasm/scan` knows the value as. */
const LANDMARKS: ReadonlyMap<string, number> = new Map([
  ['.obTime', 1],
  ['.idSensor', 2],
  ['.observatoryName', 3],
  ['.seoList[0].obDescription', 4],
]);

/** Whether a Python literal of this value has a comma between members. */
function hasComma(value: JsonValue): boolean {
  if (typeof value !== 'object' || value === null || value instanceof NumberToken) return false;
  const members: readonly JsonValue[] = Object.values(value);
  return members.length > 1 || members.some(hasComma);
}

class Learner {
  readonly shape: Shape = { expected: [], written: [], modes: [], landmarks: new Map() };
  readonly #text: string;
  readonly #record: JsonRecord;
  readonly #columns: readonly string[];
  readonly #csv: boolean;
  #at = 0;
  /** End of the latest value. */
  #valueEnd = 0;
  #written = '';

  constructor(text: string, record: JsonRecord, columns: readonly string[], format: ArtifactFormat) {
    this.#text = text;
    this.#record = record;
    this.#columns = columns;
    this.#csv = format === 'csv';
    if (!this.#csv) this.#written = ', ';
  }

  /** @returns false when the shape cannot be learnt */
  learn(): boolean {
    const known = this.#csv ? this.#row() : this.#nested('', JSON_VALUE);
    if (!known) return false;
    this.shape.expected.push(this.#text.slice(this.#valueEnd));
    this.shape.written.push(this.#written);
    return true;
  }

  #row(): boolean {
    let column = 0;
    const known = this.#members((key) => {
      const index = this.#columns.indexOf(key, column);
      if (index < 0) return false;
      this.#written += ','.repeat(index - column + (column > 0 ? 1 : 0));
      column = index + 1;
      return this.#cell(key);
    });
    // `column` counts cells written; what is missing behind the last one leaves empty cells.
    this.#written += `${','.repeat(this.#columns.length - column)}\r\n`;
    return known;
  }

  #cell(key: string): boolean {
    // The structure tells whether the cell needs quotes; a comma inside a text refuses a record whose cell has none.
    const mode = hasComma(this.#record[key] ?? null) ? QUOTED_LITERAL : LITERAL;
    if (!this.#startsNested()) return this.#value(`.${key}`, CELL);
    const quote = mode === QUOTED_LITERAL ? '"' : '';
    this.#written += quote;
    const known = this.#nested(`.${key}`, mode);
    this.#written += quote;
    return known;
  }

  #value(path: string, mode: ValueMode): boolean {
    if (this.#startsNested()) return this.#nested(path, mode);
    const landmark = LANDMARKS.get(path);
    if (landmark !== undefined) this.shape.landmarks.set(this.shape.modes.length, landmark);
    this.shape.modes.push(mode);
    this.shape.expected.push(this.#text.slice(this.#valueEnd, this.#at));
    this.shape.written.push(this.#written);
    this.#written = '';
    this.#at = this.#valueEnd = this.#scalarEnd();
    return true;
  }

  #nested(path: string, mode: ValueMode): boolean {
    const quote = mode === JSON_VALUE ? '"' : "'";
    const isList = this.#text[this.#at] === '[';
    let first = true;
    this.#written += isList ? '[' : '{';
    const separate = (): void => {
      if (!first) this.#written += ', ';
      first = false;
    };
    const known = isList
      ? this.#elements((index) => {
          separate();
          return this.#value(`${path}[${index}]`, mode);
        })
      : this.#members((key) => {
          separate();
          this.#written += `${quote}${key}${quote}: `;
          return this.#value(`${path}.${key}`, mode);
        });
    this.#written += isList ? ']' : '}';
    return known;
  }

  /** Visits the members of the object at `#at` and goes behind it. Stops with false at a key that must not be learnt. */
  #members(visit: (key: string) => boolean): boolean {
    const keys = new Set<string>();
    return this.#elements(() => {
      const end = this.#scalarEnd();
      const key = this.#text.slice(this.#at + 1, end - 1);
      if (!PLAIN_KEY.test(key) || keys.has(key)) return false;
      keys.add(key);
      this.#at = end;
      this.#skipSpace();
      this.#at += 1;
      this.#skipSpace();
      return visit(key);
    });
  }

  #elements(visit: (index: number) => boolean): boolean {
    this.#at += 1;
    for (let index = 0; ; index += 1) {
      this.#skipSpace();
      if (/[\]}]/.test(this.#text[this.#at] ?? ']')) break;
      if (index > 0) {
        this.#at += 1;
        this.#skipSpace();
      }
      if (!visit(index)) return false;
    }
    this.#at += 1;
    return true;
  }

  #startsNested(): boolean {
    return this.#text[this.#at] === '[' || this.#text[this.#at] === '{';
  }

  #scalarEnd(): number {
    const scalar = /"(?:[^"\\]|\\.)*"|[^\s,\]}]+/y;
    scalar.lastIndex = this.#at;
    return scalar.test(this.#text) ? scalar.lastIndex : this.#text.length;
  }

  #skipSpace(): void {
    while (/\s/.test(this.#text[this.#at] ?? '')) this.#at += 1;
  }
}
