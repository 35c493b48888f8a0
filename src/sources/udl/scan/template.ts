/**
 * A record's shape: the bytes between its values, and what the output has in their place.
 *
 * A record of the same shape is copied value by value while its other bytes are compared, without making a string. The
 * comparison is the check of the keys: nothing is assumed. Where a value needs more than copying (an escape, a byte outside
 * printable ASCII, a cell that would need quotes) the record is refused and goes the general way.
 */
import type { ArtifactFormat } from '../../../core/product.ts';
import { NumberToken } from './python-literal.ts';
import type { JsonRecord, JsonValue } from './python-literal.ts';

/** How a value is written: as a CSV cell, inside a Python literal in a cell without or with quotes, or as JSON. */
const CELL = 0;
const LITERAL = 1;
const QUOTED_LITERAL = 2;
const JSON_VALUE = 3;
type ValueMode = typeof CELL | typeof LITERAL | typeof QUOTED_LITERAL | typeof JSON_VALUE;

/**
 * Bytes are compared and copied by eight, as doubles. That is exact: each eight begin with a byte of ASCII, and so are no NaN. What
 * is copied too much at the end of a part is overwritten by the next one.
 */
export const WORD_BYTES = 8;

const QUOTE = 0x22;
const APOSTROPHE = 0x27;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;

/** By mode: 1 for bytes that end plain copying of a text. */
const STOPS: readonly Uint8Array[] = [[COMMA], [COMMA, APOSTROPHE], [APOSTROPHE], []].map((extra) => {
  const stops = new Uint8Array(256).fill(1, 0x7f).fill(1, 0, 0x20);
  for (const byte of [QUOTE, BACKSLASH, ...extra]) stops[byte] = 1;
  return stops;
});

const ascii = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0));

/** `null`, `true`, `false` by first byte, and how the modes write them. */
const KEYWORDS = new Map<number, { readonly json: Uint8Array; readonly written: readonly Uint8Array[] }>(
  (
    [
      ['null', '', 'None'],
      ['true', 'True', 'True'],
      ['false', 'False', 'False'],
    ] as const
  ).map(([json, cell, literal]) => [
    json.charCodeAt(0),
    { json: ascii(json), written: [ascii(cell), ascii(literal), ascii(literal), ascii(json)] },
  ]),
);

/** Places in a record that scanning needs: their values are texts when `Template.ends` is not negative. */
export type Landmark = 'obTime' | 'idSensor' | 'observatoryName' | 'description';

export class Template {
  /** Most bytes that the parts between the values take in the output. */
  readonly fixedBytes: number;
  /** By value, after a match: where its text is in the source; `ends` is -1 when the value is no text. */
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  /** Index of each landmark's value, -1 when records of this shape do not have it. */
  readonly landmarks: Readonly<Record<Landmark, number>>;
  /** After a match: where the output goes on. */
  outEnd = 0;
  readonly #modes: Uint8Array;
  /** Bytes before each value and after the last one, one behind the other, and where each part ends. */
  readonly #expected: Uint8Array;
  readonly #expectedWords: DataView;
  readonly #expectedEnds: Int32Array;
  readonly #written: DataView;
  readonly #writtenEnds: Int32Array;

