/**
 * The compiled byte loops (`wasm/rows`, ADR 0023), each time with a memory of their own.
 */
import { readFileSync } from 'node:fs';
import { powersOfFive } from './decimal.ts';
import { parseInstant } from './instant.ts';

/** What the module exports. Positions are places in its memory; `wasm/rows/layout.ts` says what is where. */
export interface ByteLoops {
  readonly memory: WebAssembly.Memory;
  readonly INPUT: WebAssembly.Global;
  readonly COLUMNS: WebAssembly.Global;
  readonly NUMBERS: WebAssembly.Global;
  readonly CODES: WebAssembly.Global;
  readonly POWERS: WebAssembly.Global;
  readonly LEAST_POWER: WebAssembly.Global;
  readonly GREATEST_POWER: WebAssembly.Global;
  readonly MAX_COLUMNS: WebAssembly.Global;
  readonly MAX_ROWS: WebAssembly.Global;
  setColumns(count: number): void;
  /** @returns how many rows, the first at `start`, have been read into the block */
  readRows(start: number): number;
  /** Where the row begins that was not read. */
  next(): number;
  /** Reads the number at `start` to `slot`. @returns position behind it; 0 when there is none, none that is finite, or it cannot be decided */
  readNumber(start: number, slot: number): number;
  /** Reads the time at `start` to `slot`. @returns position behind it; 0 when it is none of the usual form */
  readInstant(start: number, field: 0 | 1, slot: number): number;
}

/** @returns the code of the text in `[start, end)` of the memory; `field` as in `wasm/rows/texts.ts` */
export type CodeOf = (field: number, start: number, end: number) => number;

const PAGE_BYTES = 1 << 16;
/** Where the input begins. */
const PAGES_BEFORE_INPUT = 3;
/** The loops look at sixteen bytes at a time, and at the next one. */
const LOOK_AHEAD = 32;

/** Once in a thread. */
let loaded: { readonly module: WebAssembly.Module; powers?: BigUint64Array } | undefined;

/** @param inputBytes - of the longest input with the zero behind it */
export function newByteLoops(inputBytes: number, codeOf: CodeOf): ByteLoops {
  loaded ??= { module: new WebAssembly.Module(readFileSync(new URL('./plain-rows.wasm', import.meta.url))) };
  const pages = PAGES_BEFORE_INPUT + Math.ceil((inputBytes + LOOK_AHEAD) / PAGE_BYTES);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const imports = { env: { memory }, texts: { codeOf }, instant: { startOfDate } };
  const loops = new WebAssembly.Instance(loaded.module, imports).exports as ByteLoops;
  loaded.powers ??= powersOfFive(loops.LEAST_POWER.value, loops.GREATEST_POWER.value);
  new BigUint64Array(memory.buffer, loops.POWERS.value).set(loaded.powers);
  return loops;
}

const starts = new Map<number, number>();

/** @param date - `YYYYMMDD` @returns the instant at which the date begins, NaN when there is none such */
function startOfDate(date: number): number {
  let start = starts.get(date);
  if (start === undefined) {
    start = parseInstant(`${String(date).padStart(8, '0')}T000000Z`);
    starts.set(date, start);
  }
  return start;
}
