/**
 * Small numbers for texts that repeat: sensors, satellites, descriptions, descriptors.
 */
import { PipelineError } from '../../../core/errors.ts';

/** Codes are stored in 16 bits. */
const MAX_CODES = 0xffff;

/** What a cell may hold in place of a value; UDL's exports and data frames written as text have all of these. */
const BLANKS: ReadonlySet<string> = new Set(['', 'null', 'NULL', 'None', 'NaN', 'nan', 'NA', 'N/A', 'n/a']);

/** Whether a cell's text stands for "no value". */
export function isBlank(text: string): boolean {
  return BLANKS.has(text) || BLANKS.has(text.trim());
}

/** The code of every text that stands for "no value". */
export const BLANK_CODE = 0;

/**
 * Maps text, or its UTF-8 bytes, to codes 0, 1, 2 … in order of first use. Code 0 is the blank. Texts are trimmed.
 */
export class Dictionary {
  readonly #name: string;
  readonly #texts: string[] = [''];
  readonly #codes = new Map<string, number>([['', BLANK_CODE]]);
  /** Open addressing over the byte forms met so far: 1 + index into `#forms`, or 0. */
  #table = new Int32Array(256);
  readonly #forms: { bytes: Uint8Array; code: number }[] = [];

  /** @param name - the field, for messages */
  constructor(name: string) {
    this.#name = name;
  }

  get size(): number {
    return this.#texts.length;
  }

  text(code: number): string {
    return this.#texts[code]!;
  }

  /** @throws PipelineError `input_invalid` when there are more than 65,535 different texts */
  codeOf(text: string): number {
    const known = this.#codes.get(text);
    if (known !== undefined) return known;
    const canonical = isBlank(text) ? '' : text.trim();
    let code = this.#codes.get(canonical);
    if (code === undefined) {
      code = this.#texts.length;
      if (code > MAX_CODES) {
        throw new PipelineError('input_invalid', `More than ${MAX_CODES} different values of ${this.#name}.`, {
          hint: 'A day of REACH has at most a few dozen; check that the file is one.',
        });
      }
      this.#texts.push(canonical);
      this.#codes.set(canonical, code);
    }
    return code;
  }

  /** As `codeOf`, for the text in `bytes[start, end)`; makes no string for a form it has met. */
  codeOfBytes(bytes: Uint8Array, start: number, end: number): number {
    let hash = end - start;
    for (let i = start; i < end; i++) hash = (Math.imul(hash, 31) + bytes[i]!) | 0;
    const mask = this.#table.length - 1;
    // The multiplication leaves the upper bits better mixed than the lower ones.
    let slot = (hash ^ (hash >>> 15)) & mask;
    for (;;) {
      const entry = this.#table[slot]!;
      if (entry === 0) break;
      const form = this.#forms[entry - 1]!;
      if (sameBytes(form.bytes, bytes, start, end)) return form.code;
      slot = (slot + 1) & mask;
    }
    const copy = Buffer.from(bytes.subarray(start, end));
    const code = this.codeOf(copy.toString('utf8'));
    // Beyond this many forms the text map alone serves: the table must not grow with a broken file.
    if (this.#forms.length < MAX_CODES) this.#remember(copy, code, slot);
    return code;
  }

  #remember(bytes: Uint8Array, code: number, slot: number): void {
    this.#forms.push({ bytes, code });
    this.#table[slot] = this.#forms.length;
    if (this.#forms.length * 2 < this.#table.length) return;
    const mask = this.#table.length * 4 - 1;
    this.#table = new Int32Array(mask + 1);
    for (const [index, form] of this.#forms.entries()) {
      let hash = form.bytes.length;
      for (const byte of form.bytes) hash = (Math.imul(hash, 31) + byte) | 0;
      let free = (hash ^ (hash >>> 15)) & mask;
      while (this.#table[free] !== 0) free = (free + 1) & mask;
      this.#table[free] = index + 1;
    }
  }
}

function sameBytes(form: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  const length = end - start;
  if (form.length !== length) return false;
  for (let i = 0; i < length; i++) if (form[i] !== bytes[start + i]) return false;
  return true;
}

/** The four texts of a record that are kept as codes. */
export class Vocabulary {
  readonly sensorIds = new Dictionary('idSensor');
  readonly observatories = new Dictionary('observatoryName');
  readonly descriptions = new Dictionary('obDescription');
  readonly descriptors = new Dictionary('descriptor');
}
