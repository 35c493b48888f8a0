/**
 * Where things are in the memory that `src/products/reach-l1c/read/plain-rows.ts` provides. Below `COLUMNS` are the constants
 * of the compiled module.
 */

/** Most columns of a file, and most rows of a block. */
export const MAX_COLUMNS: i32 = 1024;
export const MAX_ROWS: i32 = 1024;

/** What each column is, one byte each (see `index.ts`). */
export const COLUMNS: usize = 0x1000;
/** Powers of five (see `decimal.ts`). */
export const POWERS: usize = 0x2000;
/** Texts that have been met (see `texts.ts`). */
export const TEXTS: usize = 0x5000;
/** Of each row of the block the codes of its four texts, 16 bits each, in the order of `texts.ts`. */
export const CODES: usize = 0x19000;
export const CODES_BYTES: usize = 8;
/** Of each row of the block its numbers, doubles in the order of `Row.numbers`. */
export const NUMBERS: usize = 0x1b000;
export const NUMBERS_BYTES: usize = 80;
/** The file's bytes, a zero behind the last; to the memory's end, which lies 32 bytes behind the longest input or more. */
export const INPUT: usize = 0x30000;

// Places in `Row.numbers`.
export const OB_TIME: usize = 0;
export const CREATED_AT: usize = 8;
export const OB_VALUE: usize = 16;
export const OB_QUALITY: usize = 24;
export const LAT: usize = 32;
export const LON: usize = 40;
export const ALT: usize = 48;
export const SEN_POS: usize = 56;

export const LF: u32 = 0x0a;
export const CR: u32 = 0x0d;
export const SPACE: u32 = 0x20;
export const QUOTE: u32 = 0x22;
export const APOSTROPHE: u32 = 0x27;
export const PLUS: u32 = 0x2b;
export const COMMA: u32 = 0x2c;
export const MINUS: u32 = 0x2d;
export const POINT: u32 = 0x2e;
export const ZERO: u32 = 0x30;
export const COLON: u32 = 0x3a;
export const OPEN_LIST: u32 = 0x5b;
export const CLOSE_LIST: u32 = 0x5d;
export const LOWER_E: u32 = 0x65;
export const OPEN_OBJECT: u32 = 0x7b;
export const CLOSE_OBJECT: u32 = 0x7d;
