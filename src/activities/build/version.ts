import type { ArtifactRow, Ledger, ProductEdition } from '../../ledger/ledger.ts';
import type { DayAttempt } from '../types.ts';

const FIRST_VERSION = '1.0.0';

/**
 * The version in the product's name. Of a day whose data have changed it is the patch version after the highest that there was,
 * so that all can be told apart at a destination; any other rebuild keeps its name, also after a former product was brought back.
 * `process` builds what lies in the folder, always under the same.
 *
 * @param former - the day's product as recorded
 */
export async function versionOf(
  ledger: Pick<Ledger, 'productEditions'>,
  { input }: DayAttempt,
  former: ArtifactRow | null,
  inputSha256: string,
): Promise<string> {
  const version = former?.version ?? FIRST_VERSION;
  if (input.options.mode === 'process' || former === null || former.inputSha256 === inputSha256) return version;
  const editions = await ledger.productEditions(input.product, input.day);
  const isSame = (edition: ProductEdition): boolean =>
    edition.inputSha256 === inputSha256 && edition.profile === input.options.profile;
  const made = former.restoredFor === undefined ? undefined : editions.findLast(isSame)?.version;
  if (made) return made;
  const ascending = editions.map((edition) => edition.version ?? FIRST_VERSION).toSorted(byNumbers);
  const [major, minor, patch] = (ascending.at(-1) ?? version).split('.').map(Number);
  return `${major}.${minor}.${(patch ?? 0) + 1}`;
}

/** 1.0.10 is behind 1.0.9. */
const { compare: byNumbers } = new Intl.Collator('en', { numeric: true });
