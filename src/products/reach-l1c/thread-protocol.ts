/**
 * What the two sides of a thread say to each other.
 */
import type { ErrorContext, ErrorKind } from '../../core/errors.ts';
import type { ArtifactFormat } from '../../core/product.ts';
import type { BuildRequest, Progress } from './types.ts';

export type ThreadTask =
  | { readonly kind: 'build'; readonly request: BuildRequest }
  | { readonly kind: 'count'; readonly path: string; readonly format: ArtifactFormat };

export interface ThreadInput {
  readonly task: ThreadTask;
  /** One shared word: a thread that reads and parses without a pause hears no messages. */
  readonly abortFlag: Int32Array;
}

export type ThreadMessage =
  | { readonly kind: 'progress'; readonly progress: Progress }
  | { readonly kind: 'done'; readonly value: unknown }
  | { readonly kind: 'aborted' }
  | {
      readonly kind: 'failed';
      readonly error: {
        readonly kind: ErrorKind;
        readonly message: string;
        readonly hint: string | undefined;
        readonly context: ErrorContext;
        readonly stack: string | undefined;
      };
    };

export function newAbortFlag(): Int32Array {
  return new Int32Array(new SharedArrayBuffer(4));
}

export function raiseAbort(flag: Int32Array): void {
  Atomics.store(flag, 0, 1);
}

export function isAborted(flag: Int32Array): boolean {
  return Atomics.load(flag, 0) !== 0;
}
