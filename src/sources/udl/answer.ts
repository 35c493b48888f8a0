/** What is asked of the source and what comes back, as plain values that cross between threads. */
import type { Product } from '../../core/product.ts';
import type { RecordCounts } from '../../core/records/counts.ts';
import type { Slice } from '../../core/slices.ts';

export interface SliceQuery {
  readonly product: Product;
  readonly slice: Slice;
}

/** What a header says before the body is read; for answers other than 2xx. */
export interface AnswerHeader {
  readonly status: number;
  /** Verbatim; null when absent. */
  readonly retryAfter: string | null;
  readonly date: string | null;
}

/**
 * Why a slice has no usable answer.
 * - `rate_limited` 429; `auth_rejected` 401, 403; `request_rejected` other statuses that a second try cannot change
 * - `http_error` 408, 425, 500, 502, 503, 504; `timeout`, `connection_failed` (cut and undecodable bodies too): transport
 * - `wrong_kind` an answer that is no list of records
 */
export type FailureKind =
  | 'rate_limited'
  | 'auth_rejected'
  | 'request_rejected'
  | 'http_error'
  | 'timeout'
  | 'connection_failed'
  | 'wrong_kind';

/** The body of an answer that came to its end and is of no use; without secrets. */
export interface WrongBody {
  readonly bytes: Uint8Array;
  /**
   * Whole, and perhaps data that this version cannot read (TRACK-10). Otherwise the first 64 KiB at most of what is no data:
   * a page, nothing at all.
   */
  readonly mayBeData: boolean;
  readonly contentType: string | null;
  /** `Content-Encoding` that could not be undone; null when `bytes` are what the source meant. */
  readonly encoding: string | null;
}

export interface SliceFailure {
  readonly kind: FailureKind;
  /** Status, content type, host, what is wrong and the readable start of the body; no secrets, at most 1,000 characters. */
  readonly detail: string;
  /** Null when there is none, or when it says nothing beyond `detail`. */
  readonly body: WrongBody | null;
  readonly retryAfter: string | null;
  readonly date: string | null;
}

interface AnswerFacts {
  /** Null when no header came. */
  readonly httpStatus: number | null;
  /** Bytes of the body after transport decoding. */
  readonly bodyBytes: number;
  /** From sending to `endedAtMs`. */
  readonly seconds: number;
  /** POSIX milliseconds: when the header of a status other than 2xx was read, which ends it for the gate; else the end of scanning. */
  readonly endedAtMs: number;
}

/** Kept records as they stand in the artifact. */
export interface SliceData {
  readonly kind: 'data';
  /** CSV rows, each ended by CRLF, without a header; or JSON records joined by `, `. Its buffer may be larger, and shared. */
  readonly block: Uint8Array;
  /** Of `block`, lower-case hexadecimal. */
  readonly sha256: string;
  /** Keys in first-seen order; every CSV row has exactly these cells. */
  readonly columns: readonly string[];
  readonly counts: RecordCounts;
  /** Records that came but lie outside `startMs ≤ obTime < endMs`. */
  readonly outside: number;
}

/**
 * How many records a range holds. `uncountable`: this server does not say, and why; `isRefused` when it rejects the question
 * (no such endpoint), not when it answered with something else than a number.
 */
export type CountAnswer = AnswerFacts &
  (
    | { readonly kind: 'counted'; readonly records: number }
    | { readonly kind: 'uncountable'; readonly why: string; readonly isRefused: boolean }
    | { readonly kind: 'failed'; readonly failure: SliceFailure }
    | { readonly kind: 'cancelled' }
  );

export type SliceAnswer = AnswerFacts &
  (
    | SliceData
    | { readonly kind: 'empty' }
    | { readonly kind: 'failed'; readonly failure: SliceFailure }
    | { readonly kind: 'cancelled' }
  );
