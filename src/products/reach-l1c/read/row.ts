/**
 * One reading on its way from an artifact to a consumer, and what else a reader has to say about a file.
 */
import type { Vocabulary } from './dictionary.ts';

// Places in `Row.numbers`.
export const OB_TIME = 0;
export const CREATED_AT = 1;
export const OB_VALUE = 2;
export const OB_QUALITY = 3;
export const LAT = 4;
export const LON = 5;
export const ALT = 6;
export const SEN_POS = 7;
export const ROW_NUMBERS = 10;

/** `createdAt` of a record that has none: older than any (CDF-12). */
export const NEVER = -Infinity;

/**
 * One element of a record's `seoList` with the record's own fields. Readers fill the same object again and again.
 */
export class Row {
  /**
   * `obTime` and `createdAt` as instants (see `instant.ts`; `createdAt` may be `NEVER`), then `obValue`, `obQuality`,
   * `lat` and `lon` in degrees, `alt` and the three `senPos` in km; NaN where the source has no value.
   */
  readonly numbers = new Float64Array(ROW_NUMBERS);
  /** Codes of the reader's `Vocabulary`; `BLANK_CODE` for an absent id or observatory. The last two are never blank. */
  sensorId = 0;
  observatory = 0;
  description = 0;
  descriptor = 0;
  /** Position in the record's `seoList`; more than 0 only in records with several elements (CDF-D15). */
  element = 0;
}

// Places in the codes of a row of a block, as in `wasm/rows/texts.ts`.
export const SENSOR_ID = 0;
export const OBSERVATORY = 1;
export const DESCRIPTION = 2;
export const DESCRIPTOR = 3;
export const ROW_CODES = 4;

/** Rows as columns of numbers: what `Row` holds, for each of them. Reused for the next block. */
export class RowBlock {
  readonly numbers: Float64Array;
  readonly codes: Uint16Array;
  size = 0;
  readonly #row = new Row();

  /** @param numbers - `ROW_NUMBERS` a row @param codes - `ROW_CODES` a row */
  constructor(numbers: Float64Array, codes: Uint16Array) {
    this.numbers = numbers;
    this.codes = codes;
  }

  /** The row at `index`; the object is reused. */
  row(index: number): Row {
    const row = this.#row;
    row.numbers.set(this.numbers.subarray(index * ROW_NUMBERS, (index + 1) * ROW_NUMBERS));
    row.sensorId = this.codes[index * ROW_CODES + SENSOR_ID]!;
    row.observatory = this.codes[index * ROW_CODES + OBSERVATORY]!;
    row.description = this.codes[index * ROW_CODES + DESCRIPTION]!;
    row.descriptor = this.codes[index * ROW_CODES + DESCRIPTOR]!;
    return row;
  }
}

/** A record by field name: text in a CSV, native values in JSON. */
export type RecordFields = Readonly<Record<string, unknown>>;

/** Why a record was set aside (CDF-D10). Names are public: they are stored and reported. */
export type RejectReason =
  | 'csv_malformed'
  | 'cell_count'
  | 'json_malformed'
  | 'not_an_object'
  | 'time_missing'
  | 'time_invalid'
  | 'sensor_invalid'
  | 'descriptor_missing'
  | 'readings_missing'
  | 'readings_invalid'
  | 'description_missing'
  | 'quality_missing'
  | 'quality_invalid'
  | 'coordinate_invalid'
  | 'position_invalid';

export interface Rejection {
  readonly reason: RejectReason;
  /** Names the field and its text, shortened. */
  readonly detail: string;
  /** The record, unless not even its fields could be told apart. */
  readonly fields: RecordFields | null;
}

/** Something odd about a record that is used all the same. */
export type ReadingNote = 'value_not_numeric' | 'created_at_unreadable' | 'several_readings';

/** Takes what a reader finds, in file order. Every record ends in one `reject` or in one `accept` per element. */
export interface RowConsumer {
  readonly vocabulary: Vocabulary;
  /** The needed fields that the file has: a CSV's header before any row, the keys met when JSON is at its end. */
  columns(names: ReadonlySet<string>): void;
  accept(row: Row): void;
  /** As many calls of `accept`, each with the only element of its record. */
  acceptBlock(block: RowBlock): void;
  reject(rejection: Rejection): void;
  note(note: ReadingNote): void;
}

/** The fields that a product needs (UDL-32). */
export const NEEDED_FIELDS = [
  'idSensor',
  'observatoryName',
  'obTime',
  'createdAt',
  'seoList',
  'senPos',
  'lat',
  'lon',
  'alt',
  'descriptor',
] as const;
export type NeededField = (typeof NEEDED_FIELDS)[number];

const MAX_SHOWN = 120;

/** A value for a message: JSON text, shortened. */
export function shown(value: unknown): string {
  const text = value === undefined ? 'absent' : JSON.stringify(value);
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
}
