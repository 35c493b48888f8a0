/** Refuses work that would overwrite another product's files: file names do not tell descriptors apart (UDL-27, CDF-D1). */
import { join, relative } from 'node:path';
import type { Stage } from '../../core/backfill/types.ts';
import { PipelineError } from '../../core/errors.ts';
import { artifactFileName, parseProductSlug } from '../../core/product.ts';
import type { ProductSlug } from '../../core/product.ts';
import type { Day } from '../../core/time/day.ts';
import type { ArtifactKind } from '../../ledger/ledger.ts';

interface OtherFile {
  readonly kind: ArtifactKind;
  readonly product: ProductSlug;
  readonly day: Day;
  readonly path: string;
}

/**
 * Throws when a day's download or product would take the place of another product's file.
 *
 * A product's name is known only once it is built (CDF-2), so another product of the same sensor selection and day, kept
 * in the same folder, counts as a clash.
 *
 * @throws PipelineError `path_owned`
 */
export function refuseOwnedPaths(
  product: ProductSlug,
  folders: { readonly downloads: string; readonly products: string },
  days: readonly { readonly day: Day; readonly stages: readonly Stage[] }[],
  others: readonly OtherFile[],
): void {
  const { sensor } = parseProductSlug(product);
  const downloads = new Map(others.filter((other) => other.kind === 'download').map((other) => [other.path, other]));
  const products = new Map(
    others
      .filter((other) => other.kind === 'product' && parseProductSlug(other.product).sensor === sensor)
      .filter((other) => !relative(folders.products, other.path).startsWith('..'))
      .map((other) => [other.day, other]),
  );
  for (const { day, stages } of days) {
    const path = join(folders.downloads, artifactFileName(parseProductSlug(product), day));
    const owner = stages.includes('download') ? downloads.get(path) : undefined;
    if (owner) throw owned(product, day, owner);
    const built = stages.includes('build') ? products.get(day) : undefined;
    if (built) throw owned(product, day, built);
  }
}

function owned(product: ProductSlug, day: Day, owner: OtherFile): PipelineError {
  return new PipelineError(
    'path_owned',
    `${owner.path} belongs to ${owner.product}; ${product} would overwrite it on ${day}, as file names do not tell the two apart.`,
    {
      hint: 'Give one of the two products another folder with --workspace (or --output-dir). Nothing was changed.',
      context: { path: owner.path, owner: owner.product, product, day },
    },
  );
}
