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
 * Maps text to codes 0, 1, 2 … in order of first use. Code 0 is the blank. Texts are trimmed.
 */
export class Dictionary {
  readonly #name: string;
  readonly #texts: string[] = [''];
  readonly #codes = new Map<string, number>([['', BLANK_CODE]]);

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
}

/** The four texts of a record that are kept as codes. */
export class Vocabulary {
  readonly sensorIds = new Dictionary('idSensor');
  readonly observatories = new Dictionary('observatoryName');
  readonly descriptions = new Dictionary('obDescription');
  readonly descriptors = new Dictionary('descriptor');
}
