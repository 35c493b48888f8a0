/**
 * The values of one variable as they come from the caller: checked, counted, encoded, passed on to the column.
 */
import { dataType } from '../data-types.ts';
import { FormatError } from '../errors.ts';
import type { CdfValues } from '../model.ts';
import type { Block, Column } from './column.ts';
import { MAX_RECORDS } from './create.ts';
import type { VariableDraft } from './create.ts';
import { brief } from './schema-shape.ts';
import { encodeTexts, invalid, littleEndianBytes } from './values.ts';

type Numbers = Exclude<CdfValues, readonly string[]>;

export class VariableInput {
  readonly draft: VariableDraft;
  readonly #column: Column;
  readonly #where: string;
  #records = 0;
  #lastTime: number | bigint | undefined;

  constructor(draft: VariableDraft, column: Column) {
    this.draft = draft;
    this.#column = column;
    this.#where = `variable ${draft.name}`;
  }

  /**
   * @throws FormatError `value_invalid` for another array kind, parts of records, more records than declared, NaN without
   *   FILLVAL or too long text; `time_disordered`; `too_large` past 2^31 - 1 records
   */
  async append(values: CdfValues): Promise<void> {
    const bytes = this.#encode(values);
    const records = bytes.byteLength / this.draft.recordBytes;
    if (!Number.isInteger(records)) {
      const perRecord = this.draft.dims.reduce((product, size) => product * size, 1);
      throw invalid(this.#where, `whole records of ${perRecord} values`, `${values.length} values`);
    }
    this.#count(records);
    await this.#column.append(bytes);
  }

  /** @throws FormatError `value_invalid` if a variable of one record has none, or there are fewer than declared */
  async finish(): Promise<Block[]> {
    if (!this.draft.source.recordVarying && this.#records === 0) {
      throw invalid(this.#where, 'one record, as it does not vary with records', 'none');
    }
    const { records } = this.draft;
    if (records !== undefined && this.#records !== records) throw this.#notAsDeclared(records);
    return this.#column.finish();
  }

  #count(records: number): void {
    this.#records += records;
    if (!this.draft.source.recordVarying && this.#records > 1) {
      throw invalid(this.#where, 'exactly one record, as it does not vary with records', `${this.#records} records`);
    }
    const { records: declared } = this.draft;
    if (declared !== undefined && this.#records > declared) throw this.#notAsDeclared(declared);
    if (this.#records > MAX_RECORDS) {
      throw new FormatError('too_large', this.#where, {
        expected: `at most ${MAX_RECORDS} records`,
        got: `${this.#records}`,
      });
    }
  }

  #notAsDeclared(declared: number): FormatError {
    return invalid(this.#where, `${declared} records, as the schema says`, `${this.#records}`);
  }

  #encode(values: CdfValues): Uint8Array {
    const { source, text } = this.draft;
    const type = dataType(source.type);
    if (type.kind === 'text' && isTexts(values)) return encodeTexts(values, text, this.#where);
    if (!(values instanceof type.array)) {
      const expected = `${type.kind === 'text' ? 'a list of texts or ' : ''}a ${type.array.name} for ${source.type}`;
      throw invalid(this.#where, expected, brief(values));
    }
    if (source.monotonic === 'strict') this.#checkOrder(values);
    const filled = type.kind === 'float' ? this.#withoutNan(values as Float32Array | Float64Array) : values;
    return littleEndianBytes(filled, type.elementBytes);
  }

  #checkOrder(values: Numbers): void {
    let last = this.#lastTime;
    for (const value of values) {
      if (last !== undefined ? !(value > last) : Number.isNaN(value)) {
        throw new FormatError('time_disordered', this.#where, { expected: `more than ${last}`, got: `${value}` });
      }
      last = value;
    }
    this.#lastTime = last;
  }

  #withoutNan(values: Float32Array | Float64Array): Float32Array | Float64Array {
    const first = firstNan(values);
    if (first === -1) return values;
    const fill = this.draft.nanFill;
    if (fill === undefined) {
      throw invalid(
        this.#where,
        'a number, or a FILLVAL attribute that stands for NaN',
        `NaN at value ${first} of the batch`,
      );
    }
    return values.map((value) => (Number.isNaN(value) ? fill : value));
  }
}

function firstNan(values: Float32Array | Float64Array): number {
  for (let i = 0; i < values.length; i++) {
    // oxlint-disable-next-line no-self-compare -- NaN alone differs from itself; the quickest test in the hot loop
    if (values[i] !== values[i]) return i;
  }
  return -1;
}

function isTexts(values: CdfValues): values is readonly string[] {
  return Array.isArray(values) && values.every((value) => typeof value === 'string');
}
