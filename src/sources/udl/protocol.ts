/** Messages between the source and its threads. */
import type { ArtifactFormat } from '../../core/product.ts';
import type { Slice } from '../../core/slices.ts';
import type { AnswerHeader, CountAnswer, SliceAnswer } from './answer.ts';

export interface ThreadSettings {
  /** Scheme, host and port. */
  readonly origin: string;
  readonly authorization: string;
  /** For connecting and between two pieces of an answer, milliseconds. */
  readonly requestTimeoutMs: number;
  /** For a whole exchange, milliseconds: ends answers that drip for ever. */
  readonly exchangeTimeoutMs: number;
  readonly maxBodyBytes: number;
  /** One word that all threads share: how often the source asked for a pause, or sent us away. */
  readonly pauses: Int32Array;
}

export interface FetchOrder {
  readonly type: 'fetch';
  readonly id: number;
  /** Path and query. */
  readonly path: string;
  /** Pauses that the gate knew of when it let this request go; another one since then holds it back. */
  readonly pauses: number;
  readonly slice: Slice;
  readonly format: ArtifactFormat;
}

export interface CountOrder {
  readonly type: 'count';
  readonly id: number;
  /** Path and query. */
  readonly path: string;
  readonly pauses: number;
}

export type ToThread =
  | FetchOrder
  | CountOrder
  | { readonly type: 'cancel'; readonly id: number }
  /** The memory of a block that nobody needs any more. */
  | { readonly type: 'recycle'; readonly memory: SharedArrayBuffer };

export type FromThread =
  /** Once: orders are carried out at once from now on. */
  | { readonly type: 'ready' }
  /** Every second while an order is under way: the thread has not hung. */
  | { readonly type: 'alive' }
  /** Nothing was sent: the source has asked for a pause since the gate let this request go. */
  | { readonly type: 'held_back'; readonly id: number }
  /** `pauses`: how many there were up to and with this answer. */
  | { readonly type: 'header'; readonly id: number; readonly header: AnswerHeader; readonly pauses: number }
  | { readonly type: 'answer'; readonly id: number; readonly answer: SliceAnswer }
  | { readonly type: 'counted'; readonly id: number; readonly answer: CountAnswer };

/** Whether no further request may leave once an answer's header says this. */
export function endsRequests(status: number): boolean {
  return status === 429 || status === 401 || status === 403;
}
