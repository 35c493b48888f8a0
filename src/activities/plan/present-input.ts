/** The file that a day's product is made from now, with its hash: planning and building must mean the same one. */
import type { RunMode } from '../../core/backfill/types.ts';
import { parseProductSlug } from '../../core/product.ts';
import type { ProductSlug } from '../../core/product.ts';
import type { DayFacts, InputFileRow, Ledger } from '../../ledger/ledger.ts';
import { fileDigest } from '../../storage/file-digest.ts';
import { statFile } from './file-state.ts';
import { findInput } from './find-input.ts';

export interface PresentInput {
  /** Absolute. */
  readonly path: string;
  readonly sha256: string;
  /** The size and time that the hash was taken at. */
  readonly sizeBytes: number;
  readonly mtimeMs: number;
}

/**
 * In `run`, the recorded artifact; in `process`, the first matching file of the folder (TEL-14), whoever put it there.
 * A file is read only when neither its record nor an earlier reading tells the hash.
 *
 * @returns null when there is none
 */
export async function presentInput(
  deps: { readonly ledger: Ledger; readonly folders: { readonly downloads: string } },
  mode: RunMode,
  product: ProductSlug,
  facts: Pick<DayFacts, 'day' | 'artifact'>,
): Promise<PresentInput | null> {
  const { artifact, day } = facts;
  if (mode !== 'process') return artifact;
  const { downloads } = deps.folders;
  const path = await findInput(downloads, parseProductSlug(product), day);
  if (path === null) return null;
  const known = artifact?.path === path ? [artifact] : await deps.ledger.inputFiles(downloads);
  return await digestOfInput(
    deps.ledger,
    path,
    known.find((file) => file.path === path),
  );
}

/**
 * Hash of an input file, null when it is gone. What had to be read is remembered as long as size and time stay.
 *
 * @param ledger - null remembers nothing
 * @param known - the hash the file had at an earlier size and time
 */
export async function hashOfInput(
  ledger: Ledger | null,
  path: string,
  known: Omit<InputFileRow, 'path'> | undefined,
): Promise<string | null> {
  return (await digestOfInput(ledger, path, known))?.sha256 ?? null;
}

async function digestOfInput(
  ledger: Ledger | null,
  path: string,
  known: Omit<InputFileRow, 'path'> | undefined,
): Promise<PresentInput | null> {
  const found = await statFile(path);
  if (found === null) return null;
  if (known?.sizeBytes === found.sizeBytes && known.mtimeMs === found.mtimeMs) {
    return { path, ...found, sha256: known.sha256 };
  }
  const { sha256 } = await fileDigest(path);
  await ledger?.putInputFile({ path, ...found, sha256 });
  return { path, ...found, sha256 };
}
