/** Which rows of the ledger a telemetry CSV does not hold, found by reading both once, side by side. */
import { TELEMETRY_COLUMNS } from './telemetry-format.ts';
import type { TelemetryColumn } from './telemetry-format.ts';
import type { AttemptRecord, TelemetryLog } from './telemetry-log.ts';
import { fieldsOf, streamRecords } from './telemetry-records.ts';
import { createProductNames } from './telemetry-rows.ts';

export interface TelemetryGap {
  /** Numbers of the rows that the file lacks, in order. */
  readonly missing: readonly number[];
  /** The ledger's last row; null when it has none behind the beginning. */
  readonly lastSeq: number | null;
  /** Up to where the file's lines are whole, in bytes. */
  readonly wholeTo: number;
  /** What stands behind that, without a line end. */
  readonly torn: { readonly bytes: Buffer; readonly fields: number; readonly openQuote: boolean } | null;
}

/** Rows of the ledger at a time: about 1 MB. */
const BATCH = 2_000;

/**
 * Paths do not count: a workspace may have been moved. In memory are only rows that have been met on one side and not yet on the
 * other: few, as both have one order; rows of runs that the ledger does not know are never among them.
 *
 * @param from - the beginning: row of the ledger and byte of the file
 */
export async function findMissing(
  ledger: TelemetryLog,
  path: string,
  from: { readonly seq: number; readonly byteOffset: number },
): Promise<TelemetryGap> {
  const runs = new Set(await ledger.runsAfter(from.seq));
  const pairs = createPairs();
  const keyOf = createKeys();
  let lastSeq: number | null = null;
  const readLedger = async (): Promise<boolean> => {
    const rows = await ledger.attemptsAfter(lastSeq ?? from.seq, BATCH);
    for (const row of rows) pairs.sought(keyOfRow(row), row.seq);
    lastSeq = rows.at(-1)?.seq ?? lastSeq;
    return rows.length > 0;
  };
  let wholeTo = from.byteOffset;
  let torn: TelemetryGap['torn'] = null;
  for await (const { bytes, at, records } of streamRecords(path, from.byteOffset)) {
    for (const record of records) {
      if (!record.ended) {
        const { fields, openQuote } = record;
        torn = { bytes: Buffer.from(bytes.subarray(record.start, record.end)), fields, openQuote };
        continue;
      }
      wholeTo = at + record.end;
      const fields = fieldsOf(bytes, record);
      if (fields !== null && runs.has(fields[RUN] ?? '')) pairs.found(keyOf(fields));
    }
    while (pairs.isAhead() && (await readLedger()));
  }
  while (await readLedger());
  return { missing: pairs.missing(), lastSeq, wholeTo, torn };
}

/** Rows met on one side only, until their like turns up on the other. */
function createPairs() {
  const found = new Map<string, number>();
  const sought = new Map<string, number[]>();
  return {
    found(key: string): void {
      const seqs = sought.get(key);
      if (seqs === undefined) found.set(key, (found.get(key) ?? 0) + 1);
      else if (seqs.length === 1) sought.delete(key);
      else seqs.shift();
    },
    sought(key: string, seq: number): void {
      const count = found.get(key) ?? 0;
      if (count > 1) found.set(key, count - 1);
      else if (count === 1) found.delete(key);
      else sought.set(key, [...(sought.get(key) ?? []), seq]);
    },
    /** Whether the file has been read further than the ledger. */
    isAhead: (): boolean => found.size > sought.size,
    missing: (): number[] => [...sought.values()].flat().toSorted((a, b) => a - b),
  };
}

const place = (column: TelemetryColumn): number => TELEMETRY_COLUMNS.indexOf(column);
const RUN = place('run_id');
const KEY_PLACES = (
  ['run_id', 'chunk_date_utc', 'status', 'started_at_utc', 'finished_at_utc', 's3_bucket', 's3_key'] as const
).map(place);
const PRODUCT_PLACES = (['sensor_id', 'descriptor', 'output_format'] as const).map(place);

/** The key of a file's row: a product has one name, however it was typed. */
function createKeys(): (fields: readonly string[]) => string {
  const productOf = createProductNames();
  return (fields) => {
    const [sensor = '', descriptor = '', format = ''] = PRODUCT_PLACES.map((index) => fields[index]);
    const product = productOf(sensor, descriptor, format) ?? [sensor, descriptor, format].join();
    return [product, ...KEY_PLACES.map((index) => fields[index] ?? '')].join('\n');
  };
}

function keyOfRow(row: AttemptRecord): string {
  const { product, run_id: run, day, status, started_at: started, finished_at: finished } = row;
  return [product, run, day, status, started, finished ?? '', row.bucket ?? '', row.object_key ?? ''].join('\n');
}
