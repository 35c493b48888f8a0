/**
 * Counts the records of one slice and their distinct readings while they are scanned (UDL-D10; `core/records/counts.ts`
 * says what a reading is). Slices are disjoint in time, so the counts of a day are sums.
 */
import { SENSORS } from '../../../core/constellation.ts';
import type { RecordCounts } from '../../../core/records/counts.ts';

const SENSOR_BY_OBSERVATORY = new Map(SENSORS.map(({ id, observatory }) => [observatory, id]));
const UNKNOWN_SENSOR = '?';

/** Small numbers for texts, found by their bytes without making a string. */
class TextIndex {
  readonly texts: string[] = [];
  readonly #bytes: Uint8Array[] = [];
  readonly #byHash = new Map<number, number[]>();

  ofBytes(source: Uint8Array, start: number, end: number): number {
    let hash = end - start;
    for (let at = start; at < end; at += 1) hash = (Math.imul(hash, 31) + source[at]!) | 0;
    const candidates = this.#byHash.get(hash);
    for (const candidate of candidates ?? [])
      if (sameBytes(this.#bytes[candidate]!, source, start, end)) return candidate;
    const index = this.texts.length;
    const copy = source.slice(start, end);
    this.texts.push(Buffer.from(copy).toString('utf8'));
    this.#bytes.push(copy);
    if (candidates) candidates.push(index);
    else this.#byHash.set(hash, [index]);
    return index;
  }

  ofText(text: string): number {
    const bytes = Buffer.from(text, 'utf8');
    return this.ofBytes(bytes, 0, bytes.length);
  }
}

function sameBytes(known: Uint8Array, source: Uint8Array, start: number, end: number): boolean {
  if (known.length !== end - start) return false;
  for (let at = 0; at < known.length; at += 1) if (known[at] !== source[start + at]) return false;
  return true;
}

/** The sensor of a record: its id, or when that is missing or blank the sensor that flies on the observatory. */
function resolveSensor(id: string | null, observatory: string | null): string {
  const trimmed = id?.trim() ?? '';
  return trimmed === '' ? (SENSOR_BY_OBSERVATORY.get(observatory ?? '') ?? UNKNOWN_SENSOR) : trimmed;
}

export class ReadingCounter {
  records = 0;
  #distinct = 0;
  readonly #sensors = new TextIndex();
  readonly #descriptions = new TextIndex();
  /** By sensor: its records. */
  readonly #perSensor: number[] = [];
  /** By sensor, then description: one mark per time. */
  readonly #seen: (Uint8Array | undefined)[][] = [];
  readonly #times = new Map<number, number>();
  #lastMs = Number.NaN;
  #lastTime = 0;

  /** Index of the sensor named by these bytes, or -1 when they may be blank or need trimming. */
  sensorOfBytes(source: Uint8Array, start: number, end: number): number {
    return start >= end || source[start] === 0x20 || source[end - 1] === 0x20
      ? -1
      : this.#sensors.ofBytes(source, start, end);
  }

  sensorOfTexts(id: string | null, observatory: string | null): number {
    return this.#sensors.ofText(resolveSensor(id, observatory));
  }

  descriptionOfBytes(source: Uint8Array, start: number, end: number): number {
    return this.#descriptions.ofBytes(source, start, end);
  }

  descriptionOfText(text: string): number {
    return this.#descriptions.ofText(text);
  }

  add(sensor: number, description: number, timeMs: number): void {
    this.records += 1;
    this.#perSensor[sensor] = (this.#perSensor[sensor] ?? 0) + 1;
    const time = this.#timeIndex(timeMs);
    const ofSensor = (this.#seen[sensor] ??= []);
    let marks = ofSensor[description];
    if (!marks || time >= marks.length) {
      const bigger = new Uint8Array(Math.max(128, 2 * (time + 1)));
      if (marks) bigger.set(marks);
      ofSensor[description] = marks = bigger;
    }
    if (marks[time] === 0) {
      marks[time] = 1;
      this.#distinct += 1;
    }
  }

  counts(): RecordCounts {
    const perSensor = this.#sensors.texts.map((id, index): [string, number] => [id, this.#perSensor[index] ?? 0]);
    const recordsPerSensor = Object.fromEntries(
      perSensor.filter(([, count]) => count > 0).toSorted(([a], [b]) => (a < b ? -1 : 1)),
    );
    return { records: this.records, distinctReadings: this.#distinct, recordsPerSensor };
  }

  /** Records come sorted by time, so the last one's is the likeliest. */
  #timeIndex(timeMs: number): number {
    if (timeMs === this.#lastMs) return this.#lastTime;
    let index = this.#times.get(timeMs);
    if (index === undefined) {
      index = this.#times.size;
      this.#times.set(timeMs, index);
    }
    this.#lastMs = timeMs;
    this.#lastTime = index;
    return index;
  }
}