  constructor(shape: Shape) {
    this.#modes = Uint8Array.from(shape.modes);
    [this.#expected, this.#expectedEnds] = concatenate(shape.expected);
    this.#expectedWords = wordsOf(this.#expected);
    const [written, writtenEnds] = concatenate(shape.written);
    this.#written = wordsOf(written);
    this.#writtenEnds = writtenEnds;
    this.landmarks = {
      obTime: shape.landmarks.get('obTime') ?? -1,
      idSensor: shape.landmarks.get('idSensor') ?? -1,
      observatoryName: shape.landmarks.get('observatoryName') ?? -1,
      description: shape.landmarks.get('description') ?? -1,
    };
    this.starts = new Int32Array(shape.modes.length);
    this.ends = new Int32Array(shape.modes.length);
    // Keywords can be longer in the output than in the source, quotes of texts are counted with the source.
    this.fixedBytes = written.length + 8 * shape.modes.length;
  }

  /** Whether `other` matches the same records. */
  sameAs(other: Template): boolean {
    return (
      Buffer.compare(this.#expected, other.#expected) === 0 && this.#expectedEnds.join() === other.#expectedEnds.join()
    );
  }

  /**
   * Copies the record at `at` when it has this shape. Source and output must not overlap; the source must be followed by a
   * zero byte and seven more, the output must have room for `fixedBytes`, the rest of the source and eight bytes.
   *
   * @param words - of `source`
   * @returns where the source goes on behind the record; -1 when it has another shape (the output is garbage then)
   */
  match(source: Uint8Array, words: DataView, at: number, out: DataView, outAt: number): number {
    const expected = this.#expected;
    const expectedWords = this.#expectedWords;
    const written = this.#written;
    const count = this.#modes.length;
    let e = 0;
    let w = 0;
    let p = at;
    let o = outAt;
    for (let index = 0; ; index += 1) {
      const partEnd = this.#expectedEnds[index]!;
      for (; e + WORD_BYTES <= partEnd; e += WORD_BYTES, p += WORD_BYTES)
        if (words.getFloat64(p) !== expectedWords.getFloat64(e)) return -1;
      for (; e < partEnd; e += 1, p += 1) if (source[p] !== expected[e]) return -1;
      const until = this.#writtenEnds[index]!;
      for (; w < until; w += WORD_BYTES, o += WORD_BYTES) out.setFloat64(o, written.getFloat64(w));
      o += until - w;
      w = until;
      if (index === count) break;
      const mode = this.#modes[index]!;
      const first = source[p]!;
      if (first === QUOTE) {
        p += 1;
        this.starts[index] = p;
        if (mode !== CELL) out.setUint8(o++, mode === JSON_VALUE ? QUOTE : APOSTROPHE);
        const stops = STOPS[mode]!;
        let end = p;
        while (stops[source[end]!] === 0) end += 1;
        if (source[end] !== QUOTE) return -1;
        this.ends[index] = end;
        for (; p < end; p += WORD_BYTES, o += WORD_BYTES) out.setFloat64(o, words.getFloat64(p));
        o += end - p;
        p = end + 1;
        if (mode !== CELL) out.setUint8(o++, mode === JSON_VALUE ? QUOTE : APOSTROPHE);
        continue;
      }
      this.ends[index] = -1;
      const end = numberEnd(source, p);
      if (end > 0) {
        for (; p < end; p += WORD_BYTES, o += WORD_BYTES) out.setFloat64(o, words.getFloat64(p));
        o += end - p;
        p = end;
        continue;
      }
      const keyword = KEYWORDS.get(first);
      if (!keyword) return -1;
      for (const letter of keyword.json) if (source[p++] !== letter) return -1;
      for (const letter of keyword.written[mode]!) out.setUint8(o++, letter);
    }
    this.outEnd = o;
    return p;
  }
}

const isDigit = (byte: number): boolean => byte >= 0x30 && byte <= 0x39;

/** End of the JSON number at `at`, -1 when there is none. */
function numberEnd(source: Uint8Array, at: number): number {
  let p = source[at] === 0x2d ? at + 1 : at;
  if (source[p] === 0x30) p += 1;
  else if (isDigit(source[p]!)) while (isDigit(source[p]!)) p += 1;
  else return -1;
  if (source[p] === 0x2e) {
    if (!isDigit(source[p + 1]!)) return -1;
    p += 2;
    while (isDigit(source[p]!)) p += 1;
  }
  if (source[p] === 0x65 || source[p] === 0x45) {
    p += source[p + 1] === 0x2b || source[p + 1] === 0x2d ? 2 : 1;
    if (!isDigit(source[p]!)) return -1;
    while (isDigit(source[p]!)) p += 1;
  }
  return p;
}

/** The bytes with room for a word behind the last one. */
function wordsOf(bytes: Uint8Array): DataView {
  const padded = new Uint8Array(bytes.length + WORD_BYTES);
  padded.set(bytes);
  return new DataView(padded.buffer);
}

function concatenate(parts: readonly string[]): [Uint8Array, Int32Array] {
  let end = 0;
  const ends = Int32Array.from(parts, (part) => (end += part.length));
  return [ascii(parts.join('')), ends];
}

/** Parts before each value and after the last one, as they come and as they are written; one more than modes. */
interface Shape {
  readonly expected: string[];
  readonly written: string[];
  readonly modes: ValueMode[];
  readonly landmarks: Map<Landmark, number>;
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
): Template | null {
  const learner = new Learner(text, record, columns, format);
  return learner.learn() ? new Template(learner.shape) : null;
}

/** Keys that mean the same in JSON, CSV and Python without any escape, and that JavaScript does not reorder. */
const PLAIN_KEY = /^[A-Za-z_$][\w$. -]*$/;

const LANDMARKS: ReadonlyMap<string, Landmark> = new Map([
  ['.obTime', 'obTime'],
  ['.idSensor', 'idSensor'],
  ['.observatoryName', 'observatoryName'],
  ['.seoList[0].obDescription', 'description'],
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
    if (landmark) this.shape.landmarks.set(landmark, this.shape.modes.length);
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
