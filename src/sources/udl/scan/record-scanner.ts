/**
 * From the bytes of an answer to the bytes of the artifact, a few hundred records at a time so that a thread can do other
 * things between. README.md of the source says what counts as data and how scanning works.
 */
import type { ArtifactFormat } from '../../../core/product.ts';
import type { RecordCounts } from '../../../core/records/counts.ts';
import type { Slice } from '../../../core/slices.ts';
import type { RecycledBuffer } from '../recycled-buffer.ts';
import { parseObTime } from './ob-time.ts';
import { description, isRecord, parseJson, textMember, writeRecord } from './parsed-record.ts';
import type { JsonRecord, JsonValue } from './python-literal.ts';
import { ReadingCounter } from './reading-counter.ts';
import { MOST_SHAPES, NEW_TEXT, RecordCopier, TEXT_SLOTS, copiedBytes } from './record-copier.ts';
import { learnTemplate } from './template.ts';

/** The answer is no list of records; the message says what it is instead. */
export class PayloadError extends Error {
  override readonly name = 'PayloadError';
}

export interface ScanResult {
  /** Records in the answer; 0 only for `[]`. */
  readonly received: number;
  readonly columns: readonly string[];
  readonly counts: RecordCounts;
  /** Records outside the slice, not kept. */
  readonly outside: number;
  /** Records that went through `JSON.parse`. */
  readonly parsed: number;
}

const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const OPEN_RECORD = 0x7b;
const COMMA = 0x2c;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];

