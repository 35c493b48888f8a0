/**
 * Answers that may have been cut: a server that gives at most 10,000 records says nothing about those it leaves out. Such
 * an interval is asked for again in two halves, and these in halves where needed, until every answer is below the cap.
 */
import { createHash } from 'node:crypto';
import { parse } from 'csv-parse/sync';
import { stringify } from 'csv-stringify/sync';
import type { ArtifactFormat } from '../../core/product.ts';
import type { Slice } from '../../core/slices.ts';
import type { SliceAnswer } from '../../sources/udl/index.ts';
import { CSV_NOTATION } from './artifact-body.ts';
import { interval } from './slice-file.ts';
import { sumOfCounts } from './sum-of-counts.ts';

/** With as many records or more an answer may be a server's most, not all there are. */
const RECORDS_CAP = 10_000;
/** Instants are sent in whole seconds (UDL-4). */
const SHORTEST_MS = 1_000;

type Data = Extract<SliceAnswer, { kind: 'data' }>;
type Answered = Exclude<SliceAnswer, { kind: 'failed' | 'cancelled' }>;

export interface CappedSliceHooks {
  readonly format: ArtifactFormat;
  /** One request, in its turn. What it throws ends the whole. */
  readonly ask: (slice: Slice) => Promise<SliceAnswer>;
  /** The block is not needed any more. */
  readonly recycle: (block: Data['block']) => void;
}

/**
 * The answer itself when it is below the cap; else what the halves of its slice answer, joined in order of time.
 *
 * @returns `failed` or `cancelled` as soon as a half is; `failed` as `wrong_kind` when one second holds the cap, or the
 *   halves less than the whole: records are never left out in silence
 */
export async function askInHalves(slice: Slice, answer: SliceAnswer, hooks: CappedSliceHooks): Promise<SliceAnswer> {
  if (answer.kind !== 'data' || received(answer) < RECORDS_CAP) return answer;
  hooks.recycle(answer.block);
  const halves = halve(slice);
  if (!halves) {
    return failed(answer, `one second holds ${received(answer)} records, which may not be all: cannot ask for less`);
  }
  const parts: Answered[] = [];
  for (const half of halves) {
    // The second half waits: when the first fails, it need not be asked for.
    const part = await askInHalves(half, await hooks.ask(half), hooks);
    if (part.kind === 'failed' || part.kind === 'cancelled') return part;
    parts.push(part);
  }
  const data = parts.filter((part) => part.kind === 'data');
  const inHalves = data.reduce((sum, part) => sum + received(part), 0);
  if (inHalves < received(answer)) {
    return failed(answer, `${interval(slice)} held ${received(answer)} records at once, but ${inHalves} in two halves`);
  }
  const joined = join(parts, data, hooks.format);
  for (const { block } of data) hooks.recycle(block);
  return joined;
}

function received({ counts, outside }: Data): number {
  return counts.records + outside;
}

/** Both keep half-open intervals that meet at a whole second; null when there is none between. */
function halve({ startMs, endMs, queryStartMs, queryEndMs }: Slice): [Slice, Slice] | null {
  const half = Math.floor((queryEndMs - queryStartMs) / 2 / SHORTEST_MS) * SHORTEST_MS;
  if (half <= 0) return null;
  const middle = queryStartMs + half;
  return [
    { startMs, endMs: middle, queryStartMs, queryEndMs: middle },
    { startMs: middle, endMs, queryStartMs: middle, queryEndMs },
  ];
}

/** @param data - those of `parts` with records; at least one */
function join(parts: readonly Answered[], data: readonly Data[], format: ArtifactFormat): Data {
  const kept = data.filter(({ counts }) => counts.records > 0);
  const columns = [...new Set(kept.flatMap((part) => part.columns))];
  const block =
    format === 'csv'
      ? Buffer.concat(kept.map((part) => rowsUnder(columns, part)))
      : Buffer.from(kept.map((part) => Buffer.from(part.block).toString('utf8')).join(', '), 'utf8');
  return {
    kind: 'data',
    httpStatus: data[0]?.httpStatus ?? null,
    bodyBytes: parts.reduce((sum, part) => sum + part.bodyBytes, 0),
    seconds: parts.reduce((sum, part) => sum + part.seconds, 0),
    block,
    sha256: createHash('sha256').update(block).digest('hex'),
    columns,
    counts: sumOfCounts(data.map(({ counts }) => counts)),
    outside: data.reduce((sum, part) => sum + part.outside, 0),
  };
}

/** The rows with one cell for each column, in that order. */
function rowsUnder(columns: readonly string[], part: Data): Uint8Array {
  if (columns.length === part.columns.length && columns.every((column, place) => column === part.columns[place])) {
    return part.block;
  }
  const places = columns.map((column) => part.columns.indexOf(column));
  const rows: string[][] = parse(Buffer.from(part.block), { record_delimiter: '\r\n' });
  return Buffer.from(
    stringify(
      rows.map((row) => places.map((place) => row[place] ?? '')),
      CSV_NOTATION,
    ),
  );
}

function failed({ httpStatus, bodyBytes, seconds }: Data, detail: string): SliceAnswer {
  const failure = { kind: 'wrong_kind', detail, rawStart: null, retryAfter: null, date: null } as const;
  return { kind: 'failed', httpStatus, bodyBytes, seconds, failure };
}
