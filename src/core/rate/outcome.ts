/** What a request said about the source when it had ended, whatever becomes of its content. */
export type RequestOutcome =
  /** A usable answer, "no data" included. */
  | { readonly kind: 'success' }
  /** 429. */
  | { readonly kind: 'rate_limited'; readonly retryAfterMs: number | null }
  /** 401 or 403. */
  | { readonly kind: 'auth_rejected'; readonly status: number }
  /** Anything else that was no usable answer. */
  | {
      readonly kind: 'failure';
      /** Whether it may mean overload (503, timeout, no connection) and so slows the pace. */
      readonly penalty: boolean;
      /** When the answer named a time. */
      readonly retryAfterMs: number | null;
    }
  /** Ended by us; says nothing. */
  | { readonly kind: 'cancelled' };
