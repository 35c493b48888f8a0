/**
 * Reads the query of a data or count request (UDL-2), strictly: what the source would not understand is refused with
 * the reason, so that a client's mistake shows at once.
 */
import type { Page, RecordQuery } from '../archive/archive.ts';
import { DAY_MS, dayOfMs, dayStartMs } from '../../src/core/time/day.ts';

/** Whether a range `a..b` selects records at `b`. */
export type RangeEnd = 'include' | 'exclude';

export interface DataQuery {
  readonly records: RecordQuery;
  readonly page: Page;
  /** The obTime parameter, percent-decoded. */
  readonly range: string;
  /** Exact text of range, filters and page: two requests with the same are the same slice asked twice. */
  readonly sliceText: string;
}

/** A query that cannot be read; the message is for the client. */
export class QueryError extends Error {
  override readonly name = 'QueryError';
}

const PARAMETERS = [
  'obTime',
  'idSensor',
  'source',
  'dataMode',
  'descriptor',
  'sort',
  'firstResult',
  'maxResults',
] as const;
type Parameter = (typeof PARAMETERS)[number];

const INSTANT = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(\.\d{1,6})?Z$/;

/**
 * Parses the text behind `?`; values may be percent-encoded or not.
 *
 * @param cap - most records of one answer
 * @throws QueryError naming the parameter, its value and what is expected
 */
export function parseQuery(text: string, rangeEnd: RangeEnd, cap: number): DataQuery {
  const values = readParameters(text);
  const range = values.get('obTime');
  if (range === undefined) throw new QueryError('The parameter obTime is required: obTime=<start>..<end>.');
  const sort = values.get('sort');
  if (sort !== undefined && sort !== 'obTime') throw new QueryError(`sort=${sort} is not supported; use sort=obTime.`);
  const skip = readCount(values, 'firstResult') ?? 0;
  const limit = Math.min(cap, readCount(values, 'maxResults') ?? cap);
  return {
    records: {
      ...readRange(range, rangeEnd),
      idSensor: values.get('idSensor'),
      descriptor: values.get('descriptor'),
      source: values.get('source'),
      dataMode: values.get('dataMode'),
    },
    page: { skip, limit },
    range,
    sliceText: PARAMETERS.map((name) => values.get(name) ?? '').join('|'),
  };
}

/**
 * Which slice of its day a range is: ranges are taken as multiples of 300 s, so that steps of +1 s (UDL-14) and halves of
 * a split slice fall into the slice they belong to.
 *
 * @returns undefined for a range longer than a day
 */
export function sliceOfDay(records: RecordQuery): { readonly index: number; readonly count: number } | undefined {
  const spanMs = Math.max(1, Math.ceil((records.toMs - 1 - records.fromMs) / 300_000)) * 300_000;
  if (spanMs > DAY_MS) return undefined;
  const offsetMs = records.fromMs - dayStartMs(dayOfMs(records.fromMs));
  return { index: Math.floor(offsetMs / spanMs), count: Math.ceil(DAY_MS / spanMs) };
}

function readParameters(text: string): ReadonlyMap<Parameter, string> {
  const values = new Map<Parameter, string>();
  for (const part of text.split('&')) {
    if (part === '') continue;
    const [name = '', value = ''] = part.split(/=(.*)/s, 2).map(decode);
    const known = PARAMETERS.find((parameter) => parameter === name);
    if (known === undefined) throw new QueryError(`Unknown parameter "${name}"; known are ${PARAMETERS.join(', ')}.`);
    if (values.has(known)) throw new QueryError(`The parameter ${known} is given twice.`);
    if (value !== '') values.set(known, value);
  }
  return values;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new QueryError(`"${text}" is not valid percent-encoding.`);
  }
}

function readCount(values: ReadonlyMap<Parameter, string>, name: Parameter): number | undefined {
  const value = values.get(name);
  if (value === undefined) return undefined;
  if (!/^\d{1,15}$/.test(value)) throw new QueryError(`${name}=${value} is not a whole number.`);
  return Number(value);
}

function readRange(range: string, rangeEnd: RangeEnd): { fromMs: number; toMs: number } {
  const [startText = '', endText = startText, ...rest] = range.split('..');
  const start = readInstant(startText);
  const end = readInstant(endText);
  if (rest.length > 0 || start === undefined || end === undefined || start > end) {
    throw new QueryError(
      `obTime=${range} is not a range of instants; expected 2026-01-01T00:00:00.000Z..2026-01-01T00:05:00.000Z.`,
    );
  }
  const endIncluded = rangeEnd === 'include' || endText === startText;
  return { fromMs: Math.ceil(start), toMs: endIncluded ? Math.floor(end) + 1 : Math.ceil(end) };
}

/** POSIX milliseconds, with a fraction when microseconds are given. */
function readInstant(text: string): number | undefined {
  const match = INSTANT.exec(text);
  if (match === null) return undefined;
  const wholeMs = Date.parse(`${match[1]}.000Z`);
  const exists = Number.isFinite(wholeMs) && new Date(wholeMs).toISOString().startsWith(match[1]!);
  return exists ? wholeMs + Number(`0${match[2] ?? ''}`) * 1000 : undefined;
}
