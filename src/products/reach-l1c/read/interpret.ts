/**
 * The meaning of a record given by field name: the general way, for JSON and for every CSV row that is not plain.
 *
 * What is missing, what is unusable and what merely deserves a note is decided here; the plain rows of a CSV are read
 * faster (`plain-rows.ts`) and must come to the same result (a property test holds it to that).
 */
import { DECIMAL_PATTERN } from './decimal.ts';
import { BLANK_CODE, isBlank } from './dictionary.ts';
import type { Vocabulary } from './dictionary.ts';
import { InstantTextReader } from './instant-text.ts';
import { parseLiteral } from './literal.ts';
import { ALT, CREATED_AT, LAT, LON, NEVER, OB_QUALITY, OB_TIME, OB_VALUE, SEN_POS, shown } from './row.ts';
import type { RecordFields, RejectReason, Row, RowConsumer } from './row.ts';

// Each keeps nothing but the last date it has met.
const obTimes = new InstantTextReader();
const createdAts = new InstantTextReader();

/** Ends the interpretation of a record. Never leaves this file. */
class Unusable extends Error {
  readonly reason: RejectReason;

  constructor(reason: RejectReason, detail: string) {
    super(detail);
    this.reason = reason;
  }
}

interface Reading {
  readonly value: number;
  readonly valueIsText: boolean;
  readonly quality: number;
  readonly description: number;
}

/** Hands the record's readings to `consumer`, or rejects the record as a whole. `row` is the object to fill. */
export function interpretRecord(fields: RecordFields, row: Row, consumer: RowConsumer): void {
  let readings: Reading[];
  try {
    fillRecord(fields, row, consumer.vocabulary);
    readings = readReadings(fields['seoList'], consumer.vocabulary);
  } catch (error) {
    if (!(error instanceof Unusable)) throw error;
    consumer.reject({ reason: error.reason, detail: error.message, fields });
    return;
  }
  if (row.numbers[CREATED_AT] === NEVER && !isMissing(fields['createdAt'])) consumer.note('created_at_unreadable');
  if (readings.length > 1) consumer.note('several_readings');
  for (const [element, reading] of readings.entries()) {
    if (reading.valueIsText) consumer.note('value_not_numeric');
    row.numbers[OB_VALUE] = reading.value;
    row.numbers[OB_QUALITY] = reading.quality;
    row.description = reading.description;
    row.element = element;
    consumer.accept(row);
  }
}

function fillRecord(fields: RecordFields, row: Row, vocabulary: Vocabulary): void {
  row.numbers[OB_TIME] = readTime(fields['obTime']);
  row.numbers[CREATED_AT] = readCreatedAt(fields['createdAt']);
  row.sensorId = vocabulary.sensorIds.codeOf(textOf(fields['idSensor']));
  row.observatory = vocabulary.observatories.codeOf(textOf(fields['observatoryName']));
  row.descriptor = vocabulary.descriptors.codeOf(textOf(fields['descriptor']));
  if (row.descriptor === BLANK_CODE) throw new Unusable('descriptor_missing', 'descriptor is blank');
  row.numbers[LAT] = readCoordinate(fields, 'lat');
  row.numbers[LON] = readCoordinate(fields, 'lon');
  row.numbers[ALT] = readCoordinate(fields, 'alt');
  const position = readPosition(fields['senPos']);
  for (let axis = 0; axis < 3; axis++) row.numbers[SEN_POS + axis] = position[axis]!;
}

function readTime(value: unknown): number {
  if (isMissing(value)) throw new Unusable('time_missing', 'obTime is blank');
  const instant = typeof value === 'string' ? obTimes.read(value) : NaN;
  if (Number.isNaN(instant)) throw new Unusable('time_invalid', `obTime is ${shown(value)}`);
  return instant;
}

function readCreatedAt(value: unknown): number {
  const instant = typeof value === 'string' ? createdAts.read(value) : NaN;
  return Number.isNaN(instant) ? NEVER : instant;
}

function readCoordinate(fields: RecordFields, name: 'lat' | 'lon' | 'alt'): number {
  const number = numberOf(fields[name]);
  if (number === null) throw new Unusable('coordinate_invalid', `${name} is ${shown(fields[name])}`);
  return number;
}

/** Elements 0, 1, 2 of `senPos` (CDF-10). */
function readPosition(value: unknown): number[] {
  const list = nested(value, 'position_invalid', 'senPos');
  if (!Array.isArray(list) || list.length < 3) {
    throw new Unusable('position_invalid', `senPos is ${shown(value)}, expected three numbers`);
  }
  return list.slice(0, 3).map((item) => {
    const number = numberOf(item);
    if (number === null) throw new Unusable('position_invalid', `senPos is ${shown(value)}, expected three numbers`);
    return number;
  });
}

/** All elements of `seoList` (CDF-D15). */
function readReadings(value: unknown, vocabulary: Vocabulary): Reading[] {
  const list = nested(value, 'readings_invalid', 'seoList');
  if (list === null || (Array.isArray(list) && list.length === 0)) {
    throw new Unusable('readings_missing', `seoList is ${shown(value)}`);
  }
  if (!Array.isArray(list)) throw new Unusable('readings_invalid', `seoList is ${shown(value)}, expected a list`);
  return list.map((item: unknown) => readReading(item, vocabulary));
}

function readReading(item: unknown, vocabulary: Vocabulary): Reading {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) {
    throw new Unusable('readings_invalid', `seoList holds ${shown(item)}, expected an object`);
  }
  const fields = item as RecordFields;
  const name = fields['obDescription'];
  const description = vocabulary.descriptions.codeOf(typeof name === 'string' ? name : '');
  if (description === BLANK_CODE) throw new Unusable('description_missing', `obDescription is ${shown(name)}`);
  const value = numberOf(fields['obValue']);
  return { value: value ?? NaN, valueIsText: value === null, quality: readQuality(fields['obQuality']), description };
}

/** Null is "no quality known"; anything else must be a number, written as text or not (CDF-18, CDF-D10). */
function readQuality(value: unknown): number {
  if (value === null) return NaN;
  if (value === undefined) throw new Unusable('quality_missing', 'seoList has no obQuality');
  const isNumber = typeof value === 'number' || (typeof value === 'string' && DECIMAL_PATTERN.test(value.trim()));
  const number = isNumber ? Number(value) : NaN;
  if (!Number.isFinite(number)) throw new Unusable('quality_invalid', `obQuality is ${shown(value)}`);
  return number;
}

/** A nested field: native in JSON, text to parse in a CSV; null when blank. */
function nested(value: unknown, reason: RejectReason, name: string): unknown {
  if (isMissing(value)) return null;
  if (typeof value !== 'string') return value;
  try {
    return parseLiteral(value);
  } catch (error) {
    throw new Unusable(reason, `${name} is ${shown(value)}: ${(error as SyntaxError).message}`);
  }
}

/** The number, NaN when there is no value, null when there is one that is no finite number. */
function numberOf(value: unknown): number | null {
  if (isMissing(value)) return NaN;
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (typeof value !== 'string' || !DECIMAL_PATTERN.test(value.trim())) return null;
  const number = Number(value);
  return Number.isFinite(number) ? number : null;
}

function isMissing(value: unknown): boolean {
  return value === null || value === undefined || (typeof value === 'string' && isBlank(value));
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : '';
}
