/**
 * Answers that may have been cut: a server that gives at most so many records says nothing about those it leaves out. An
 * answer with 10,000 records or more, or with a round number of thousands, is suspected of it: its interval is asked for
 * again in two halves, and these in halves where needed. The halves prove a round number to be natural: a server that gave
 * n records at once has not cut an answer with fewer than n.
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
/** Limits of servers are round: an answer with a multiple of this may be one's most. */
const ROUND = 1_000;
/** Instants have milliseconds; less cannot be asked for. */
const SHORTEST_MS = 1;
/** How often a half may fail before its slice does. */
const MOST_PART_FAILURES = 3;
const SECOND_MS = 1_000;

type Data = Extract<SliceAnswer, { kind: 'data' }>;
type Failed = Extract<SliceAnswer, { kind: 'failed' }>;
type Answered = Exclude<SliceAnswer, { kind: 'failed' | 'cancelled' }>;

export interface CappedSliceHooks {
  readonly format: ArtifactFormat;
  /** One request, in its turn. What it throws ends the whole. */
  readonly ask: (slice: Slice) => Promise<SliceAnswer>;
  /** A half was answered so, and is asked for again. What it throws ends the whole. */
  readonly onAgain: (half: Slice, answer: Failed) => Promise<void>;
  /** The block is not needed any more. */
  readonly recycle: (block: Data['block']) => void;
}

/**
 * The answer itself when it was not cut; else what the halves of its slice answer, joined in order of time.
 *
 * @param uncutBelow - records that the server has given in one answer: fewer are no cut answer unless they reach the cap
 * @returns `failed` or `cancelled` as soon as a half is; `failed` as `wrong_kind` when one millisecond holds the cap, or
 *   the halves less than the whole: records are never left out in silence
 */
export async function askInHalves(
  slice: Slice,
  answer: SliceAnswer,
  hooks: CappedSliceHooks,
  uncutBelow = 0,
): Promise<SliceAnswer> {
  if (answer.kind !== 'data' || !mayBeCut(received(answer), uncutBelow)) return answer;
  hooks.recycle(answer.block);
  const halves = halve(slice);
  if (!halves) {
    return failed(
      answer,
      `${instant(slice.queryStartMs)}..${instant(slice.queryEndMs)} holds ${received(answer)} records, which may not be all: cannot ask for less than a millisecond`,
    );
  }
  const parts: Answered[] = [];
  for (const half of halves) {
    // The second half waits: when the first fails, it need not be asked for.
    const part = await askInHalves(half, await askForPart(half, hooks), hooks, received(answer));
    if (part.kind === 'failed' || part.kind === 'cancelled') return part;
    parts.push(part);
  }
  const data = parts.filter((part) => part.kind === 'data');
  const inHalves = data.reduce((sum, { counts }) => sum + counts.records, 0);
  if (inHalves < answer.counts.records) {
    return failed(
      answer,
      `${interval(slice)} held ${answer.counts.records} records at once, but ${inHalves} in two halves`,
    );
  }
  const joined = join(parts, data, hooks.format);
  for (const { block } of data) hooks.recycle(block);
  return joined;
}

/**
 * Nothing is kept of a slice before all its parts are there. So that one bad answer among dozens does not cost all of them, a part
 * is asked for again here: after every pause that the source asks for, and twice after other failures that may pass.
 */
async function askForPart(half: Slice, { ask, onAgain }: CappedSliceHooks): Promise<SliceAnswer> {
  for (let failures = 0; ;) {
    const answer = await ask(half);
    if (answer.kind !== 'failed') return answer;
    const { kind } = answer.failure;
    if (kind === 'auth_rejected' || kind === 'request_rejected') return answer;
    if (kind !== 'rate_limited') failures += 1;
    if (failures >= MOST_PART_FAILURES) return answer;
    await onAgain(half, answer);
  }
}

/** @param uncutBelow - records that the server has given in one answer; 0 when that is not known */
export function mayBeCut(records: number, uncutBelow: number): boolean {
  if (records >= RECORDS_CAP) return true;
  return records >= Math.max(ROUND, uncutBelow) && records % ROUND === 0;
}

function instant(ms: number): string {
  return new Date(ms).toISOString().slice(11, 23);
}

function received({ counts, outside }: Data): number {
  return counts.records + outside;
}

/** Both keep half-open intervals that meet at a whole second while there is one between; null below a millisecond. */
function halve({ startMs, endMs, queryStartMs, queryEndMs }: Slice): [Slice, Slice] | null {
  const lengthMs = queryEndMs - queryStartMs;
  const stepMs = lengthMs >= 2 * SECOND_MS ? SECOND_MS : SHORTEST_MS;
  const half = Math.floor(lengthMs / 2 / stepMs) * stepMs;
  if (half <= 0) return null;
  const middle = queryStartMs + half;
  const precision = stepMs < SECOND_MS ? ({ milliseconds: true } as const) : {};
  return [
    { startMs, endMs: middle, queryStartMs, queryEndMs: middle, ...precision },
    { startMs: middle, endMs, queryStartMs: middle, queryEndMs, ...precision },
  ];
}

/** @param data - those of `parts` with records; at least one */
function join(parts: readonly Answered[], data: readonly Data[], format: ArtifactFormat): Data {
  const kept = data.filter(({ counts }) => counts.records > 0);
  const last = parts.at(-1);
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
    endedAtMs: Math.max(...parts.map((part) => part.endedAtMs)),
    block,
    sha256: createHash('sha256').update(block).digest('hex'),
    columns,
    counts: sumOfCounts(data.map(({ counts }) => counts)),
    // What the other parts hold beyond their ends came again with the part behind it.
    outside: last?.kind === 'data' ? last.outside : 0,
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

function failed({ httpStatus, bodyBytes, seconds, endedAtMs }: Data, detail: string): SliceAnswer {
  const failure = { kind: 'wrong_kind', detail, body: null, retryAfter: null, date: null } as const;
  return { kind: 'failed', httpStatus, bodyBytes, seconds, endedAtMs, failure };
}
