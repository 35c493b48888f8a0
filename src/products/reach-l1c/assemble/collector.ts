/**
 * Takes a day's records from a reader and keeps what the product needs: the impute step of CDF-11 and all bookkeeping.
 */
import { PipelineError } from '../../../core/errors.ts';
import { Vocabulary } from '../read/dictionary.ts';
import {
  DESCRIPTION,
  DESCRIPTOR,
  NEEDED_FIELDS,
  OBSERVATORY,
  OB_VALUE,
  ROW_CODES,
  ROW_NUMBERS,
  SENSOR_ID,
  shown,
} from '../read/row.ts';
import type { ReadingNote, Rejection, Row, RowBlock, RowConsumer } from '../read/row.ts';
import { Channels } from './channels.ts';
import { RecordStore } from './record-store.ts';
import { Quarantine, Warnings } from './remarks.ts';
import { SensorResolver } from './sensors.ts';

/** Values at or below are the source's ways of saying "missing" (CDF-D16). */
const MISSING_MARKER = -1e30;

export class RecordCollector implements RowConsumer {
  readonly vocabulary = new Vocabulary();
  readonly store = new RecordStore();
  readonly channels = new Channels();
  readonly quarantine = new Quarantine();
  readonly warnings = new Warnings();
  readonly #sensors = new SensorResolver(this.vocabulary);
  #records = 0;
  #unresolved = 0;
  #markers = 0;

  /** Records read, whatever became of them. */
  get records(): number {
    return this.#records;
  }

  /** Records dropped because no sensor could be found for them. */
  get unresolved(): number {
    return this.#unresolved;
  }

  columns(names: ReadonlySet<string>): void {
    // Either of the two tells the sensor.
    const hasSensor = names.has('idSensor') || names.has('observatoryName');
    const isNeeded = (name: string): boolean => !(hasSensor && (name === 'idSensor' || name === 'observatoryName'));
    const lacking = NEEDED_FIELDS.filter((name) => !names.has(name) && isNeeded(name));
    if (lacking.length === 0) return;
    throw new PipelineError('input_invalid', `The file has no ${lacking.join(', no ')}.`, {
      hint: `The product needs ${NEEDED_FIELDS.join(', ')}. Check that the file is a day of spaceenvobservation records.`,
    });
  }

  accept(row: Row): void {
    if (row.element === 0) this.#records++;
    const verdict = this.#sensors.resolve(row.sensorId, row.observatory);
    if (verdict.kind !== 'sensor') {
      if (row.element === 0) this.#dropSensor(row, verdict.kind);
      return;
    }
    if (verdict.disagrees || verdict.isUnknown) this.#remarkSensor(row, verdict);
    this.#add(row.numbers, 0, verdict.sensor, row.description, row.descriptor);
  }

  acceptBlock(block: RowBlock): void {
    const { codes, numbers, size } = block;
    for (let i = 0; i < size; i++) {
      const row = i * ROW_CODES;
      const verdict = this.#sensors.resolve(codes[row + SENSOR_ID]!, codes[row + OBSERVATORY]!);
      if (verdict.kind === 'sensor' && !verdict.disagrees && !verdict.isUnknown) {
        this.#records++;
        this.#add(numbers, i * ROW_NUMBERS, verdict.sensor, codes[row + DESCRIPTION]!, codes[row + DESCRIPTOR]!);
      } else {
        this.accept(block.row(i));
      }
    }
  }

  /** @param start - where the numbers of the row begin */
  #add(numbers: Float64Array, start: number, sensor: number, description: number, descriptor: number): void {
    this.#dropMarkers(numbers, start);
    this.store.add(numbers, start, sensor, this.channels.numberOf(sensor, description), descriptor);
  }

  #dropMarkers(numbers: Float64Array, start: number): void {
    for (let i = start + OB_VALUE; i < start + ROW_NUMBERS; i++) {
      if (numbers[i]! <= MISSING_MARKER) {
        numbers[i] = NaN;
        this.#markers++;
      }
    }
  }

  reject({ reason, detail }: Rejection): void {
    this.quarantine.add(reason, ++this.#records, detail);
  }

  note(note: ReadingNote): void {
    this.warnings.add(note);
  }

  /**
   * To be called when all is read.
   *
   * @throws PipelineError `input_invalid` when nothing is left, `quarantine_exceeded` above the limit
   */
  finish(quarantineLimit: number): void {
    if (this.#unresolved > 0) this.warnings.add('sensor_unresolved', this.#unresolved);
    if (this.#markers > 0) this.warnings.add('missing_marker', this.#markers);
    this.quarantine.check(this.#records, quarantineLimit);
    if (this.store.size > 0) return;
    const set = `${this.quarantine.size} could not be read, ${this.#unresolved} belong to no known sensor`;
    const detail = this.#records === 0 ? 'it has no records at all' : `of ${this.#records} records ${set}`;
    throw new PipelineError('input_invalid', `No usable records in the file: ${detail}.`, {
      hint: 'Download the day again; a day for which the source has nothing needs no product.',
      context: { records: this.#records, unresolved: this.#unresolved, quarantined: this.quarantine.size },
    });
  }

  #dropSensor(row: Row, kind: 'unresolved' | 'invalid'): void {
    if (kind === 'unresolved') {
      this.#unresolved++;
      return;
    }
    const id = shown(this.vocabulary.sensorIds.text(row.sensorId));
    this.quarantine.add('sensor_invalid', this.#records, `idSensor is ${id}, expected REACH-<number>`);
  }

  #remarkSensor(row: Row, verdict: { disagrees: boolean; isUnknown: boolean; sensor: number }): void {
    const id = this.vocabulary.sensorIds.text(verdict.sensor);
    if (verdict.isUnknown) this.warnings.add('sensor_unknown', 1, id);
    if (verdict.disagrees) {
      const example = `${id} on ${this.vocabulary.observatories.text(row.observatory)}`;
      this.warnings.add('sensor_observatory_disagree', 1, example);
    }
  }
}
