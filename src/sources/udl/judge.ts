/** What statuses, headers and broken exchanges mean, in words for the ledger (UDL-D4, TRACK-9). */
import type { Secret } from '../../core/secret.ts';
import type { FailureKind, SliceFailure } from './answer.ts';
import type { ExchangeError, ExchangeHeader } from './exchange.ts';

/** Statuses that a later try may change. */
const RETRYABLE_STATUSES = new Set([408, 425, 500, 502, 503, 504]);
/** Content types that no list of records has, whatever the body looks like. */
const PAGE_TYPE = /^\s*(?:text\/html|application\/xhtml\+xml|text\/xml|application\/xml)\b/i;

const LONGEST_DETAIL = 1_000;
const RAW_START_BYTES = 64 << 10;

export interface Judge {
  /** The failure that status and content type alone prove; null when the body decides. */
  byHeader(header: ExchangeHeader, body: Uint8Array): SliceFailure | null;
  /** A body that is no list of records. */
  wrongKind(header: ExchangeHeader, body: Uint8Array, what: string): SliceFailure;
  /** An exchange that did not come to its end. */
  byError(error: ExchangeError): SliceFailure;
}

/** @param host - of the source, named in every text */
export function createJudge(host: string, secret: Secret): Judge {
  const fail = (kind: FailureKind, header: ExchangeHeader | null, what: string, body?: Uint8Array): SliceFailure => {
    const { retryAfter, date } = header ?? { retryAfter: null, date: null };
    const from =
      header === null ? host : `HTTP ${header.status} (${header.contentType ?? 'no content type'}) from ${host}`;
    const start = body === undefined || body.length === 0 ? '' : `; it begins: ${readableStart(body)}`;
    const detail = secret.redact(`${from}: ${what}${start}`).slice(0, LONGEST_DETAIL);
    return { kind, detail, rawStart: kind === 'wrong_kind' && body ? rawStart(body, secret) : null, retryAfter, date };
  };
  return {
    byHeader: (header, body) => {
      const { status, contentType, location } = header;
      if (status === 429) return fail('rate_limited', header, 'too many requests', body);
      if (status === 401 || status === 403) return fail('auth_rejected', header, 'the credentials were refused', body);
      if (RETRYABLE_STATUSES.has(status)) return fail('http_error', header, 'the source failed', body);
      if (status >= 300 && status < 400) {
        return fail(
          'wrong_kind',
          header,
          `redirects are not followed, this one leads to ${location ?? 'nowhere'}`,
          body,
        );
      }
      if (status >= 400) return fail('request_rejected', header, 'the source rejected the request', body);
      return PAGE_TYPE.test(contentType ?? '') ? fail('wrong_kind', header, 'the answer is a page', body) : null;
    },
    wrongKind: (header, body, what) => fail('wrong_kind', header, what, body),
    byError: ({ kind, message, header }) => {
      if (kind === 'too_large') return fail('wrong_kind', header, message);
      return fail(kind === 'timeout' ? 'timeout' : 'connection_failed', header, message);
    },
  };
}

/** The text of a page or an error object: no tags, no scripts, single spaces. */
function readableStart(body: Uint8Array): string {
  return new TextDecoder('utf-8')
    .decode(body.subarray(0, RAW_START_BYTES))
    .replaceAll(/<(script|style)\b[\s\S]*?(<\/\1>|$)/gi, ' ')
    .replaceAll(/<[^<>]*>/g, ' ')
    .replaceAll(/[\p{C}\s]+/gu, ' ')
    .trim();
}

/** Byte by byte as it came, except for the secret; cut so that no piece of it can stay at the end. */
function rawStart(body: Uint8Array, secret: Secret): Uint8Array {
  const start = Buffer.from(body.subarray(0, RAW_START_BYTES)).toString('latin1');
  const redacted = secret.redact(start);
  const whole = body.length <= RAW_START_BYTES;
  return Buffer.from(whole ? redacted : redacted.slice(0, -secret.reveal().length * 3 - 1), 'latin1');
}
