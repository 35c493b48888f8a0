/** When a day's file may go. Pure. */

/**
 * Which day files stay once their product is done: `all`; those of days that `failed`, so that what is delivered takes no
 * room; `none` but those without a product, also where the delivery failed. A day that was not built keeps its file always:
 * nothing else holds its data.
 */
export const KEEP_DOWNLOADS = ['all', 'failed', 'none'] as const;
export type KeepDownloads = (typeof KEEP_DOWNLOADS)[number];

interface FilesOfDay {
  readonly artifact: { readonly sha256: string } | null;
  readonly productFile: { readonly sha256: string; readonly inputSha256: string | null } | null;
  /** To the destination asked for. */
  readonly delivery: { readonly sha256: string } | null;
}

/** Whether the present product was made from the present file, and is as safe as `keep` asks. */
export function canRelease({ artifact, productFile, delivery }: FilesOfDay, keep: KeepDownloads = 'all'): boolean {
  if (keep === 'all' || artifact === null || productFile?.inputSha256 !== artifact.sha256) return false;
  return keep === 'none' || delivery?.sha256 === productFile.sha256;
}
