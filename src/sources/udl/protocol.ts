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
}

export interface FetchOrder {
  readonly type: 'fetch';
  readonly id: number;
  /** Path and query. */
  readonly path: string;
  readonly slice: Slice;
  readonly format: ArtifactFormat;
}

export interface CountOrder {
  readonly type: 'count';
  readonly id: number;
  /** Path and query. */
  readonly path: string;
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
  | { readonly type: 'header'; readonly id: number; readonly header: AnswerHeader }
  | { readonly type: 'answer'; readonly id: number; readonly answer: SliceAnswer }
  | { readonly type: 'counted'; readonly id: number; readonly answer: CountAnswer };
