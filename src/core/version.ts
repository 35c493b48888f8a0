/** Version of this program; equal to `package.json`'s, which a test holds. */
export const VERSION = '0.1.0';

/** What products and manifests say about the software that made them (design §5). */
export const SOFTWARE = {
  reach: `reachback ${VERSION}`,
  swxsoc: `none (reachback ${VERSION})`,
  cdfLibrary: `reachback-cdf ${VERSION}`,
} as const;
