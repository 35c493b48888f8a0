/** What a worker knows of S3 before it asks anybody. Credentials are the SDK's own chain and never pass through here. */
export interface S3Settings {
  /** Another server than Amazon's, `http://127.0.0.1:7070`; addressed path-style. Null for Amazon's of the region. */
  readonly endpoint: string | null;
  /** Null leaves it to the SDK's chain. */
  readonly region: string | null;
  /** For connecting, and between two signs of life of a connection. */
  readonly timeoutMs: number;
}

export const DEFAULT_S3_SETTINGS: S3Settings = { endpoint: null, region: null, timeoutMs: 120_000 };
