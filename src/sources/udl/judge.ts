/** What statuses, headers and broken exchanges mean, in words for the ledger (UDL-D4, TRACK-9). */
import type { Secret } from '../../core/secret.ts';
import type { FailureKind, SliceFailure, WrongBody } from './answer.ts';
import type { ExchangeError, ExchangeHeader } from './exchange.ts';

/** Statuses that a later try may change. */
const RETRYABLE_STATUSES = new Set([408, 425, 500, 502, 503, 504]);
/** Content types that no list of records has, whatever the body looks like. */
const PAGE_TYPE = /^\s*(?:text\/html|application\/xhtml\+xml|text\/xml|application\/xml)\b/i;

const LONGEST_DETAIL = 1_000;
const START_BYTES = 64 << 10;

export interface Judge {
  /** The failure that status and content type alone prove; null when the body decides. */
  byHeader(header: ExchangeHeader, body: Uint8Array): SliceFailure | null;
  /** A body that is no list of records, whole. */
  wrongKind(header: ExchangeHeader, body: Uint8Array, what: string): SliceFailure;
  /** An exchange that did not come to its end. @param body - what came of it */
  byError(error: ExchangeError, body: Uint8Array): SliceFailure;
  /** A whole body in an encoding that cannot be undone. @param readable - as far as it can */
  undecodable(error: ExchangeError, body: Uint8Array, readable: Uint8Array): SliceFailure;
}

/** @param host - of the source, named in every text */
export function createJudge(host: string, secret: Secret): Judge {
  const fail = (
    kind: FailureKind,
    header: ExchangeHeader | null,
    what: string,
    came?: Uint8Array,
    body: WrongBody | null = null,
  ): SliceFailure => {
    const { retryAfter, date } = header ?? { retryAfter: null, date: null };
    const from =
      header === null ? host : `HTTP ${header.status} (${header.contentType ?? 'no content type'}) from ${host}`;
    const start = came === undefined ? '' : readableStart(came);
    const detail = secret.redact(`${from}: ${what}${start === '' ? '' : `; it begins: ${start}`}`);
    return { kind, detail: detail.slice(0, LONGEST_DETAIL), body, retryAfter, date };
  };
  const startOf = (body: Uint8Array, { contentType }: ExchangeHeader): WrongBody | null =>
    body.length === 0 ? null : { bytes: redactedStart(body, secret), mayBeData: false, contentType, encoding: null };
  return {
    byHeader: (header, body) => {
      const { status, contentType, location } = header;
      if (status === 429) return fail('rate_limited', header, 'too many requests', body);
      if (status === 401 || status === 403) return fail('auth_rejected', header, 'the credentials were refused', body);
      if (RETRYABLE_STATUSES.has(status)) return fail('http_error', header, 'the source failed', body);
      if (status >= 300 && status < 400) {
        const what = `redirects are not followed, this one leads to ${location ?? 'nowhere'}`;
        return fail('wrong_kind', header, what, body, startOf(body, header));
      }
      if (status >= 400) return fail('request_rejected', header, 'the source rejected the request', body);
      if (!PAGE_TYPE.test(contentType ?? '')) return null;
      return fail('wrong_kind', header, 'the answer is a page', body, startOf(body, header));
    },
    wrongKind: (header, body, what) => {
      const { contentType } = header;
      const whole =
        body.length === 0 || isPage(body)
          ? startOf(body, header)
          : { bytes: redacted(body, secret), mayBeData: true, contentType, encoding: null };
      return fail('wrong_kind', header, what, body, whole);
    },
    byError: ({ kind, message, header }, body) => {
      if (kind === 'too_large') return fail('wrong_kind', header, message, body);
      return fail(kind === 'timeout' ? 'timeout' : 'connection_failed', header, message, body);
    },
    undecodable: ({ message, header }, body, readable) => {
      if (header === null) return fail('connection_failed', null, message, readable);
      const { contentType, contentEncoding: encoding } = header;
      // Within compressed bytes nothing can be blacked out.
      const kept = secret.isIn(body) || secret.isIn(readable) ? null : { bytes: body, mayBeData: true };
      return fail('connection_failed', header, message, readable, kept && { ...kept, contentType, encoding });
    },
  };
}

/** The text of a page or an error object: no tags, no scripts, single spaces. */
function readableStart(body: Uint8Array): string {
  return new TextDecoder('utf-8')
    .decode(body.subarray(0, START_BYTES))
    .replaceAll(/<(script|style)\b[\s\S]*?(<\/\1>|$)/gi, ' ')
    .replaceAll(/<[^<>]*>/g, ' ')
    .replaceAll(/[\p{C}\s]+/gu, ' ')
    .trim();
}

/** Whether it begins as a page does, whatever its content type says. */
function isPage(body: Uint8Array): boolean {
  return /^[\ufeff\s]*</.test(new TextDecoder('utf-8').decode(body.subarray(0, 1_000)));
}

/** Byte by byte as it came, except for the secret. A copy: the body's memory is used again. */
function redacted(body: Uint8Array, secret: Secret): Uint8Array {
  if (!secret.isIn(body)) return body.slice();
  return Buffer.from(secret.redact(Buffer.from(body).toString('latin1')), 'latin1');
}

/** Likewise, cut so that no piece of the secret can stay at the end. */
function redactedStart(body: Uint8Array, secret: Secret): Uint8Array {
  const start = redacted(body.subarray(0, START_BYTES), secret);
  return body.length <= START_BYTES ? start : start.subarray(0, -secret.reveal().length * 3 - 1);
}
