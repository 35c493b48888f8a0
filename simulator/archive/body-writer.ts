/**
 * Writes records as the bytes of one JSON array: fixed parts are copied from templates, only what varies is made.
 *
 * A full day is 1.1 million records, so nothing here builds objects or calls `JSON.stringify`.
 */
import { doseText, qualityText } from './dose.ts';
import { mix } from './hash.ts';
import { positionText } from './orbit.ts';
import { copyLagMs, lateLagMs, recordTimes } from './record-times.ts';
import type { ReplayedRecord } from './replay.ts';
import type { Series } from './series.ts';
import { PLAIN } from './walk.ts';
import type { RecordForm, RecordSink } from './walk.ts';

const COMMA = 0x2c;
const HOUR_MS = 3_600_000;
const FIRST_CAPACITY = 4 * 1024 * 1024;
/** Room that any record leaves: its fixed parts are below 750 bytes, its numbers below 200. */
const LONGEST_RECORD = 1_100;
const HEX = Buffer.from('0123456789abcdef', 'latin1');

/** Genuine and arrival stamps of a series in one hour, as bytes. */
interface Stamps {
  hour: number;
  createdMs: number;
  genTime: Buffer;
  createdAt: Buffer;
}

/**
 * A sink that renders records `skip … skip + limit`; `take()` returns the finished array.
 *
 * One writer serves one answer at a time; its scratch memory and stamps are reused by the next.
 */
export class BodyWriter implements RecordSink {
  readonly #seed: number;
  #buffer = Buffer.allocUnsafeSlow(FIRST_CAPACITY);
  #length = 0;
  #skip = 0;
  #left = 0;
  #obMs = Number.NaN;
  readonly #obTime = Buffer.alloc(24);
  readonly #stamps = new Map<Series, Stamps>();
  #position = { ms: Number.NaN, sensor: -1, text: '' };

  constructor(seed: number) {
    this.#seed = seed;
  }

  /** Starts a new array without the first `skip` records and with at most `limit`. */
  start(skip: number, limit: number): void {
    this.#length = 0;
    this.#skip = skip;
    this.#left = limit;
    this.#buffer[this.#length++] = 0x5b;
  }

  /** Ends the array and returns a copy of exactly its bytes. */
  take(): Buffer {
    this.#buffer[this.#length] = 0x5d;
    const body = Buffer.allocUnsafeSlow(this.#length + 1);
    this.#buffer.copy(body, 0, 0, this.#length + 1);
    return body;
  }

  replayed(record: ReplayedRecord): boolean {
    if (!this.#wanted(record.bytes.length)) return this.#left > 0;
    this.#copy(record.bytes);
    return this.#left > 0;
  }

  synthetic(series: Series, ms: number, form: RecordForm): boolean {
    if (!this.#wanted(LONGEST_RECORD)) return this.#left > 0;
    const template = form.blank === undefined ? series.template : series.blankTemplates[form.blank];
    const stamps = this.#stampsOf(series, ms);

    const head = this.#copy(template.head);
    this.#writeId(head + template.idAt, series, ms, form);
    this.#buffer.set(stamps.genTime, head + template.genTimeAt);
    this.#text(this.#positionOf(series, ms));

    const middle = this.#copy(template.middle);
    this.#buffer.set(this.#obTimeOf(ms), middle + template.obTimeAt);
    this.#text(doseText(series.palette, this.#seed, series.pair, ms, form.copy));
    this.#text(`,"obQuality":"${qualityText(this.#seed, series.sensor, ms)}`);

    const tail = this.#copy(template.tail);
    this.#buffer.set(this.#createdAtOf(series, stamps, ms, form), tail + template.createdAt);
    return this.#left > 0;
  }

  /** Counts a record in; false when it lies before the page or behind it. */
  #wanted(bytes: number): boolean {
    if (this.#skip > 0) {
      this.#skip--;
      return false;
    }
    if (this.#left === 0) return false;
    this.#left--;
    this.#reserve(bytes + 2);
    if (this.#length > 1) this.#buffer[this.#length++] = COMMA;
    return true;
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafeSlow(this.#buffer.length * 2 + bytes);
    this.#buffer.copy(grown, 0, 0, this.#length);
    this.#buffer = grown;
  }

  /** Appends bytes and returns where they begin. */
  #copy(bytes: Buffer): number {
    const at = this.#length;
    this.#buffer.set(bytes, at);
    this.#length = at + bytes.length;
    return at;
  }

  #text(text: string): void {
    this.#length += this.#buffer.write(text, this.#length, 'latin1');
  }

  /** Both dosimeters of a sensor are at the same place: its text is made once. */
  #positionOf(series: Series, ms: number): string {
    const last = this.#position;
    if (last.ms === ms && last.sensor === series.sensor) return last.text;
    this.#position = { ms, sensor: series.sensor, text: positionText(series.orbit, ms) };
    return this.#position.text;
  }

  #obTimeOf(ms: number): Buffer {
    if (this.#obMs !== ms) {
      this.#obMs = ms;
      this.#obTime.write(new Date(ms).toISOString(), 'latin1');
    }
    return this.#obTime;
  }

  #stampsOf(series: Series, ms: number): Stamps {
    const hour = Math.floor(ms / HOUR_MS);
    const known = this.#stamps.get(series);
    if (known?.hour === hour) return known;
    const { genMs, createdMs } = recordTimes(this.#seed, series.descriptor, series.pair, ms);
    const stamps = { hour, createdMs, genTime: stamp(genMs), createdAt: stamp(createdMs) };
    this.#stamps.set(series, stamps);
    return stamps;
  }

  #createdAtOf(series: Series, stamps: Stamps, ms: number, form: RecordForm): Buffer {
    if (form === PLAIN) return stamps.createdAt;
    const copyLag = form.copy > 0 ? copyLagMs(this.#seed, series.pair, ms) : 0;
    const lateLag = form.late ? lateLagMs(this.#seed, series.pair, ms) : 0;
    return stamp(stamps.createdMs + copyLag + lateLag);
  }

  /** A version 4 UUID; the template already holds its dashes, version and variant. */
  #writeId(at: number, series: Series, ms: number, form: RecordForm): void {
    const what = series.pair + form.copy * 64 + (series.descriptor === 'PROVISIONAL' ? 128 : 0);
    const seconds = Math.floor(ms / 1000);
    const millis = ms % 1000;
    const out = this.#buffer;
    writeHex(out, at, mix(this.#seed, what, seconds, millis + 0x1000), 8);
    const word = mix(this.#seed, what, seconds, millis + 0x2000);
    writeHex(out, at + 9, word & 0xffff, 4);
    writeHex(out, at + 15, word >>> 20, 3);
    const last = mix(this.#seed, what, seconds, millis + 0x3000);
    writeHex(out, at + 20, last >>> 20, 3);
    writeHex(out, at + 24, last & 0xffff, 4);
    writeHex(out, at + 28, mix(this.#seed, what, seconds, millis + 0x4000), 8);
  }
}

function stamp(ms: number): Buffer {
  return Buffer.from(new Date(ms).toISOString(), 'latin1');
}

/** The lowest `digits` hexadecimal digits of `value`. */
function writeHex(out: Buffer, at: number, value: number, digits: number): void {
  for (let i = at + digits - 1, rest = value; i >= at; i--, rest >>>= 4) out[i] = HEX[rest & 15]!;
}
