/**
 * The vocabulary of Zarr syncs: what travels between client, workflows and activities. Plain JSON, kept small.
 */
import type { ErrorKind } from './errors.ts';
import type { ProductSlug } from './product.ts';
import { parseDay } from './time/day.ts';
import type { Day } from './time/day.ts';

/** Where the time axis of a new store begins: before the first launch of a satellite with a sensor (14 January 2017). */
export const DEFAULT_ZARR_ORIGIN: Day = parseDay('2017-01-01');

/** A store as an operator names it. */
export interface ZarrTarget {
  /** `file:///dir/reach.zarr` or `s3://bucket/prefix`. */
  readonly store: string;
  /** Null: that of the store, or the default for a new one. */
  readonly origin: Day | null;
  /** Null: as the store does, or not for a new one. */
  readonly exactTimes: boolean | null;
}

/** A day's file that is new or has changed, as the stages before returned it and the ledger keeps it (APPEND-2). */
export interface ZarrDay {
  readonly day: Day;
  /** Absolute, on the worker. */
  readonly path: string;
  /** Lower-case hexadecimal. */
  readonly sha256: string;
}

/** Input of `syncZarr`; `carried` is set by continue-as-new alone. */
export interface ZarrInput {
  readonly workspace: string;
  readonly product: ProductSlug;
  readonly target: ZarrTarget;
  /** Build a new store from all days and put it in the place of the present one. */
  readonly rebuild: boolean;
  readonly carried?: { readonly store: string; readonly after: Day | null; readonly result: ZarrResult };
}

export interface ZarrRefusal {
  readonly day: Day;
  /** What differs, a line each; at most a few. */
  readonly differences: readonly string[];
}

/** What a sync did, and result of `syncZarr`. */
export interface ZarrResult {
  readonly store: string;
  readonly created: boolean;
  readonly written: number;
  /** Days that the store held already although the ledger did not know. */
  readonly unchanged: number;
  readonly refusedDays: number;
  /** The first of them, at most `MAX_REFUSALS_KEPT`. */
  readonly refused: readonly ZarrRefusal[];
  /** Set when the sync could not go on; what it wrote by then is committed. */
  readonly failure?: { readonly kind: ErrorKind | 'unknown'; readonly message: string; readonly hint?: string };
}

export const MAX_REFUSALS_KEPT = 20;

export function emptyZarrResult(store: string): ZarrResult {
  return { store, created: false, written: 0, unchanged: 0, refusedDays: 0, refused: [] };
}

/** Two parts of a sync as one. */
export function addZarrResults(a: ZarrResult, b: ZarrResult): ZarrResult {
  return {
    store: a.store,
    created: a.created || b.created,
    written: a.written + b.written,
    unchanged: a.unchanged + b.unchanged,
    refusedDays: a.refusedDays + b.refusedDays,
    refused: [...a.refused, ...b.refused].slice(0, MAX_REFUSALS_KEPT),
  };
}
