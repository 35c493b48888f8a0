/** The library's errors as the pipeline's. */
import { PipelineError } from '../../core/errors.ts';
import type { ErrorKind } from '../../core/errors.ts';
import { ZarrError } from '../../formats/zarr/index.ts';
import type { ObjectStore, ZarrErrorKind } from '../../formats/zarr/index.ts';

const KINDS: Readonly<Record<ZarrErrorKind, { readonly kind: ErrorKind; readonly hint: string }>> = {
  conflict: {
    kind: 'store_conflict',
    hint: 'One writer per store: wait for the other one, or stop it. What it has written is kept; the sync is tried again.',
  },
  not_zarr: { kind: 'config_invalid', hint: 'Name an empty place for the store, or one that reachback has made.' },
  schema_differs: {
    kind: 'config_invalid',
    hint: 'Use the product, --origin and --exact-times that the store was made with ("reachback zarr info" shows them), or make it anew with "reachback zarr rebuild".',
  },
  schema_invalid: { kind: 'invariant_broken', hint: 'This is a bug: please report it.' },
  value_invalid: { kind: 'invariant_broken', hint: 'This is a bug: please report it with the days of the sync.' },
  corrupted: {
    kind: 'checksum_mismatch',
    hint: 'Run "reachback zarr verify" to see what is damaged, then "reachback zarr rebuild".',
  },
  unsupported: { kind: 'config_invalid', hint: 'Put the store on another file system.' },
};

/** Runs work on a store. @throws PipelineError in place of ZarrError */
export async function storeErrors<T>(store: ObjectStore, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof ZarrError)) throw error;
    const { kind, hint } = KINDS[error.kind];
    const more = error.differences.slice(1, 5).map((line) => `; ${line}`);
    throw new PipelineError(kind, `${error.message}${more.join('')}`, {
      hint,
      context: { store: store.location },
      cause: error,
    });
  }
}