/** Between two records of JSON. */
const SEPARATOR = ', ';
const MOST_LESSONS = 16;
/** A server's clock or rounding may put a record this far beside what was asked. */
const FOREIGN_SLACK_MS = 1_000;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export class RecordScanner {
  readonly #source: Uint8Array;
  readonly #length: number;
  readonly #slice: Slice;
  readonly #format: ArtifactFormat;
  readonly #out: RecycledBuffer;
  readonly #copier: RecordCopier;
  #counter = new ReadingCounter();
  #columns: string[] = [];
  #lessons = 0;
  #received = 0;
  #outside = 0;
  #foreign = 0;
  #parsed = 0;
  #at = 0;
  #firstRecord = 0;
  #state: 'start' | 'records' | 'lone_record' | 'done' = 'start';
  /** Of the latest copied record. */
  #timeMs = Number.NaN;
  /** The counter's numbers by those of the copier; -1 for a blank sensor. */
  readonly #sensors = new Int32Array(TEXT_SLOTS);
  readonly #descriptions = new Int32Array(TEXT_SLOTS);

  /**
   * @param body - the whole answer; the byte behind it is overwritten
   * @param out - empty; receives CSV rows or JSON records
   */
  constructor(body: RecycledBuffer, out: RecycledBuffer, slice: Slice, format: ArtifactFormat) {
    // No text, number, key or white space goes on over this: scanning never passes the end.
    body.bytes[body.length] = 0;
    this.#source = body.bytes;
    this.#length = body.length;
    this.#copier = new RecordCopier(body.bytes, body.length);
    this.#out = out;
    this.#slice = slice;
    this.#format = format;
  }

  /**
   * Goes on for at most `records` records.
   *
   * @returns whether everything is scanned
   * @throws PayloadError
   */
  step(records: number): boolean {
    if (this.#state === 'start') this.#open();
    for (let left = records; left > 0 && this.#state !== 'done'; left -= 1) {
      const copied = this.#copy(left);
      if (copied > 0) {
        this.#separator(this.#copier.sourceEnd(copied - 1));
        left -= copied - 1;
        continue;
      }
      const next = this.#parse(this.#at);
      if (next < 0) this.#restart();
      else this.#separator(next);
    }
    return this.#state === 'done';
  }

  /** @throws PayloadError when no record lies where records were asked for: the server answered something else */
  result(): ScanResult {
    if (this.#received > 0 && this.#foreign === this.#received) {
      throw new PayloadError(`all ${this.#received} records lie outside the time range that was asked for`);
    }
    return {
      received: this.#received,
      columns: this.#columns,
      counts: this.#counter.counts(),
      outside: this.#outside,
      parsed: this.#parsed,
    };
  }

  #open(): void {
    const source = this.#source;
    const start = BYTE_ORDER_MARK.every((byte, index) => source[index] === byte) ? BYTE_ORDER_MARK.length : 0;
    const at = this.#skipSpace(start);
    if (at >= this.#length) throw new PayloadError('the answer is empty');
    if (source[at] === OPEN_RECORD) {
      this.#state = 'lone_record';
      this.#at = this.#firstRecord = at;
      return;
    }
    if (source[at] !== OPEN_LIST) throw new PayloadError('the answer is no JSON list');
    this.#state = 'records';
    this.#at = this.#firstRecord = this.#skipSpace(at + 1);
    if (source[this.#at] === CLOSE_LIST) this.#close(this.#at + 1);
  }

  /** Goes behind what follows a record. */
  #separator(next: number): void {
    const at = this.#skipSpace(next);
    if (this.#state === 'lone_record') this.#close(at);
    else if (this.#source[at] === COMMA) this.#at = this.#skipSpace(at + 1);
    else if (this.#source[at] === CLOSE_LIST) this.#close(at + 1);
    else
      throw new PayloadError(
        at >= this.#length ? 'the JSON ends early' : `the JSON is broken behind record ${this.#received}`,
      );
  }

  #close(at: number): void {
    if (this.#skipSpace(at) < this.#length) throw new PayloadError('something follows the JSON list');
    this.#state = 'done';
  }

  /** Goes on with records of known shapes. @returns how many were taken */
  #copy(most: number): number {
    const copier = this.#copier;
    const copied = copier.copy(this.#at, most, this.#out.length);
    // What is not kept lies between the pieces that are.
    let start = this.#pieceStart(copier.outputStart);
    let end = 0;
    let row = 0;
    for (; row < copied; row += 1) {
      // A time in another notation is for the general way.
      if (!copier.isTimeAsBefore(row)) {
        const timeMs = parseObTime(copier.text(row, 'obTime') ?? '');
        if (Number.isNaN(timeMs)) {
          copier.forgetTexts();
          break;
        }
        this.#timeMs = timeMs;
      }
      this.#received += 1;
      const sensor = this.#sensorAt(row);
      const description = this.#descriptionAt(row);
      if (this.#isKept(this.#timeMs)) this.#counter.add(sensor, description, this.#timeMs);
      else {
        if (end > start) this.#out.append(copiedBytes.subarray(start, end));
        start = this.#pieceStart(copier.outputEnd(row));
      }
      end = copier.outputEnd(row);
    }
    if (end > start) this.#out.append(copiedBytes.subarray(start, end));
    return row;
  }

  /** Where a piece of output begins whose first record is at `at`: the very first one has no comma before it. */
  #pieceStart(at: number): number {
    return this.#format === 'json' && this.#counter.records === 0 ? at + SEPARATOR.length : at;
  }

  /** Counts a record that lies outside the slice. */
  #isKept(timeMs: number): boolean {
    const { startMs, endMs, queryStartMs, queryEndMs } = this.#slice;
    if (timeMs >= startMs && timeMs < endMs) return true;
    this.#outside += 1;
    if (timeMs < queryStartMs - FOREIGN_SLACK_MS || timeMs > queryEndMs + FOREIGN_SLACK_MS) this.#foreign += 1;
    return false;
  }

  #sensorAt(row: number): number {
    const copier = this.#copier;
    const slot = copier.sensorSlot(row);
    let sensor: number;
    if (slot >= 0 && slot < NEW_TEXT) sensor = this.#sensors[slot]!;
    else {
      sensor = this.#counter.sensorOfBytes(copiedBytes, copier.start(row, 'idSensor'), copier.end(row, 'idSensor'));
      if (slot >= 0) this.#sensors[slot - NEW_TEXT] = sensor;
    }
    // A blank id says nothing; another one may be meant each time.
    if (sensor >= 0) return sensor;
    return this.#counter.sensorOfTexts(copier.text(row, 'idSensor'), copier.text(row, 'observatoryName'));
  }

  #descriptionAt(row: number): number {
    const copier = this.#copier;
    const slot = copier.descriptionSlot(row);
    if (slot >= 0 && slot < NEW_TEXT) return this.#descriptions[slot]!;
    const end = copier.end(row, 'description');
    const description = this.#counter.descriptionOfBytes(copiedBytes, copier.start(row, 'description'), end);
    if (slot >= 0) this.#descriptions[slot - NEW_TEXT] = description;
    return description;
  }

  /** The general way. @returns where the record ends, -1 when it has a key that earlier CSV rows lack a cell for */
  #parse(at: number): number {
    const { end, text, record, timeMs } = this.#readRecord(at);
    this.#received += 1;
    this.#parsed += 1;
    if (!this.#isKept(timeMs)) return end;
    const unknown = Object.keys(record).filter((key) => !this.#columns.includes(key));
    if (unknown.length > 0 && this.#format === 'csv' && this.#counter.records > 0) return -1;
    this.#columns.push(...unknown);
    const separator = this.#format === 'csv' || this.#counter.records === 0 ? '' : SEPARATOR;
    this.#out.append(Buffer.from(separator + writeRecord(record, this.#columns, this.#format), 'utf8'));
    const sensor = this.#counter.sensorOfTexts(textMember(record, 'idSensor'), textMember(record, 'observatoryName'));
    this.#counter.add(sensor, this.#counter.descriptionOfText(description(record)), timeMs);
    this.#learn(text, record);
    return end;
  }

  #readRecord(at: number): { end: number; text: string; record: JsonRecord; timeMs: number } {
    const number = this.#received + 1;
    if (at >= this.#length) throw new PayloadError('the JSON ends early');
    if (this.#source[at] !== OPEN_RECORD) throw new PayloadError(`element ${number} of the list is no object`);
    const end = this.#objectEnd(at);
    if (end < 0) throw new PayloadError('the JSON ends early');
    let text: string;
    let record: JsonValue;
    try {
      text = utf8.decode(this.#source.subarray(at, end));
      record = parseJson(text);
    } catch {
      throw new PayloadError(`record ${number} is no JSON`);
    }
    const obTime = isRecord(record) ? textMember(record, 'obTime') : null;
    if (!isRecord(record) || obTime === null) {
      throw new PayloadError(
        this.#state === 'lone_record' ? 'the answer is an object without obTime' : `record ${number} has no obTime`,
      );
    }
    const timeMs = parseObTime(obTime);
    if (Number.isNaN(timeMs))
      throw new PayloadError(`the obTime of record ${number} is no time: "${obTime.slice(0, 40)}"`);
    return { end, text, record, timeMs };
  }

  #learn(text: string, record: JsonRecord): void {
    const { shapes } = this.#copier;
    if (shapes.length >= MOST_SHAPES || this.#lessons >= MOST_LESSONS) return;
    this.#lessons += 1;
    const shape = learnTemplate(text, record, this.#columns, this.#format);
    if (shape && !shapes.some((known) => Buffer.compare(known, shape) === 0)) this.#copier.addShape(shape);
  }

  /** Begins again with the union of all kept records' keys, so that every row gets the same cells (UDL-D2). */
  #restart(): void {
    const columns = new Set<string>();
    let at = this.#firstRecord;
    for (this.#received = 0; ; this.#received += 1) {
      const { end, record, timeMs } = this.#readRecord(at);
      if (timeMs >= this.#slice.startMs && timeMs < this.#slice.endMs)
        for (const key of Object.keys(record)) columns.add(key);
      const comma = this.#skipSpace(end);
      if (this.#source[comma] !== COMMA) break;
      at = this.#skipSpace(comma + 1);
    }
    this.#columns = [...columns];
    this.#counter = new ReadingCounter();
    this.#copier.forgetShapes();
    this.#copier.forgetTexts();
    this.#lessons = this.#received = this.#outside = this.#foreign = 0;
    this.#out.length = 0;
    this.#at = this.#firstRecord;
  }

  /** End of the object at `at`, -1 when the answer ends before. */
  #objectEnd(at: number): number {
    const source = this.#source;
    let depth = 0;
    for (let p = at; p < this.#length; p += 1) {
      const byte = source[p]!;
      if (byte === QUOTE) {
        for (p += 1; p < this.#length && source[p] !== QUOTE; p += 1) if (source[p] === BACKSLASH) p += 1;
      } else if (byte === OPEN_RECORD || byte === OPEN_LIST) depth += 1;
      else if (byte === OPEN_RECORD + 2 || byte === CLOSE_LIST) {
        depth -= 1;
        if (depth === 0) return p + 1;
      }
    }
    return -1;
  }

  #skipSpace(at: number): number {
    let p = at;
    for (
      let byte = this.#source[p];
      byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
      byte = this.#source[p]
    )
      p += 1;
    return p;
  }
}
